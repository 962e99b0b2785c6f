// The ternary product in 256 bits: 8 rows x 4 inputs in a register. Included in an ISA file's
// namespace after what is its own:
//
//   kPanelSteps        steps that are multiplied before sums go to memory: what L1 and a sum hold
//   kEvenRows          how many of an even number of rows of x are multiplied while weights are
//                      unpacked: 2, or 0 where their sums would not fit the registers
//   take(rest, j)      the j-th of five vectors of unsigned bytes, out of packed weights
//   dot(sum, w, x)     sum += w . x
//   add_sums(sum, out) adds a register of sums to those of 8 rows
//   finish(sums)       turns a block's sums over what `take` gives into sums over codes
#pragma once

constexpr size_t kGroups = kBlockRows / 8;  // a group: 8 rows; 2j + h has rows 16j + 8h and on

// T rows of x times H halves of a block, rows 8h..8h+7 of each 16. What is unpacked meanwhile is
// kept where further rows of x follow: unpacked[steps][kGroups][32].
template <size_t T, size_t H, bool keep>
inline void packed_panel(const uint8_t* codes, const int8_t* x, size_t x_stride, size_t steps,
                         Ahead ahead, uint8_t* unpacked, int32_t* sums) {
  __m256i sum[T][H][kRowsPerByte];
#pragma GCC unroll 2
  for (size_t t = 0; t < T; ++t)
#pragma GCC unroll 2
    for (size_t h = 0; h < H; ++h)
#pragma GCC unroll 5
      for (size_t j = 0; j < kRowsPerByte; ++j) sum[t][h][j] = _mm256_setzero_si256();
  for (size_t s = 0; s < steps; ++s) {
    __m256i xs[T];
#pragma GCC unroll 2
    for (size_t t = 0; t < T; ++t) xs[t] = repeat_inputs(x + t * x_stride + s * kStepInputs);
    _mm_prefetch(ahead.start + s * ahead.stride, _MM_HINT_T0);
#pragma GCC unroll 2
    for (size_t h = 0; h < H; ++h) {
      __m256i rest = _mm256_loadu_si256((const __m256i*)(codes + s * kStepBytes + 32 * h));
#pragma GCC unroll 5
      for (size_t j = 0; j < kRowsPerByte; ++j) {
        const __m256i w = take(rest, j);
        if (keep) _mm256_store_si256((__m256i*)unpacked + s * kGroups + 2 * j + h, w);
#pragma GCC unroll 2
        for (size_t t = 0; t < T; ++t) dot(sum[t][h][j], w, xs[t]);
      }
    }
  }
#pragma GCC unroll 2
  for (size_t t = 0; t < T; ++t)
#pragma GCC unroll 2
    for (size_t h = 0; h < H; ++h)
#pragma GCC unroll 5
      for (size_t j = 0; j < kRowsPerByte; ++j)
        add_sums(sum[t][h][j], sums + t * kBlockRows + 16 * j + 8 * h);
}

// None, one or two rows of x.
template <bool keep>
inline void packed_rows(size_t rows, const uint8_t* codes, const int8_t* x, size_t x_stride,
                        size_t steps, Ahead ahead, uint8_t* unpacked, int32_t* sums) {
  if (rows == 0) return packed_panel<0, 2, keep>(codes, x, x_stride, steps, ahead, unpacked, sums);
  if (rows == 1) return packed_panel<1, 2, keep>(codes, x, x_stride, steps, ahead, unpacked, sums);
#pragma GCC unroll 1
  for (size_t h = 0; h < 2; ++h)
    packed_panel<2, 1, keep>(codes + 32 * h, x, x_stride, steps, ahead, unpacked + 32 * h,
                             sums + 8 * h);
}

