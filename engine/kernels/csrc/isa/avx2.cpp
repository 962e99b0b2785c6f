// Kernels for AVX2, FMA and F16C: vectors of 8 floats, vpmaddubsw for the ternary product.
#include <immintrin.h>

#include "kernel_table.h"
#include "weight_layout.h"

namespace {

#include "isa/avx2_lanes.h"
#include "isa/avx2_bytes.h"

// Steps whose products fit int16 sums: a product pair is at most 2 * 2 * 127 = 508 and at least
// -512, and 64 * 508 = 32,512 and -32,768 both fit.
constexpr size_t kPanelSteps = 64;
constexpr size_t kEvenRows = 0;  // with the products, ten sums of two rows would not fit

// words += w (8 rows x 4 codes, in pairs) . x. Inline assembly, because GCC 12 otherwise computes
// all products first and spills the sums: half the speed.
inline __attribute__((always_inline)) void dot(__m256i& words, __m256i w, __m256i x) {
  __m256i product;
  __asm__("vpmaddubsw %3, %2, %1\n\tvpaddw %1, %0, %0"
          : "+x"(words), "=&x"(product)
          : "x"(w), "x"(x));
}

// The j-th code. vpmaddubsw needs codes: remainders would overflow its sums.
inline __m256i take(__m256i& rest, size_t j) {
  constexpr int kPowers[] = {81, 27, 9};
  const __m256i by_27 = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0));  // 27 and 54, by 4 bits
  const __m256i div_3 =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0));
  const __m256i mod_3 =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0));
  if (j == 3) return _mm256_shuffle_epi8(div_3, rest);
  if (j == 4) return _mm256_shuffle_epi8(mod_3, rest);
  const __m256i t = rest;
  rest = modulo(t, kPowers[j]);
  const __m256i multiple = _mm256_sub_epi8(t, rest);
  if (j == 1) return _mm256_shuffle_epi8(by_27, multiple);
  return _mm256_and_si256(multiple, _mm256_set1_epi8(3));  // of 81, or 9: the low two bits
}

inline void add_sums(__m256i words, int32_t* sums) {
  const __m256i pairs = _mm256_madd_epi16(words, _mm256_set1_epi16(1));
  __m256i* out = (__m256i*)sums;
  _mm256_storeu_si256(out, _mm256_add_epi32(_mm256_loadu_si256(out), pairs));
}

inline void finish(int32_t*) {}  // they are sums over codes

#include "isa/avx2_products.h"

// Sixteen rows of int8 weights times R rows of digits, widened to 16 bits: maddubs would saturate.
template <size_t R>
inline void digit_rows(const int8_t* weights, const uint8_t* x, size_t x_stride, size_t steps,
                       Ahead ahead, int32_t* sums) {
  __m256i sum[R][4];
#pragma GCC unroll 2
  for (size_t j = 0; j < R; ++j)
    sum[j][0] = sum[j][1] = sum[j][2] = sum[j][3] = _mm256_setzero_si256();
  for (size_t s = 0; s < steps; ++s) {
    const int8_t* step = weights + s * kInt8StepBytes;
    _mm_prefetch(ahead.start + 4 * s * ahead.stride, _MM_HINT_T0);
    __m256i xs[R];
#pragma GCC unroll 2
    for (size_t j = 0; j < R; ++j) {
      int32_t digits;
      __builtin_memcpy(&digits, x + j * x_stride + s * kStepInputs, sizeof digits);
      xs[j] = _mm256_cvtepu8_epi16(_mm_set1_epi32(digits));
    }
#pragma GCC unroll 4
    for (size_t q = 0; q < 4; ++q) {  // four rows of four weights
      const __m256i w = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i*)(step + 16 * q)));
#pragma GCC unroll 2
      for (size_t j = 0; j < R; ++j)
        sum[j][q] = _mm256_add_epi32(sum[j][q], _mm256_madd_epi16(w, xs[j]));
    }
  }
#pragma GCC unroll 2
  for (size_t j = 0; j < R; ++j)
#pragma GCC unroll 4
    for (size_t q = 0; q < 4; ++q) {
      int32_t halves[8];  // two for each row
      _mm256_storeu_si256((__m256i*)halves, sum[j][q]);
      for (size_t r = 0; r < 4; ++r)
        sums[j * kInt8BlockRows + 4 * q + r] = halves[2 * r] + halves[2 * r + 1];
    }
}

void int8_tile(const int8_t* weights, const uint8_t* x, size_t x_stride, size_t steps, size_t rows,
               Ahead ahead, int32_t* sums) {
  for (size_t j = 0; j < rows; j += 2)
    for (size_t c = 0; c < 4; ++c)
      digit_rows<2>(weights + 64 * c, x + j * x_stride, x_stride, steps,
                    {ahead.start + c * ahead.stride, ahead.stride},
                    sums + j * kInt8BlockRows + 16 * c);
}

// Sums of cached elements times numbers, for 8 columns of four, all widened to 16 bits; see
// int8_attention-inl.h.
struct Dots {
  struct Cached {
    __m256i first, second;  // four columns each
  };
  using Numbers = __m256i;
  static constexpr uint32_t key_offset = 0;
  static Cached load_values(const int8_t* p) {
    return {_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i*)p)),
            _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i*)(p + 16)))};
  }
  static Cached load_keys(const int8_t* p) { return load_values(p); }
  static Numbers numbers(const int8_t* p) {
    int64_t four;
    __builtin_memcpy(&four, p, sizeof four);
    return _mm256_set1_epi64x(four);
  }
  void add_keys(Cached keys, Numbers n) { add_values(keys, n); }
  void add_values(Cached cached, Numbers n) {
    first = _mm256_add_epi32(first, _mm256_madd_epi16(cached.first, n));
    second = _mm256_add_epi32(second, _mm256_madd_epi16(cached.second, n));
  }
  Lanes::Float total(int32_t offset) const {
    // Of each half of a vector, two columns: 0 1 4 5 2 3 6 7.
    const __m256i pairs = _mm256_hadd_epi32(first, second);
    const __m256i sum = _mm256_permute4x64_epi64(pairs, _MM_SHUFFLE(3, 1, 2, 0));
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(sum, _mm256_set1_epi32(offset)));
  }
  static void store(int8_t* numbers, size_t i, Lanes::Float v) {
    const __m256i whole = _mm256_cvtps_epi32(v);
    _mm_storeu_si128(
        (__m128i*)(numbers + 2 * i),
        _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1)));
  }
  __m256i first = _mm256_setzero_si256(), second = first;
};

#include "isa/make_table.h"

}  // namespace

extern const KernelTable avx2_kernels = make_table("avx2", kAvx2Set, 64, 6);
