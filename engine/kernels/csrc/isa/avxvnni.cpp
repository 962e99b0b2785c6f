// Kernels for AVX2 with AVX-VNNI: vectors of 8 floats, vpdpbusd for the products.
#include <immintrin.h>

#include "kernel_table.h"
#include "weight_layout.h"

namespace {

#include "isa/avx2_lanes.h"
#include "isa/avx2_bytes.h"

constexpr size_t kPanelSteps = 64;  // unpacked, 20 kB of the L1 cache
constexpr size_t kEvenRows = 2;     // ten sums, of 16 registers

// sum += a (unsigned) . b (signed), 8 times 4 bytes: codes . inputs, or digits . weights. Inline
// assembly, because GCC 12 spills sums with the intrinsic. Without {vex} it would be AVX-512's
// form.
inline __attribute__((always_inline)) void dot(__m256i& sum, __m256i a, __m256i b) {
  __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
}

// Remainders instead of codes, as in avx512_products.h.
inline __m256i take(__m256i& rest, size_t j) {
  constexpr int kPowers[] = {81, 27, 9};
  const __m256i modulo_3 =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0));
  const __m256i t = rest;
  if (j < 3) rest = modulo(t, kPowers[j]);
  if (j == 3) rest = _mm256_shuffle_epi8(modulo_3, t);
  return t;
}

inline void add_sums(__m256i sum, int32_t* sums) {
  __m256i* out = (__m256i*)sums;
  _mm256_storeu_si256(out, _mm256_add_epi32(_mm256_loadu_si256(out), sum));
}

// (sum of tj - sum of tj+1) / 3^(4-j). The division is exact, so it is a product with the inverse
// modulo 2^32; the sums over remainders may themselves wrap.
inline void finish(int32_t* sums) {
  constexpr uint32_t kThird = 0xaaaaaaab;
  uint32_t inverse = kThird * kThird * kThird * kThird;
  for (size_t j = 0; j + 1 < kRowsPerByte; ++j, inverse *= 3)
    for (size_t h = 0; h < 2; ++h) {
      __m256i* out = (__m256i*)(sums + 16 * j + 8 * h);
      const __m256i difference =
          _mm256_sub_epi32(_mm256_loadu_si256(out), _mm256_loadu_si256(out + 2));
      _mm256_storeu_si256(out, _mm256_mullo_epi32(difference, _mm256_set1_epi32(int32_t(inverse))));
    }
}

#include "isa/avx2_products.h"

// R rows of digits times 8 G rows of int8 weights.
template <size_t R, size_t G>
inline void digit_rows(const int8_t* weights, const uint8_t* x, size_t x_stride, size_t steps,
                       Ahead ahead, int32_t* sums) {
  __m256i sum[R][G];
#pragma GCC unroll 6
  for (size_t j = 0; j < R; ++j)
#pragma GCC unroll 4
    for (size_t g = 0; g < G; ++g)
      sum[j][g] = _mm256_loadu_si256((const __m256i*)(sums + j * kInt8BlockRows + 8 * g));
  for (size_t s = 0; s < steps; ++s) {
    __m256i w[G];
#pragma GCC unroll 4
    for (size_t g = 0; g < G; ++g) {
      w[g] = _mm256_loadu_si256((const __m256i*)(weights + s * kInt8StepBytes + 32 * g));
      if (g % 2 == 0) _mm_prefetch(ahead.start + (4 * s + g / 2) * ahead.stride, _MM_HINT_T0);
    }
#pragma GCC unroll 6
    for (size_t j = 0; j < R; ++j) {
      const __m256i xs = repeat_inputs(x + j * x_stride + s * kStepInputs);
#pragma GCC unroll 4
      for (size_t g = 0; g < G; ++g) dot(sum[j][g], xs, w[g]);
    }
  }
#pragma GCC unroll 6
  for (size_t j = 0; j < R; ++j)
#pragma GCC unroll 4
    for (size_t g = 0; g < G; ++g)
      _mm256_storeu_si256((__m256i*)(sums + j * kInt8BlockRows + 8 * g), sum[j][g]);
}

// A few steps (2 kB) at a time, so that the block is read nearly from end to end.
constexpr size_t kDigitSteps = 8;

template <size_t R, size_t G>
inline void digit_tile(const int8_t* weights, const uint8_t* x, size_t x_stride, size_t steps,
                       Ahead ahead, int32_t* sums) {
  for (size_t i = 0; i < R * kInt8BlockRows; ++i) sums[i] = 0;
  for (size_t begin = 0; begin < steps; begin += kDigitSteps) {
    const size_t count = begin + kDigitSteps < steps ? kDigitSteps : steps - begin;
#pragma GCC unroll 1
    for (size_t g = 0; g < kInt8BlockRows / 8; g += G)
      digit_rows<R, G>(weights + begin * kInt8StepBytes + 32 * g, x + begin * kStepInputs, x_stride,
                       count, {ahead.start + (4 * begin + g / 2) * ahead.stride, ahead.stride},
                       sums + 8 * g);
  }
}

void int8_tile(const int8_t* weights, const uint8_t* x, size_t x_stride, size_t steps, size_t rows,
               Ahead ahead, int32_t* sums) {
  switch (rows) {
    case 2:
      return digit_tile<2, 4>(weights, x, x_stride, steps, ahead, sums);
    case 4:
      return digit_tile<4, 2>(weights, x, x_stride, steps, ahead, sums);
    default:
      return digit_tile<6, 2>(weights, x, x_stride, steps, ahead, sums);
  }
}

// As in avx512_products.h, for 8 columns.
struct Dots {
  using Cached = __m256i;
  struct Numbers {
    __m256i high, low;
  };
  static constexpr uint32_t key_offset = 128;
  static Cached load_values(const int8_t* p) { return _mm256_loadu_si256((const __m256i*)p); }
  static Cached load_keys(const int8_t* p) {
    return _mm256_xor_si256(load_values(p), _mm256_set1_epi8(-128));
  }
  static Numbers numbers(const int8_t* p) { return {repeat_inputs(p), repeat_inputs(p + 4)}; }
  void add_keys(Cached keys, Numbers n) {
    dot(high, keys, n.high);
    dot(low, keys, n.low);
  }
  void add_values(Cached values, Numbers n) {
    dot(high, n.high, values);
    dot(low, n.low, values);
  }
  Lanes::Float total(int32_t offset) const {
    const __m256i sum = _mm256_add_epi32(_mm256_slli_epi32(high, 7), low);
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(sum, _mm256_set1_epi32(offset)));
  }
  static void store(int8_t* numbers, size_t i, Lanes::Float v) {
    const __m256i first = _mm256_set1_epi32(12 << 24 | 8 << 16 | 4 << 8);  // bytes of four
    const __m256i whole = _mm256_cvtps_epi32(v);  // in each half of a vector four of them
    const __m256i high = _mm256_shuffle_epi8(_mm256_srai_epi32(whole, 7), first);
    const __m256i low = _mm256_shuffle_epi8(_mm256_and_si256(whole, _mm256_set1_epi32(127)), first);
    const __m256i both = _mm256_unpacklo_epi32(high, low);
    _mm_storel_epi64((__m128i*)(numbers + 2 * i), _mm256_castsi256_si128(both));
    _mm_storel_epi64((__m128i*)(numbers + 2 * i + 8), _mm256_extracti128_si256(both, 1));
  }
  __m256i high = _mm256_setzero_si256(), low = high;
};

#include "isa/make_table.h"

}  // namespace

extern const KernelTable avxvnni_kernels = make_table("avxvnni", kAvx2Set | kAvxVnni, 64, 6);