// One step of T rows of x times G groups. Of the two, the fewer stay in registers.
template <size_t T, size_t G>
inline void panel_step(const __m256i* groups, const int8_t* x, size_t x_stride,
                       __m256i (&sum)[T][G]) {
  if constexpr (T < G) {
    __m256i xs[T];
#pragma GCC unroll 2
    for (size_t t = 0; t < T; ++t) xs[t] = repeat_inputs(x + t * x_stride);
#pragma GCC unroll 5
    for (size_t i = 0; i < G; ++i) {
      const __m256i w = _mm256_load_si256(groups + i);
#pragma GCC unroll 2
      for (size_t t = 0; t < T; ++t) dot(sum[t][i], w, xs[t]);
    }
  } else {
    __m256i w[G];
#pragma GCC unroll 2
    for (size_t i = 0; i < G; ++i) w[i] = _mm256_load_si256(groups + i);
#pragma GCC unroll 6
    for (size_t t = 0; t < T; ++t) {
      const __m256i xs = repeat_inputs(x + t * x_stride);
#pragma GCC unroll 2
      for (size_t i = 0; i < G; ++i) dot(sum[t][i], w[i], xs);
    }
  }
}

// T rows of x times unpacked weights, G groups at a time: ten sums or more, so that no product
// waits for the one before.
template <size_t T, size_t G>
inline void panel(const uint8_t* unpacked, const int8_t* x, size_t x_stride, size_t steps,
                  int32_t* sums) {
#pragma GCC unroll 1
  for (size_t g = 0; g < kGroups; g += G) {
    __m256i sum[T][G];
#pragma GCC unroll 6
    for (size_t t = 0; t < T; ++t)
#pragma GCC unroll 5
      for (size_t i = 0; i < G; ++i) sum[t][i] = _mm256_setzero_si256();
    for (size_t s = 0; s < steps; ++s)
      panel_step((const __m256i*)unpacked + s * kGroups + g, x + s * kStepInputs, x_stride, sum);
#pragma GCC unroll 6
    for (size_t t = 0; t < T; ++t)
#pragma GCC unroll 5
      for (size_t i = 0; i < G; ++i) add_sums(sum[t][i], sums + t * kBlockRows + 8 * (g + i));
  }
}

// Codes are unpacked once per panel into L1 (20 kB) and serve all tokens of the tile.
void ternary_tile(const uint8_t* codes, const int8_t* x, size_t x_stride, size_t steps,
                  size_t tokens, Ahead ahead, int32_t* sums) {
  for (size_t i = 0; i < tokens * kBlockRows; ++i) sums[i] = 0;
  alignas(32) uint8_t unpacked[kPanelSteps * kGroups * 32];
  for (size_t begin = 0; begin < steps; begin += kPanelSteps) {
    const size_t count = begin + kPanelSteps < steps ? kPanelSteps : steps - begin;
    const Ahead next = {ahead.start + begin * ahead.stride, ahead.stride};
    size_t t = tokens % 2 ? 1 : kEvenRows;
    const auto multiply_packed = t == tokens ? packed_rows<false> : packed_rows<true>;
    multiply_packed(t, codes, x, x_stride, count, next, unpacked, sums);
    for (; t + 6 <= tokens; t += 6)
      panel<6, 2>(unpacked, x + t * x_stride, x_stride, count, sums + t * kBlockRows);
    for (; t < tokens; t += 2)
      panel<2, 5>(unpacked, x + t * x_stride, x_stride, count, sums + t * kBlockRows);
    codes += count * kStepBytes;
    x += count * kStepInputs;
  }
  for (size_t t = 0; t < tokens; ++t) finish(sums + t * kBlockRows);
}

uint64_t multiply_add(size_t rounds) {
  constexpr size_t kSums = 12;  // as many as a panel of 6 rows has
  __m256i sums[kSums], w = _mm256_set1_epi8(1), x = _mm256_set1_epi8(3);
#pragma GCC unroll 12
  for (size_t j = 0; j < kSums; ++j) sums[j] = _mm256_setzero_si256();
  for (size_t i = 0; i < rounds; ++i)
#pragma GCC unroll 12
    for (size_t j = 0; j < kSums; ++j) dot(sums[j], w, x);
#pragma GCC unroll 12
  for (size_t j = 0; j < kSums; ++j) __asm__ volatile("" ::"x"(sums[j]));  // they are wanted
  return rounds * kSums * 32;
}
