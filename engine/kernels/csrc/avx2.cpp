// Kernels for AVX2, FMA and F16C: vectors of 8 floats, vpmaddubsw for the ternary product.
#include <immintrin.h>

#include "kernel_table.h"
#include "weight_layout.h"

namespace {

#include "avx2_lanes.h"

// Steps whose products fit int16 sums: a product pair is at most 2 * 2 * 127 = 508 and at least
// -512, and 64 * 508 = 32,512 and -32,768 both fit.
constexpr size_t kPanelSteps = 64;
constexpr size_t kGroups = kBlockRows / 8;  // groups of 8 rows: a register of 8 rows x 4 inputs

inline __m256i repeat_inputs(const int8_t* x) {
  int32_t inputs;
  __builtin_memcpy(&inputs, x, sizeof inputs);
  return _mm256_set1_epi32(inputs);
}

inline void add_pairs(__m256i words, int32_t* sums) {
  const __m256i pairs = _mm256_madd_epi16(words, _mm256_set1_epi16(1));
  __m256i* out = (__m256i*)sums;
  _mm256_storeu_si256(out, _mm256_add_epi32(_mm256_loadu_si256(out), pairs));
}

// words += w (8 rows x 4 codes, in pairs) . x. Inline assembly, because GCC 12 otherwise computes
// all products first and spills the sums: half the speed.
inline __attribute__((always_inline)) void dot2(__m256i& words, __m256i w, __m256i x) {
  __m256i product;
  __asm__("vpmaddubsw %3, %2, %1\n\tvpaddw %1, %0, %0"
          : "+x"(words), "=&x"(product)
          : "x"(w), "x"(x));
}

// t mod power, for t below 3 * power: subtractions wrap below zero, and the least is the answer.
inline __m256i modulo(__m256i t, int power) {
  const __m256i once = _mm256_sub_epi8(t, _mm256_set1_epi8(char(power)));
  const __m256i twice = _mm256_sub_epi8(t, _mm256_set1_epi8(char(2 * power)));
  return _mm256_min_epu8(t, _mm256_min_epu8(once, twice));
}

// The five codes of 8 rows x 4 inputs. vpmaddubsw needs codes: remainders would overflow its sums.
inline void split(__m256i bytes, __m256i* codes) {
  const __m256i three = _mm256_set1_epi8(3);
  const __m256i by_27 = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0));  // 27 and 54, by 4 bits
  const __m256i div_3 =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0));
  const __m256i mod_3 =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0));
  const __m256i t1 = modulo(bytes, 81), t2 = modulo(t1, 27), t3 = modulo(t2, 9);
  codes[0] = _mm256_and_si256(_mm256_sub_epi8(bytes, t1), three);  // 0, 81, 162: the low two bits
  codes[1] = _mm256_shuffle_epi8(by_27, _mm256_sub_epi8(t1, t2));
  codes[2] = _mm256_and_si256(_mm256_sub_epi8(t2, t3), three);  // 0, 9, 18: likewise
  codes[3] = _mm256_shuffle_epi8(div_3, t3);
  codes[4] = _mm256_shuffle_epi8(mod_3, t3);
}

// Half a block at a time, rows 8h..8h+7 of each 16: five sums stay in registers.
inline void one_token(const uint8_t* codes, const int8_t* x, size_t steps, Ahead ahead,
                      int32_t* sums) {
  for (size_t begin = 0; begin < steps; begin += kPanelSteps)
#pragma GCC unroll 1
    for (size_t h = 0; h < 2; ++h) {
      const size_t end = begin + kPanelSteps < steps ? begin + kPanelSteps : steps;
      __m256i words[kRowsPerByte];
#pragma GCC unroll 5
      for (size_t j = 0; j < kRowsPerByte; ++j) words[j] = _mm256_setzero_si256();
      for (size_t s = begin; s < end; ++s) {
        const __m256i xs = repeat_inputs(x + s * kStepInputs);
        if (h == 0) _mm_prefetch(ahead.start + s * ahead.stride, _MM_HINT_T0);
        __m256i w[kRowsPerByte];
        split(_mm256_loadu_si256((const __m256i*)(codes + s * kStepBytes + 32 * h)), w);
#pragma GCC unroll 5
        for (size_t j = 0; j < kRowsPerByte; ++j) dot2(words[j], w[j], xs);
      }
#pragma GCC unroll 5
      for (size_t j = 0; j < kRowsPerByte; ++j) add_pairs(words[j], sums + 16 * j + 8 * h);
    }
}

