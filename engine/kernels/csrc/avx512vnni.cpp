// Kernels for AVX-512 with VNNI: vectors of 16 floats, vpdpbusd for the ternary product.
#include <immintrin.h>

#include "kernel_table.h"
#include "weight_layout.h"

namespace {

struct Lanes {
  using Float = __m512;
  static constexpr size_t num_registers = 32;
  static constexpr size_t width = 16;

  static Float load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, Float v) { _mm512_storeu_ps(p, v); }
  static Float set(float v) { return _mm512_set1_ps(v); }
  static Float add(Float a, Float b) { return _mm512_add_ps(a, b); }
  static Float sub(Float a, Float b) { return _mm512_sub_ps(a, b); }
  static Float mul(Float a, Float b) { return _mm512_mul_ps(a, b); }
  static Float fma(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
  static Float max(Float a, Float b) { return _mm512_max_ps(a, b); }
  static Float abs(Float v) { return _mm512_abs_ps(v); }
  static Float round(Float v) { return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT); }
  static Float scale_by_power_of_two(Float p, Float n) { return _mm512_scalef_ps(p, n); }
  static float sum(Float v) { return _mm512_reduce_add_ps(v); }
  static float largest(Float v) { return _mm512_reduce_max_ps(v); }

  static void add_squares(const float* x, size_t n, double* lanes) {
    __m512d sum[4];
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; ++j) sum[j] = _mm512_loadu_pd(lanes + 8 * j);
    for (size_t i = 0; i < n; i += 32)
#pragma GCC unroll 4
      for (size_t j = 0; j < 4; ++j) {
        const __m512d v = _mm512_cvtps_pd(_mm256_loadu_ps(x + i + 8 * j));
        sum[j] = _mm512_fmadd_pd(v, v, sum[j]);  // the square is exact: same as multiply, then add
      }
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; ++j) _mm512_storeu_pd(lanes + 8 * j, sum[j]);
  }
  static void store_int8(int8_t* p, Float v) {
    const __m512i rounded = _mm512_cvtps_epi32(v);
    _mm_storeu_si128((__m128i*)p, _mm512_cvtsepi32_epi8(rounded));
  }
  static int32_t sum_int8(const int8_t* p, size_t n) {
    __m512i sum = _mm512_setzero_si512();
    size_t i = 0;
    for (; i + 64 <= n; i += 64)
      sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(1), _mm512_loadu_si512(p + i));
    int32_t total = _mm512_reduce_add_epi32(sum);
    for (; i < n; ++i) total += p[i];
    return total;
  }
  static Float difference(const int32_t* a, int32_t b) {
    return _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_loadu_si512(a), _mm512_set1_epi32(b)));
  }
  static Float without_offset(const int32_t* a, const int32_t* b) {  // a - 128 b
    const __m512i offset = _mm512_slli_epi32(_mm512_loadu_si512(b), 7);
    return _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_loadu_si512(a), offset));
  }
  static Float load_half(const uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)p));
  }
  static Float load_int8(const int8_t* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i*)p)));
  }
  static Float load_bfloat(const uint16_t* p) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
  }
  static float from_half(uint16_t h) { return _cvtsh_ss(h); }
  static void store_half(uint16_t* p, Float v) {
    _mm256_storeu_si256((__m256i*)p, _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
  }
  static uint16_t half(float v) { return uint16_t(_cvtss_sh(v, _MM_FROUND_TO_NEAREST_INT)); }
};

#include "row_kernels.h"
#include "exp_kernels.h"
#include "attention_kernels.h"
#include "head_kernels.h"

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

}  // namespace

const KernelTable avx512vnni_kernels = {
    "avx512vnni",
    6,
    6,
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
