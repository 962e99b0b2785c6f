// Paged attention for one tile of query rows, with the running softmax of FlashAttention
// (arXiv 2205.14135). Included like row_kernels.h.
//
// Keys are stored [D, 16] in a block and values [16, D]: scores of 16 tokens are vertical sums
// over D, and outputs vertical sums over tokens, so nothing is summed across lanes but the
// softmax. Each query row walks the blocks from 0 in order, whatever its tile holds: its
// sums do not depend on chunking or batch. Blocks and tokens past a row's position add exact zeros.
#pragma once
#include "exp_kernels.h"
#include "row_kernels.h"

constexpr size_t kBlockVectors = kCacheTokens / Lanes::width;

// What a cache holds, and how it becomes floats. Scales of int8 are left to the scores and weights.
struct HalfCache {
  using Element = uint16_t;
  static constexpr bool scaled = false;
  static Lanes::Float load(const Element* p) { return Lanes::load_half(p); }
  static float one(Element e) { return Lanes::from_half(e); }
};

struct FloatCache {
  using Element = float;
  static constexpr bool scaled = false;
  static Lanes::Float load(const Element* p) { return Lanes::load(p); }
  static float one(Element e) { return e; }
};

struct Int8Cache {
  using Element = int8_t;
  static constexpr bool scaled = true;
  static Lanes::Float load(const Element* p) { return Lanes::load_int8(p); }
  static float one(Element e) { return float(e); }
};

struct SoftmaxState {
  float largest;
  float total;
};

// scores[q][t] = queries[q] . key[t], even and odd dimensions summed apart to hide the latency.
template <size_t Q, class Cache>
inline void block_scores(const AttentionTile& tile, const typename Cache::Element* keys,
                         float scores[][kCacheTokens]) {
  for (size_t part = 0; part < kBlockVectors; ++part) {
    Lanes::Float even[Q], odd[Q];
    for (size_t q = 0; q < Q; ++q) even[q] = odd[q] = Lanes::set(0.0f);
    const typename Cache::Element* column = keys + part * Lanes::width;
    for (size_t d = 0; d < tile.head_size; d += 2) {
      const Lanes::Float k0 = Cache::load(column + d * kCacheTokens);
      const Lanes::Float k1 = Cache::load(column + (d + 1) * kCacheTokens);
#pragma GCC unroll 8
      for (size_t q = 0; q < Q; ++q) {
        even[q] = Lanes::fma(Lanes::set(tile.queries[q][d]), k0, even[q]);
        odd[q] = Lanes::fma(Lanes::set(tile.queries[q][d + 1]), k1, odd[q]);
      }
    }
    for (size_t q = 0; q < Q; ++q)
      Lanes::store(scores[q] + part * Lanes::width, Lanes::add(even[q], odd[q]));
  }
}

// Turns scores into weights exp(score - largest), 0 past `visible`; returns the factor by which
// what was summed so far shrinks.
inline float update_softmax(float* scores, size_t visible, SoftmaxState& state) {
  float largest = state.largest;
  for (size_t t = 0; t < visible; ++t) largest = scores[t] > largest ? scores[t] : largest;
  for (size_t t = visible; t < kCacheTokens; ++t) scores[t] = largest;
  exp_row(scores, kCacheTokens, largest, 1.0f, scores);
  for (size_t t = visible; t < kCacheTokens; ++t) scores[t] = 0.0f;
  const float shrink = visible ? exp_one(state.largest - largest) : 1.0f;
  float lanes[kCacheTokens];
  for (size_t t = 0; t < kCacheTokens; ++t) lanes[t] = scores[t];
  state.largest = largest;
  state.total = state.total * shrink + fold(lanes, kCacheTokens);
  return shrink;
}

