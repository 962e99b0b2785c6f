// Portable kernels: plain C++, built and tested everywhere. Vectors are one float wide.
#include "kernel_table.h"
#include "weight_layout.h"

namespace {

#include "scalar_lanes.h"

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

#include "make_table.h"

}  // namespace

const KernelTable scalar_kernels = make_table("scalar", 4, 2);
