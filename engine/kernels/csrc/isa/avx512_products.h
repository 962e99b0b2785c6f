// The products of AVX-512 with VNNI: vpdpbusd on 16 rows x 4 inputs. Included in an ISA file's
// namespace after its `Remainders`, the way in which it takes five codes out of a byte.
#pragma once

// sum += a (unsigned) . b (signed), 16 times 4 bytes: codes . inputs, or digits . weights. Inline
// assembly, because GCC 12 spills the sums with the intrinsic: 45 % of the peak instead of all of
// it.
inline __attribute__((always_inline)) void dot4(__m512i& sum, __m512i a, __m512i b) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
}

// The division is exact, so it is a product with the inverse of 3^(4-j) modulo 2^32. The sums over
// remainders may themselves wrap.
inline void store_sums(const __m512i* sum, int32_t* out) {
  constexpr uint32_t kThird = 0xaaaaaaab;
  uint32_t inverse = kThird * kThird * kThird * kThird;
#pragma GCC unroll 4
  for (size_t j = 0; j + 1 < kRowsPerByte; ++j, inverse *= 3) {
    const __m512i difference = _mm512_sub_epi32(sum[j], sum[j + 1]);
    _mm512_storeu_si512(out + 16 * j,
                        _mm512_mullo_epi32(difference, _mm512_set1_epi32(int32_t(inverse))));
  }
  _mm512_storeu_si512(out + 64, sum[4]);
}

// One block of 80 rows times T rows of x over all of K; 5 rows fill 25 of 32 registers with sums.
// Codes are not extracted: a product is linear, so the sums over the remainders t0 = byte,
// t1 = byte mod 81, ... t4 = byte mod 3 give those over the codes, (sum of tj - sum of tj+1) /
// 3^(4-j).
template <size_t T>
void tile(const uint8_t* codes, const int8_t* x, size_t x_stride, size_t steps, Ahead ahead,
          int32_t* sums) {
  const Remainders remainders;
  __m512i sum[T][kRowsPerByte];
#pragma GCC unroll 5
  for (size_t t = 0; t < T; ++t)
#pragma GCC unroll 5
    for (size_t j = 0; j < kRowsPerByte; ++j) sum[t][j] = _mm512_setzero_si512();
  for (size_t s = 0; s < steps; ++s) {
    __m512i w[kRowsPerByte];
    remainders.of(_mm512_loadu_si512(codes + s * kStepBytes), w);
    _mm_prefetch(ahead.start + s * ahead.stride, _MM_HINT_T1);
#pragma GCC unroll 5
    for (size_t t = 0; t < T; ++t) {
      int32_t inputs;
      __builtin_memcpy(&inputs, x + t * x_stride + s * kStepInputs, sizeof inputs);
      const __m512i xs = _mm512_set1_epi32(inputs);
#pragma GCC unroll 5
      for (size_t j = 0; j < kRowsPerByte; ++j) dot4(sum[t][j], w[j], xs);
    }
  }
#pragma GCC unroll 5
  for (size_t t = 0; t < T; ++t) store_sums(sum[t], sums + t * kBlockRows);
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
    default:
      return tile<5>(codes, x, x_stride, steps, ahead, sums);
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
    for (size_t c = 0; c < 4; ++c)
      _mm512_storeu_si512(sums + j * kInt8BlockRows + 16 * c, sum[j][c]);
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

// Sums of cached elements times numbers, for 16 columns of four; see int8_attention-inl.h. A number
// is 128 high + low, with low in 0..127: of four, first the high digits.
struct Dots {
  using Cached = __m512i;
  struct Numbers {
    __m512i high, low;
  };
  static constexpr uint32_t key_offset = 128;
  static Cached load_values(const int8_t* p) { return _mm512_loadu_si512(p); }
  static Cached load_keys(const int8_t* p) {
    return _mm512_xor_si512(load_values(p), _mm512_set1_epi8(-128));
  }
  static __m512i repeat(const int8_t* p) {
    int32_t digits;
    __builtin_memcpy(&digits, p, sizeof digits);
    return _mm512_set1_epi32(digits);
  }
  static Numbers numbers(const int8_t* p) { return {repeat(p), repeat(p + 4)}; }
  void add_keys(Cached keys, Numbers n) {
    dot4(high, keys, n.high);
    dot4(low, keys, n.low);
  }
  void add_values(Cached values, Numbers n) {
    dot4(high, n.high, values);
    dot4(low, n.low, values);
  }
  Lanes::Float total(int32_t offset) const {
    const __m512i sum = _mm512_add_epi32(_mm512_slli_epi32(high, 7), low);
    return _mm512_cvtepi32_ps(_mm512_sub_epi32(sum, _mm512_set1_epi32(offset)));
  }
  // Sixteen numbers, from the i-th.
  static void store(int8_t* numbers, size_t i, Lanes::Float v) {
    const __m512i whole = _mm512_cvtps_epi32(v);
    const __m128i high = _mm512_cvtepi32_epi8(_mm512_srai_epi32(whole, 7));
    const __m128i low = _mm_and_si128(_mm512_cvtepi32_epi8(whole), _mm_set1_epi8(127));
    _mm_storeu_si128((__m128i*)(numbers + 2 * i), _mm_unpacklo_epi32(high, low));
    _mm_storeu_si128((__m128i*)(numbers + 2 * i + 16), _mm_unpackhi_epi32(high, low));
  }
  __m512i high = _mm512_setzero_si512(), low = high;
};

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
