// Vectors of 8 floats, for AVX2 with FMA and F16C. Included in an ISA file's namespace, see
// row-inl.h.
#pragma once

struct Lanes {
  using Float = __m256;
  static constexpr size_t num_registers = 16;
  static constexpr size_t width = 8;

  static Float load(const float* p) { return _mm256_loadu_ps(p); }
  static void store(float* p, Float v) { _mm256_storeu_ps(p, v); }
  static Float set(float v) { return _mm256_set1_ps(v); }
  static Float add(Float a, Float b) { return _mm256_add_ps(a, b); }
  static Float sub(Float a, Float b) { return _mm256_sub_ps(a, b); }
  static Float mul(Float a, Float b) { return _mm256_mul_ps(a, b); }
  static Float div(Float a, Float b) { return _mm256_div_ps(a, b); }
  static Float fma(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }
  static Float max(Float a, Float b) { return _mm256_max_ps(a, b); }
  static Float abs(Float v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }
  static Float round(Float v) {
    return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static Float scale_by_power_of_two(Float p, Float n) {
    const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_mul_ps(p, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)));
  }
  static float sum(Float v) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
  }
  static float largest(Float v) {
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
  }

  static void add_squares(const float* x, size_t n, double* lanes) {
    __m256d sum[8];
#pragma GCC unroll 8
    for (size_t j = 0; j < 8; ++j) sum[j] = _mm256_loadu_pd(lanes + 4 * j);
    for (size_t i = 0; i < n; i += 32)
#pragma GCC unroll 8
      for (size_t j = 0; j < 8; ++j) {
        const __m256d v = _mm256_cvtps_pd(_mm_loadu_ps(x + i + 4 * j));
        sum[j] = _mm256_fmadd_pd(v, v, sum[j]);  // the square is exact
      }
#pragma GCC unroll 8
    for (size_t j = 0; j < 8; ++j) _mm256_storeu_pd(lanes + 4 * j, sum[j]);
  }
  static void store_int8(int8_t* p, Float v) {
    const __m256i rounded = _mm256_cvtps_epi32(v);
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(rounded), _mm256_extracti128_si256(rounded, 1));
    _mm_storel_epi64((__m128i*)p, _mm_packs_epi16(words, words));
  }
  static int32_t sum_int8(const int8_t* p, size_t n) {
    __m256i sum = _mm256_setzero_si256();
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
      const __m256i bytes = _mm256_loadu_si256((const __m256i*)(p + i));
      const __m256i words = _mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes);
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(words, _mm256_set1_epi16(1)));
    }
    int32_t lanes[8], total = 0;
    _mm256_storeu_si256((__m256i*)lanes, sum);
    for (int32_t lane : lanes) total += lane;
    for (; i < n; ++i) total += p[i];
    return total;
  }
  static Float difference(const int32_t* a, int32_t b) {
    const __m256i sums = _mm256_loadu_si256((const __m256i*)a);
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(sums, _mm256_set1_epi32(b)));
  }
  static Float without_offset(const int32_t* a, const int32_t* b) {  // a - 128 b
    const __m256i offset = _mm256_slli_epi32(_mm256_loadu_si256((const __m256i*)b), 7);
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_loadu_si256((const __m256i*)a), offset));
  }
  static Float load_half(const uint16_t* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p));
  }
  static Float load_bfloat(const uint16_t* p) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
  }
  static float from_half(uint16_t h) { return _cvtsh_ss(h); }
  static void store_half(uint16_t* p, Float v) {
    _mm_storeu_si128((__m128i*)p, _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
  }
  static uint16_t half(float v) { return uint16_t(_cvtss_sh(v, _MM_FROUND_TO_NEAREST_INT)); }
};
