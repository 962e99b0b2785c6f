// Kernels for AVX-512 with VNNI: vectors of 16 floats, vpdpbusd for the ternary product.
#include <immintrin.h>

#include "kernel_table.h"
#include "weight_layout.h"

namespace {

#include "avx512_lanes.h"

// sum += a (unsigned) . b (signed), 16 times 4 bytes: codes . inputs, or digits . weights. Inline
// assembly, because GCC 12 spills the sums with the intrinsic: 45 % of the peak instead of all of
// it.
inline __attribute__((always_inline)) void dot4(__m512i& sum, __m512i a, __m512i b) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
}

// One block of 64 rows times T rows of x over all of K; 6 rows fill 24 of 32 registers with sums.
// Codes are masked in place, not shifted down: the four sums come out scaled by 1, 4, 16 and 64
// and are shifted back at the end, which is exact.
template <size_t T>
void tile(const uint8_t* codes, const int8_t* x, size_t x_stride, size_t steps, Ahead ahead,
          int32_t* sums) {
  const __m512i mask0 = _mm512_set1_epi8(0x03), mask1 = _mm512_set1_epi8(0x0c),
                mask2 = _mm512_set1_epi8(0x30), mask3 = _mm512_set1_epi8(char(0xc0));
  __m512i sum[T][4];
#pragma GCC unroll 6
  for (size_t t = 0; t < T; ++t)
    sum[t][0] = sum[t][1] = sum[t][2] = sum[t][3] = _mm512_setzero_si512();
  for (size_t s = 0; s < steps; ++s) {
    const __m512i w = _mm512_loadu_si512(codes + s * kStepBytes);
    _mm_prefetch(ahead.start + s * ahead.stride, _MM_HINT_T1);
    const __m512i w0 = _mm512_and_si512(w, mask0), w1 = _mm512_and_si512(w, mask1),
                  w2 = _mm512_and_si512(w, mask2), w3 = _mm512_and_si512(w, mask3);
#pragma GCC unroll 6
    for (size_t t = 0; t < T; ++t) {
      int32_t inputs;
      __builtin_memcpy(&inputs, x + t * x_stride + s * kStepInputs, sizeof inputs);
      const __m512i xs = _mm512_set1_epi32(inputs);
      dot4(sum[t][0], w0, xs), dot4(sum[t][1], w1, xs);
      dot4(sum[t][2], w2, xs), dot4(sum[t][3], w3, xs);
    }
  }
#pragma GCC unroll 6
  for (size_t t = 0; t < T; ++t) {
    int32_t* out = sums + t * kBlockRows;
    _mm512_storeu_si512(out, sum[t][0]);
    _mm512_storeu_si512(out + 16, _mm512_srai_epi32(sum[t][1], 2));
    _mm512_storeu_si512(out + 32, _mm512_srai_epi32(sum[t][2], 4));
    _mm512_storeu_si512(out + 48, _mm512_srai_epi32(sum[t][3], 6));
  }
}

void ternary_tile(const uint8_t* codes, const int8_t* x, size_t x_stride, size_t steps,
                  size_t tokens, Ahead ahead, int32_t* sums) {
  switch (tokens) {
    case 1:
      return tile<1>(codes, x, x_stride, steps, ahead, sums);
    case 2:
      return tile<2>(codes, x, x_stride, steps, ahead, sums);
    case 3:
      return tile<3>(codes, x, x_stride, steps, ahead, sums);
    case 4:
      return tile<4>(codes, x, x_stride, steps, ahead, sums);
    case 5:
      return tile<5>(codes, x, x_stride, steps, ahead, sums);
    default:
      return tile<6>(codes, x, x_stride, steps, ahead, sums);
  }
}

// One block of 64 rows of int8 weights times R rows of digits.
template <size_t R>
void digit_tile(const int8_t* weights, const uint8_t* x, size_t x_stride, size_t steps, Ahead ahead,
                int32_t* sums) {
  __m512i sum[R][4];
#pragma GCC unroll 6
  for (size_t j = 0; j < R; ++j)
    sum[j][0] = sum[j][1] = sum[j][2] = sum[j][3] = _mm512_setzero_si512();
  for (size_t s = 0; s < steps; ++s) {
    const int8_t* step = weights + s * kInt8StepBytes;
    __m512i w[4];
#pragma GCC unroll 4
    for (size_t c = 0; c < 4; ++c) {
      w[c] = _mm512_loadu_si512(step + 64 * c);
      _mm_prefetch(ahead.start + (4 * s + c) * ahead.stride, _MM_HINT_T1);
    }
#pragma GCC unroll 6
    for (size_t j = 0; j < R; ++j) {
      int32_t digits;
      __builtin_memcpy(&digits, x + j * x_stride + s * kStepInputs, sizeof digits);
      const __m512i xs = _mm512_set1_epi32(digits);
      dot4(sum[j][0], xs, w[0]), dot4(sum[j][1], xs, w[1]);
      dot4(sum[j][2], xs, w[2]), dot4(sum[j][3], xs, w[3]);
    }
  }
#pragma GCC unroll 6
  for (size_t j = 0; j < R; ++j)
#pragma GCC unroll 4
    for (size_t c = 0; c < 4; ++c) _mm512_storeu_si512(sums + j * kBlockRows + 16 * c, sum[j][c]);
}

void int8_tile(const int8_t* weights, const uint8_t* x, size_t x_stride, size_t steps, size_t rows,
               Ahead ahead, int32_t* sums) {
  switch (rows) {
    case 2:
      return digit_tile<2>(weights, x, x_stride, steps, ahead, sums);
    case 4:
      return digit_tile<4>(weights, x, x_stride, steps, ahead, sums);
    default:
      return digit_tile<6>(weights, x, x_stride, steps, ahead, sums);
  }
}

uint64_t read_bytes(const uint8_t* x, size_t n) {
  __m512i even = _mm512_setzero_si512(), odd = even;
  size_t i = 0;
  for (; i + 128 <= n; i += 128) {
    even = _mm512_xor_si512(even, _mm512_loadu_si512(x + i));
    odd = _mm512_xor_si512(odd, _mm512_loadu_si512(x + i + 64));
  }
  if (i < n) even = _mm512_xor_si512(even, _mm512_loadu_si512(x + i));
  return uint64_t(_mm512_reduce_add_epi64(_mm512_xor_si512(even, odd)));
}

uint64_t multiply_add(size_t rounds) {
  constexpr size_t kSums = 24;  // as many as a tile of 6 tokens has
  __m512i sums[kSums], w = _mm512_set1_epi8(1), x = _mm512_set1_epi8(3);
#pragma GCC unroll 24
  for (size_t j = 0; j < kSums; ++j) sums[j] = _mm512_setzero_si512();
  for (size_t i = 0; i < rounds; ++i)
#pragma GCC unroll 24
    for (size_t j = 0; j < kSums; ++j)
      __asm__ volatile("vpdpbusd %2, %1, %0" : "+v"(sums[j]) : "v"(w), "v"(x));
  return rounds * kSums * 64;
}

#include "make_table.h"

}  // namespace

const KernelTable avx512vnni_kernels = make_table("avx512vnni", 6, 6);
