// Vectors of 16 floats, for AVX-512. Included in an ISA file's namespace, see row-inl.h.
#pragma once

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
  static Float div(Float a, Float b) { return _mm512_div_ps(a, b); }
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
