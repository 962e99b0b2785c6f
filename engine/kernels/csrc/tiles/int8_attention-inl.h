// Attention to an int8 cache: sums of products of integers, exact in int32. Included by
// attention-inl.h, after the ISA's `Dots`.
//
// What multiplies the cache are numbers of 15 bits, x ~ number * scale: queries, in
// -16,383..16,383, and then the weights of the softmax times the scales of their values, in
// 0..32,767. Their steps are over 100 times finer than the cache's. Four elements of the cache that
// are summed lie side by side, as byte products want them. Those also want one factor without a
// sign: weights have none, and to keys some instruction sets add 128, which `offset` takes off
// again.
#pragma once

struct Int8Cache {
  using Element = int8_t;
};

constexpr size_t kDotBytes = 4 * Lanes::width;  // of the cache, for one vector of sums
constexpr size_t kGroupNumbers = 8;             // bytes of the four numbers that multiply them

// Vectors of sums of a tile: two for each number and query, and room.
constexpr size_t dot_vectors(size_t num_queries) {
  return 4 * num_queries * 2 <= Lanes::num_registers ? 2 : 1;
}

inline void store_up_to(float* x, size_t count, Lanes::Float v) {
  if (count >= Lanes::width) return Lanes::store(x, v);
  float lanes[Lanes::width];
  Lanes::store(lanes, v);
  for (size_t i = 0; i < count; ++i) x[i] = lanes[i];
}

// See KernelTable. The sum of the numbers is exact in float: at most 1,024 * 16,383 < 2^24.
void split_row(const float* x, size_t n, SplitRow out) {
  constexpr float kLargest = 16383;
  Lanes::Float best = Lanes::set(1e-30f), sum = Lanes::set(0.0f);
  for (size_t i = 0; i < n; i += Lanes::width)
    best = Lanes::max(Lanes::abs(load_up_to(x + i, n - i)), best);
  const float absmax = Lanes::largest(best), factor = kLargest / absmax;
  for (size_t i = 0; i < n; i += Lanes::width) {
    const Lanes::Float number =
        Lanes::round(Lanes::mul(load_up_to(x + i, n - i), Lanes::set(factor)));
    Dots::store(out.numbers, i, number);
    sum = Lanes::add(sum, number);
  }
  const float total = Lanes::sum(sum);
  *out.scale = absmax / kLargest + total * 0.0f;  // NaN must not become a finite number
  *out.offset = total == total ? int32_t(uint32_t(int32_t(total)) * Dots::key_offset) : 0;
}

// One vector of keys, their scales, and what to fetch meanwhile.
struct Int8Keys {
  const int8_t* keys;
  const float* scales;
  const int8_t* later;
};

// scores[q][t] = queries[q] . key[t] for N vectors of keys.
template <size_t N, size_t Q>
inline void dot_keys(const AttentionTile& tile, const Int8Keys* columns, size_t t,
                     float scores[][kSpanTokens]) {
  Dots sums[Q][N];
  const size_t groups = (tile.head_size + 3) / 4;
  for (size_t g = 0; g < groups; ++g) {
    Dots::Cached keys[N];
#pragma GCC unroll 2
    for (size_t n = 0; n < N; ++n) {
      keys[n] = Dots::load_keys(columns[n].keys + g * 4 * kCacheTokens);
      if (fetches(Q)) __builtin_prefetch(columns[n].later + g * 4 * kCacheTokens);
    }
#pragma GCC unroll 8
    for (size_t q = 0; q < Q; ++q) {
      const Dots::Numbers numbers =
          Dots::numbers(tile.split_queries[q].numbers + g * kGroupNumbers);
#pragma GCC unroll 2
      for (size_t n = 0; n < N; ++n) sums[q][n].add_keys(keys[n], numbers);
    }
  }
#pragma GCC unroll 8
  for (size_t q = 0; q < Q; ++q)
#pragma GCC unroll 2
    for (size_t n = 0; n < N; ++n)
      Lanes::store(scores[q] + t + n * Lanes::width,
                   Lanes::mul(sums[q][n].total(*tile.split_queries[q].offset),
                              Lanes::mul(Lanes::load(columns[n].scales),
                                         Lanes::set(*tile.split_queries[q].scale))));
}

// The scores of whole blocks of keys; with an odd number of vectors, what follows is overwritten.
template <size_t Q>
inline void int8_scores(const AttentionTile& tile, Span<int8_t> span, size_t tokens,
                        float scores[][kSpanTokens]) {
  constexpr size_t N = dot_vectors(Q);
  const auto* keys = static_cast<const int8_t*>(tile.keys);
  for (size_t t = 0; t < tokens; t += N * Lanes::width) {
    Int8Keys columns[N];
    for (size_t n = 0; n < N; ++n) {
      const size_t token = t + n * Lanes::width < tokens ? t + n * Lanes::width : t;
      const size_t index = token / kCacheTokens;
      const size_t block = size_t(span.blocks[index]), within = token % kCacheTokens;
      columns[n] = {keys + block * tile.block_stride + within * 4,
                    tile.key_scales + block * tile.scale_stride + within,
                    span.during_scores.block(index, tile.block_stride)};
    }
    dot_keys<N, Q>(tile, columns, t, scores);
  }
}

