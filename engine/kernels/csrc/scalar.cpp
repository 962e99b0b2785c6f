// Portable kernels: plain C++, built and tested everywhere. Vectors are one float wide.
#include "kernel_table.h"
#include "weight_layout.h"

namespace {

#include "half.h"

struct Lanes {
  using Float = float;
  static constexpr size_t num_registers = 16;
  static constexpr size_t width = 1;

  static Float load(const float* p) { return *p; }
  static void store(float* p, Float v) { *p = v; }
  static Float set(float v) { return v; }
  static Float add(Float a, Float b) { return a + b; }
  static Float sub(Float a, Float b) { return a - b; }
  static Float mul(Float a, Float b) { return a * b; }
  static Float fma(Float a, Float b, Float c) { return a * b + c; }
  static Float max(Float a, Float b) { return a > b ? a : b; }
  static Float abs(Float v) { return __builtin_fabsf(v); }
  static Float round(Float v) { return __builtin_rintf(v); }
  static Float scale_by_power_of_two(Float p, Float n) {
    return p * bits_to_float(uint32_t(int32_t(n) + 127) << 23);
  }
  static float sum(Float v) { return v; }
  static float largest(Float v) { return v; }

  static void add_squares(const float* x, size_t n, double* lanes) {
    for (size_t i = 0; i < n; i += 32)
      for (size_t j = 0; j < 32; ++j) lanes[j] += double(x[i + j]) * double(x[i + j]);
  }
  static void store_int8(int8_t* p, Float v) {
    *p = v == v ? int8_t(__builtin_lrintf(v)) : int8_t(0);
  }
  static int32_t sum_int8(const int8_t* p, size_t n) {
    int32_t sum = 0;
    for (size_t i = 0; i < n; ++i) sum += p[i];
    return sum;
  }
  static Float difference(const int32_t* a, int32_t b) { return float(*a - b); }
  static Float without_offset(const int32_t* a, const int32_t* b) { return float(*a - 128 * *b); }
  static Float load_half(const uint16_t* p) { return portable_from_half(*p); }
  static Float load_int8(const int8_t* p) { return float(*p); }
  static Float load_bfloat(const uint16_t* p) { return bits_to_float(uint32_t(*p) << 16); }
  static float from_half(uint16_t h) { return portable_from_half(h); }
  static void store_half(uint16_t* p, Float v) { *p = portable_half(v); }
  static uint16_t half(float v) { return portable_half(v); }
};

#include "row_kernels.h"
#include "exp_kernels.h"
#include "attention_kernels.h"
#include "head_kernels.h"

void ternary_tile(const uint8_t* codes, const int8_t* x, size_t x_stride, size_t steps,
                  size_t tokens, Ahead, int32_t* sums) {
  for (size_t i = 0; i < tokens * kBlockRows; ++i) sums[i] = 0;
  for (size_t s = 0; s < steps; ++s)
    for (size_t t = 0; t < tokens; ++t)
      for (size_t r = 0; r < 16; ++r)
        for (size_t i = 0; i < kStepInputs; ++i) {
          const uint32_t byte = codes[s * kStepBytes + r * kStepInputs + i];
          const int32_t input = x[t * x_stride + s * kStepInputs + i];
          for (size_t c = 0; c < 4; ++c)
            sums[t * kBlockRows + 16 * c + r] += int32_t(byte >> 2 * c & 3) * input;
        }
}

void int8_tile(const int8_t* weights, const uint8_t* x, size_t x_stride, size_t steps, size_t rows,
               Ahead, int32_t* sums) {
  for (size_t i = 0; i < rows * kBlockRows; ++i) sums[i] = 0;
  for (size_t s = 0; s < steps; ++s)
    for (size_t j = 0; j < rows; ++j)
      for (size_t r = 0; r < kBlockRows; ++r)
        for (size_t i = 0; i < kStepInputs; ++i)
          sums[j * kBlockRows + r] += int32_t(weights[s * kInt8StepBytes + r * kStepInputs + i]) *
                                      int32_t(x[j * x_stride + s * kStepInputs + i]);
}

uint64_t read_bytes(const uint8_t* x, size_t n) {
  uint64_t sum = 0, word;
  for (size_t i = 0; i < n; i += sizeof word) {
    __builtin_memcpy(&word, x + i, sizeof word);
    sum ^= word;
  }
  return sum;
}

uint64_t multiply_add(size_t rounds) {
  constexpr size_t kSums = 16;
  int32_t sums[kSums] = {};
  for (size_t i = 0; i < rounds; ++i)
    for (size_t j = 0; j < kSums; ++j) {
      sums[j] += int32_t(i & 3) * int32_t(j);
      __asm__ volatile("" : "+r"(sums[j]));
    }
  return rounds * kSums;
}

}  // namespace

const KernelTable scalar_kernels = {
    "scalar",
    4,
    2,
    kTileQueries,
    ternary_tile,
    scale_sums,
    rms_norm,
    rms_norm_quantize,
    gated_norm_quantize,
    rotate,
    store_half,
    store_int8,
    attend<HalfCache>,
    attend<FloatCache>,
    attend<Int8Cache>,
    merge_attention,
    head_bfloat,
    head_float,
    int8_tile,
    int8_logits,
    split_digits,
    largest,
    sum_exp,
    exp_row,
    read_bytes,
    multiply_add,
};
