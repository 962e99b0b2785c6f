// What every instruction set provides: one table of functions, each for one tile on one thread.
//
// Plain C types only, because the files that fill these tables are built with instruction-set
// flags: a C++ template instantiated there could replace the portable one for the whole program.
// All float results of one row depend on that row alone and are summed in a fixed order, so that
// they are the same to the last bit whatever else is in the batch.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "cpu_features.h"

constexpr size_t kCacheTokens = 16;        // tokens in a block of the KV cache
constexpr size_t kMaxInt8HeadSize = 1024;  // so many products of 7 and 14 bits fit int32
constexpr size_t kMaxTileDigits = 6;       // rows of digits of one int8 tile, at most
constexpr size_t kMaxQueries = 8;          // query rows of one attention tile
constexpr size_t kHeadTileRows = 4;        // vocabulary rows of one head tile
constexpr size_t kMaxTileTokens = 64;      // activation rows of one ternary tile, at most

// An int8 row: x ~ q * scale; sum is the sum of q, to turn codes w + 1 back into weights.
struct QuantizedRow {
  int8_t* q;
  float* scale;
  int32_t* sum;
};

// A row of numbers of 15 bits, x ~ number * scale, by which an int8 cache is multiplied.
struct SplitRow {
  int8_t* numbers;  // two bytes each, in the order that an instruction set wants; zeros pad to 64
  float* scale;
  int32_t* offset;  // what a sum of their products with keys has too much
};

// What to fetch into the cache during a pass over a block: `stride` bytes on for each 64 bytes of
// the block. Need not be readable.
struct Ahead {
  const char* start;
  size_t stride;
};

// Query rows that attend to the same keys: one KV head of one request, and one part of its context.
struct AttentionTile {
  size_t num_queries;                   // 1..kMaxQueries
  size_t head_size;                     // D
  const float* queries[kMaxQueries];    // D floats each, rotated and scaled by 1/sqrt(D)
  SplitRow split_queries[kMaxQueries];  // the same for an int8 cache
  float* outputs[kMaxQueries];          // D floats each: sums of weight * value
  float* largest[kMaxQueries];          // the largest score; weights are exp(score - largest)
  float* totals[kMaxQueries];           // sums of weights
  bool whole[kMaxQueries];              // the part is all that the query sees: divide by the total
  size_t begin, end;                    // the part: tokens begin..end-1; begin is a multiple of 16
  size_t context;                       // tokens that the block table has, to the part's end or on
  int32_t positions[kMaxQueries];       // a query sees the tokens 0..position
  const int32_t* block_table;
  const void* keys;         // [blocks, block_stride] elements, here those of this head: KVCache
  const void* values;       // likewise
  size_t block_stride;      // in elements
  const float* key_scales;  // int8 alone: [blocks, scale_stride], here [kCacheTokens] of this head
  const float* value_scales;  // likewise
  size_t scale_stride;
};

// One block of 64 rows of an int8 table, and one hidden state in two digits; see ops/int8_head.cpp.
struct Int8Block {
  const int32_t* high;  // sums over the high digits, [64]
  const int32_t* low;   // and over the low ones
  const float* scales;  // [count], as the following
  const int32_t* sums;
  const float* residual_norms;
  const float* norms;
  size_t count;  // rows, 1..64
  float x_scale, x_norm, x_error;
};

struct KernelTable {
  const char* isa;
  uint32_t needs;       // CPU features, all of which its functions use
  size_t tile_tokens;   // rows of x that one ternary tile takes at best, <= kMaxTileTokens
  size_t tile_digits;   // rows of digits that one int8 tile takes, even, <= kMaxTileDigits
  size_t tile_queries;  // query rows that one attention tile takes, <= kMaxQueries

  // sums[80 t + r] = sum over k of code[r][k] * x[t][k], for one block of 80 output rows and
  // `tokens` (1..tile_tokens) rows of x. Exact in int32 for K <= kMaxInputs.
  // x is padded with zeros to whole steps. Meanwhile `ahead` is fetched.
  void (*ternary_tile)(const uint8_t* codes, const int8_t* x, size_t x_stride, size_t steps,
                       size_t tokens, Ahead ahead, int32_t* sums);