// outputs[q] = outputs[q] * shrink[q] + sum over t of weights[q][t] * value[t].
template <size_t Q, class Cache>
inline void add_values(const AttentionTile& tile, const typename Cache::Element* values,
                       size_t tokens, const float* shrink, const float weights[][kCacheTokens]) {
  size_t d = 0;
  for (; d + Lanes::width <= tile.head_size; d += Lanes::width) {
    Lanes::Float sum[Q];
#pragma GCC unroll 8
    for (size_t q = 0; q < Q; ++q)
      sum[q] = Lanes::mul(Lanes::load(tile.outputs[q] + d), Lanes::set(shrink[q]));
    for (size_t t = 0; t < tokens; ++t) {
      const Lanes::Float v = Cache::load(values + t * tile.head_size + d);
#pragma GCC unroll 8
      for (size_t q = 0; q < Q; ++q) sum[q] = Lanes::fma(Lanes::set(weights[q][t]), v, sum[q]);
    }
#pragma GCC unroll 8
    for (size_t q = 0; q < Q; ++q) Lanes::store(tile.outputs[q] + d, sum[q]);
  }
  for (; d < tile.head_size; ++d)
    for (size_t q = 0; q < Q; ++q) {
      float sum = tile.outputs[q][d] * shrink[q];
      for (size_t t = 0; t < tokens; ++t)
        sum += weights[q][t] * Cache::one(values[t * tile.head_size + d]);
      tile.outputs[q][d] = sum;
    }
}

// Multiplies each row by the scales of its visible tokens.
inline void scale_tokens(float* row, const float* scales, size_t visible) {
  for (size_t t = 0; t < visible; ++t) row[t] *= scales[t];
}

template <size_t Q, class Cache>
void attend_rows(const AttentionTile& tile) {
  const auto* keys = static_cast<const typename Cache::Element*>(tile.keys);
  const auto* values = static_cast<const typename Cache::Element*>(tile.values);
  SoftmaxState states[Q];
  int32_t last = 0;
  for (size_t q = 0; q < Q; ++q) {
    states[q] = {-__builtin_inff(), 0.0f};
    last = tile.positions[q] > last ? tile.positions[q] : last;
    for (size_t d = 0; d < tile.head_size; ++d) tile.outputs[q][d] = 0.0f;
  }
  for (size_t start = 0; start <= size_t(last); start += kCacheTokens) {
    const size_t block = size_t(tile.block_table[start / kCacheTokens]);
    float scores[Q][kCacheTokens], shrink[Q];
    block_scores<Q, Cache>(tile, keys + block * tile.block_stride, scores);
    for (size_t q = 0; q < Q; ++q) {
      const int64_t ahead = int64_t(tile.positions[q]) - int64_t(start) + 1;
      const size_t visible =
          ahead < 0 ? 0 : (ahead < int64_t(kCacheTokens) ? size_t(ahead) : kCacheTokens);
      if (Cache::scaled)
        scale_tokens(scores[q], tile.key_scales + block * tile.scale_stride, visible);
      shrink[q] = update_softmax(scores[q], visible, states[q]);
      if (Cache::scaled)
        scale_tokens(scores[q], tile.value_scales + block * tile.scale_stride, visible);
    }
    const size_t left = size_t(last) + 1 - start;
    add_values<Q, Cache>(tile, values + block * tile.block_stride,
                         left < kCacheTokens ? left : kCacheTokens, shrink, scores);
  }
  for (size_t q = 0; q < Q; ++q)
    for (size_t d = 0; d < tile.head_size; ++d) tile.outputs[q][d] /= states[q].total;
}

template <class Cache>
void attend(const AttentionTile& tile) {
  static_assert(kMaxQueries == 8, "one case for each number of queries");
  switch (tile.num_queries) {
    case 1:
      return attend_rows<1, Cache>(tile);
    case 2:
      return attend_rows<2, Cache>(tile);
    case 3:
      return attend_rows<3, Cache>(tile);
    case 4:
      return attend_rows<4, Cache>(tile);
    case 5:
      return attend_rows<5, Cache>(tile);
    case 6:
      return attend_rows<6, Cache>(tile);
    case 7:
      return attend_rows<7, Cache>(tile);
    default:
      return attend_rows<8, Cache>(tile);
  }
}