// Scores become weights times the scales of their values, as numbers, 0 past `visible`; the total
// of the weights is renewed. A scale that is not finite makes it NaN.
inline void int8_weights(const AttentionTile& tile, const int32_t* blocks, const float* scores,
                         size_t held, size_t visible, float largest, float shrink, float& total,
                         SplitRow out) {
  constexpr float kLargest = 32767;
  float weights[kSpanTokens], scaled[kSpanTokens];
  const Lanes::Float shift = Lanes::set(largest);
  for (size_t t = 0; t < held; t += Lanes::width) {
    const float* scales =
        tile.value_scales + size_t(blocks[t / kCacheTokens]) * tile.scale_stride + t % kCacheTokens;
    const Lanes::Float weight = exp_lanes(Lanes::sub(Lanes::load(scores + t), shift));
    Lanes::store(weights + t, weight);
    Lanes::store(scaled + t, Lanes::mul(weight, Lanes::load(scales)));
  }
  clear(weights, visible, held);
  clear(scaled, visible, held);
  Lanes::Float sum = Lanes::set(0.0f), best = Lanes::set(1e-30f);
  for (size_t t = 0; t < held; t += Lanes::width) {
    const Lanes::Float x = Lanes::load(scaled + t);
    sum = Lanes::add(sum, Lanes::fma(x, Lanes::set(0.0f), Lanes::load(weights + t)));
    best = Lanes::max(x, best);
  }
  total = total * shrink + Lanes::sum(sum);
  const float most = Lanes::largest(best);
  const Lanes::Float factor = Lanes::set(kLargest / most);
  for (size_t t = 0; t < held; t += Lanes::width)
    Dots::store(out.numbers, t, Lanes::mul(Lanes::load(scaled + t), factor));
  *out.scale = most / kLargest;
}

// outputs[q][d] = outputs[q][d] * shrink[q] + sum over t of weights[q][t] * value[t][d], for N
// vectors of dimensions.
template <size_t N, size_t Q>
inline void dot_values(const AttentionTile& tile, Span<int8_t> span, size_t blocks, size_t d,
                       const float* shrink, const SplitRow* weights) {
  constexpr size_t kLaterLines = N * Lanes::width * kCacheTokens / 64;
  constexpr size_t kGroups = kCacheTokens / 4;
  const auto* values = static_cast<const int8_t*>(tile.values);
  Dots sums[Q][N];
  for (size_t index = 0; index < blocks; ++index) {
    const int8_t* block = values + size_t(span.blocks[index]) * tile.block_stride + 4 * d;
    const int8_t* later =
        span.during_outputs.block(index, tile.block_stride) + d * kCacheTokens;  // N vectors of it
    for (size_t g = 0; g < kGroups; ++g) {
      if (fetches(Q))
        for (size_t line = g; line < kLaterLines; line += kGroups)
          __builtin_prefetch(later + 64 * line);
      Dots::Cached v[N];
#pragma GCC unroll 2
      for (size_t n = 0; n < N; ++n)
        v[n] = Dots::load_values(block + g * 4 * tile.head_size + n * kDotBytes);
#pragma GCC unroll 8
      for (size_t q = 0; q < Q; ++q) {
        const Dots::Numbers numbers =
            Dots::numbers(weights[q].numbers + (index * kGroups + g) * kGroupNumbers);
#pragma GCC unroll 2
        for (size_t n = 0; n < N; ++n) sums[q][n].add_values(v[n], numbers);
      }
    }
  }
#pragma GCC unroll 8
  for (size_t q = 0; q < Q; ++q)
#pragma GCC unroll 2
    for (size_t n = 0; n < N; ++n) {
      const size_t first = d + n * Lanes::width;
      float* out = tile.outputs[q] + first;
      const Lanes::Float sum =
          Lanes::fma(load_up_to(out, tile.head_size - first), Lanes::set(shrink[q]),
                     Lanes::mul(sums[q][n].total(0), Lanes::set(*weights[q].scale)));
      store_up_to(out, tile.head_size - first, sum);
    }
}

template <size_t Q>
inline void int8_outputs(const AttentionTile& tile, Span<int8_t> span, size_t blocks,
                         const float* shrink, const SplitRow* weights) {
  constexpr size_t N = dot_vectors(Q);
  size_t d = 0;
  for (; d + N * Lanes::width <= tile.head_size; d += N * Lanes::width)
    dot_values<N, Q>(tile, span, blocks, d, shrink, weights);
  for (; d < tile.head_size; d += Lanes::width)
    dot_values<1, Q>(tile, span, blocks, d, shrink, weights);
}

template <size_t Q>
void attend_span(Int8Cache, const AttentionTile& tile, size_t start, size_t tokens,
                 Span<int8_t> span) {
  float scores[Q][kSpanTokens], shrink[kMaxQueries], scales[Q];
  int8_t numbers[Q][2 * kSpanTokens];
  size_t visible[Q];
  SplitRow weights[Q];
  const size_t blocks = (tokens + kCacheTokens - 1) / kCacheTokens, held = blocks * kCacheTokens;
  int8_scores<Q>(tile, span, held, scores);
  begin_softmax<Q>(tile, start, tokens, held, scores, visible, shrink);
  for (size_t q = 0; q < Q; ++q) {
    weights[q] = {numbers[q], &scales[q], nullptr};
    int8_weights(tile, span.blocks, scores[q], held, visible[q], *tile.largest[q], shrink[q],
                 *tile.totals[q], weights[q]);
  }
  int8_outputs<Q>(tile, span, blocks, shrink, weights);
}