// Two row groups times T tokens over one panel of unpacked codes [steps][kGroups][32].
template <size_t T>
inline void panel(const uint8_t* codes, const int8_t* x, size_t x_stride, size_t steps,
                  int32_t* sums) {
  __m256i words[T][2];
#pragma GCC unroll 6
  for (size_t t = 0; t < T; ++t) words[t][0] = words[t][1] = _mm256_setzero_si256();
  for (size_t s = 0; s < steps; ++s) {
    const __m256i* step = (const __m256i*)(codes + s * kGroups * 32);
    const __m256i w0 = _mm256_load_si256(step), w1 = _mm256_load_si256(step + 1);
#pragma GCC unroll 6
    for (size_t t = 0; t < T; ++t) {
      const __m256i xs = repeat_inputs(x + t * x_stride + s * kStepInputs);
      dot2(words[t][0], w0, xs);
      dot2(words[t][1], w1, xs);
    }
  }
#pragma GCC unroll 6
  for (size_t t = 0; t < T; ++t) {
    add_pairs(words[t][0], sums + t * kBlockRows);
    add_pairs(words[t][1], sums + t * kBlockRows + 8);
  }
}

inline void panel_tokens(const uint8_t* codes, const int8_t* x, size_t x_stride, size_t steps,
                         size_t tokens, int32_t* sums) {
  size_t t = 0;
  for (; t + 6 <= tokens; t += 6)
    panel<6>(codes, x + t * x_stride, x_stride, steps, sums + t * kBlockRows);
  for (; t + 4 <= tokens; t += 4)
    panel<4>(codes, x + t * x_stride, x_stride, steps, sums + t * kBlockRows);
  for (; t + 2 <= tokens; t += 2)
    panel<2>(codes, x + t * x_stride, x_stride, steps, sums + t * kBlockRows);
  if (t < tokens) panel<1>(codes, x + t * x_stride, x_stride, steps, sums + t * kBlockRows);
}

// Codes are unpacked once per panel into L1 (20 kB) and serve all tokens of the tile.
void ternary_tile(const uint8_t* codes, const int8_t* x, size_t x_stride, size_t steps,
                  size_t tokens, Ahead ahead, int32_t* sums) {
  for (size_t i = 0; i < tokens * kBlockRows; ++i) sums[i] = 0;
  if (tokens == 1) return one_token(codes, x, steps, ahead, sums);
  alignas(32) uint8_t unpacked[kPanelSteps * kGroups * 32];
  for (size_t begin = 0; begin < steps; begin += kPanelSteps) {
    const size_t count = begin + kPanelSteps < steps ? kPanelSteps : steps - begin;
    for (size_t s = 0; s < count; ++s) {
      const uint8_t* step = codes + (begin + s) * kStepBytes;
      _mm_prefetch(ahead.start + (begin + s) * ahead.stride, _MM_HINT_T0);
      for (size_t h = 0; h < 2; ++h) {
        __m256i w[kRowsPerByte];
        split(_mm256_loadu_si256((const __m256i*)(step + 32 * h)), w);
#pragma GCC unroll 5
        for (size_t j = 0; j < kRowsPerByte; ++j)
          _mm256_store_si256((__m256i*)(unpacked + (s * kGroups + 2 * j + h) * 32), w[j]);
      }
    }
    for (size_t g = 0; g < kGroups; g += 2)
      panel_tokens(unpacked + g * 32, x + begin * kStepInputs, x_stride, count, tokens,
                   sums + 8 * g);
  }
}

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

uint64_t read_bytes(const uint8_t* x, size_t n) {
  __m256i even = _mm256_setzero_si256(), odd = even;
  for (size_t i = 0; i < n; i += 64) {
    even = _mm256_xor_si256(even, _mm256_loadu_si256((const __m256i*)(x + i)));
    odd = _mm256_xor_si256(odd, _mm256_loadu_si256((const __m256i*)(x + i + 32)));
  }
  uint64_t words[4];
  _mm256_storeu_si256((__m256i*)words, _mm256_xor_si256(even, odd));
  return words[0] ^ words[1] ^ words[2] ^ words[3];
}

uint64_t multiply_add(size_t rounds) {
  constexpr size_t kSums = 12;  // as many as a tile of 6 tokens has
  __m256i sums[kSums], w = _mm256_set1_epi8(1), x = _mm256_set1_epi8(3);
#pragma GCC unroll 12
  for (size_t j = 0; j < kSums; ++j) sums[j] = _mm256_setzero_si256();
  for (size_t i = 0; i < rounds; ++i)
#pragma GCC unroll 12
    for (size_t j = 0; j < kSums; ++j) dot2(sums[j], w, x);
#pragma GCC unroll 12
  for (size_t j = 0; j < kSums; ++j) __asm__ volatile("" ::"x"(sums[j]));  // they are wanted
  return rounds * kSums * 32;
}

#include "make_table.h"

}  // namespace

const KernelTable avx2_kernels = make_table("avx2", 64, 6);
