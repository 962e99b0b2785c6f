// Portable kernels: plain C++, built and tested everywhere. Vectors are one float wide.
#include "kernel_table.h"
#include "weight_layout.h"

namespace {

#include "isa/scalar_lanes.h"

void ternary_tile(const uint8_t* codes, const int8_t* x, size_t x_stride, size_t steps,
                  size_t tokens, Ahead, int32_t* sums) {
  for (size_t i = 0; i < tokens * kBlockRows; ++i) sums[i] = 0;
  for (size_t s = 0; s < steps; ++s)
    for (size_t t = 0; t < tokens; ++t)
      for (size_t r = 0; r < 16; ++r)
        for (size_t i = 0; i < kStepInputs; ++i) {
          uint32_t trits = codes[s * kStepBytes + r * kStepInputs + i];
          const int32_t input = x[t * x_stride + s * kStepInputs + i];
          for (size_t j = kRowsPerByte; j-- > 0; trits /= 3)
            sums[t * kBlockRows + 16 * j + r] += int32_t(trits % 3) * input;
        }
}

void int8_tile(const int8_t* weights, const uint8_t* x, size_t x_stride, size_t steps, size_t rows,
               Ahead, int32_t* sums) {
  for (size_t i = 0; i < rows * kInt8BlockRows; ++i) sums[i] = 0;
  for (size_t s = 0; s < steps; ++s)
    for (size_t j = 0; j < rows; ++j)
      for (size_t r = 0; r < kInt8BlockRows; ++r)
        for (size_t i = 0; i < kStepInputs; ++i)
          sums[j * kInt8BlockRows + r] +=
              int32_t(weights[s * kInt8StepBytes + r * kStepInputs + i]) *
              int32_t(x[j * x_stride + s * kStepInputs + i]);
}

// Sums of cached elements times numbers, for one column of four; see int8_attention-inl.h.
struct Dots {
  using Cached = const int8_t*;
  using Numbers = const int8_t*;
  static constexpr uint32_t key_offset = 0;
  static Cached load_values(const int8_t* p) { return p; }
  static Cached load_keys(const int8_t* p) { return p; }
  static Numbers numbers(const int8_t* p) { return p; }
  void add_keys(Cached keys, Numbers n) { add_values(keys, n); }
  void add_values(Cached cached, Numbers n) {
    int16_t four[4];
    __builtin_memcpy(four, n, sizeof four);
    for (size_t i = 0; i < 4; ++i) sum += int32_t(cached[i]) * int32_t(four[i]);
  }
  Lanes::Float total(int32_t) const { return float(sum); }
  static void store(int8_t* numbers, size_t i, Lanes::Float v) {
    const int16_t number = v == v ? int16_t(__builtin_lrintf(v)) : int16_t(0);
    __builtin_memcpy(numbers + 2 * i, &number, sizeof number);
  }
  int32_t sum = 0;
};

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

#include "isa/make_table.h"

}  // namespace

extern const KernelTable scalar_kernels = make_table("scalar", 0, 4, 2);