  // y[r] (+)= (sums[r] - x_sum) * (x_scale * row_scales[r]) for `count` rows of a block.
  void (*scale_sums)(const int32_t* sums, int32_t x_sum, float x_scale, const float* row_scales,
                     size_t count, bool accumulate, float* y);

  // y[r] = relu(g)^2 * u, with g and u as y above: of a block of the gate and one of `up`.
  void (*gate_sums)(const int32_t* gate, const int32_t* up, int32_t x_sum, float x_scale,
                    const float* gate_scales, const float* up_scales, size_t count, float* y);

  // y = weight * (x / rms(x)); the mean of squares is summed in double.
  void (*rms_norm)(const float* x, const float* weight, float eps, size_t n, float* y);

  // The same, then rounded to int8 by the row's largest magnitude (absmax), half to even.
  void (*rms_norm_quantize)(const float* x, const float* weight, float eps, size_t n,
                            QuantizedRow out);

  // Rotates one head (half-rotation form) and multiplies by `scale`.
  void (*rotate)(const float* x, const float* cos, const float* sin, float scale, size_t half,
                 float* y);

  // n floats to float16, half to even; y advances by `stride` elements.
  void (*store_half)(const float* x, size_t n, uint16_t* y, size_t stride);

  // n floats to int8 by their largest magnitude, half to even: x ~ y * scale. After each `run`
  // elements (1 or 4) y advances by `stride`.
  void (*store_int8)(const float* x, size_t n, int8_t* y, size_t run, size_t stride, float* scale);

  // n floats to numbers of 15 bits by their largest magnitude, half to even; n <= kMaxInt8HeadSize.
  void (*split_row)(const float* x, size_t n, SplitRow out);

  // One function for each type that a cache can hold.
  // Tiles of several KV heads, alike in everything else, are read together.
  void (*attend_half)(const AttentionTile* tiles, size_t num_tiles);
  void (*attend_float)(const AttentionTile* tiles, size_t num_tiles);
  void (*attend_int8)(const AttentionTile* tiles, size_t num_tiles);

  // Merges the parts of a head's context in order into D outputs. A part is D sums of
  // weight * value, the largest score, and the sum of weights.
  void (*merge_attention)(const float* parts, size_t num_parts, size_t part_stride,
                          size_t head_size, float* out);

  // logits[s][v] = dot(weight row v, x[s]) for 1..kHeadTileRows rows and any number of x rows.
  void (*head_bfloat)(const uint16_t* weight, size_t rows, const float* x, size_t x_stride,
                      size_t num_x, size_t n, float* logits, size_t logits_stride);
  void (*head_float)(const float* weight, size_t rows, const float* x, size_t x_stride,
                     size_t num_x, size_t n, float* logits, size_t logits_stride);

  // sums[64 j + r] = sum over k of weight[r][k] * x[j][k], for one block of 64 rows of int8 weights
  // and `rows` (1..tile_digits) rows of unsigned digits. Exact in int32 for K <= kMaxInt8Inputs.
  void (*int8_tile)(const int8_t* weights, const uint8_t* x, size_t x_stride, size_t steps,
                    size_t rows, Ahead ahead, int32_t* sums);

  // The logits of the block's rows. Returns the largest lower bound among them.
  float (*int8_logits)(const Int8Block& block, float* logits);

  // x ~ (128 (high - 128) + (low - 128)) * scale, in n digits each; see Digits.
  void (*split_digits)(const float* x, size_t n, uint8_t* high, uint8_t* low, float* scale,
                       float* norm, float* error_norm);

  // The largest of n values (NaN if any is NaN), and sum of exp((x - shift) * factor) in double.
  float (*largest)(const float* x, size_t n);
  double (*sum_exp)(const float* x, size_t n, float shift, float factor);
  void (*exp_row)(const float* x, size_t n, float shift, float factor, float* y);

  // For benchmarks: the limits that the kernels above are held against.
  // Reads n bytes (a multiple of 64), with nothing done but what keeps the reads from being
  // dropped.
  uint64_t (*read_bytes)(const uint8_t* x, size_t n);
  // Runs the int8 multiply-add instructions of ternary_tile on registers alone.
  // Returns the multiply-adds done, about a hundred thousand times `rounds` at most.
  uint64_t (*multiply_add)(size_t rounds);
};
