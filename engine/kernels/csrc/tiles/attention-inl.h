// Paged attention for one tile of query rows, with the running softmax of FlashAttention
// (arXiv 2205.14135). Included like row-inl.h.
//
// Keys are stored [D, 16] in a block and values [16, D]: scores of 16 tokens are vertical sums
// over D, and outputs vertical sums over tokens, so nothing is summed across lanes but the
// softmax, once in a span of blocks. A context is cut into parts at fixed positions, so that
// threads can share a long one, and the parts are merged in order (as in "Flash-Decoding"). So a
// row's sums depend neither on chunking nor on the batch; tokens past its position add exact zeros.
#pragma once
#include "tiles/attention_fetch-inl.h"
#include "tiles/attention_softmax-inl.h"
#include "tiles/exp-inl.h"
#include "tiles/row-inl.h"

// Two vectors of sums for each query, and room. More than 8 were not faster.
constexpr size_t kTileQueries = Lanes::num_registers / 4;

// What a cache holds, and how it becomes floats; int8_attention-inl.h has the one of integers.
struct HalfCache {
  using Element = uint16_t;
  static Lanes::Float load(const Element* p) { return Lanes::load_half(p); }
  static float one(Element e) { return Lanes::from_half(e); }
};

struct FloatCache {
  using Element = float;
  static Lanes::Float load(const Element* p) { return Lanes::load(p); }
  static float one(Element e) { return e; }
};

// One vector of keys: `width` tokens of a block, and a block to fetch meanwhile.
template <class Element>
struct KeyColumn {
  const Element* keys;
  const Element* later;
};

// scores[q][t] = queries[q] . key[t] for the tokens of two vectors of keys: a query's element, once
// fetched, serves both.
template <size_t Q, class Cache, class Column = KeyColumn<typename Cache::Element>>
inline void two_vectors(const AttentionTile& tile, Column left, Column right, size_t t,
                        float scores[][kSpanTokens]) {
  Lanes::Float a[Q], b[Q];
#pragma GCC unroll 8
  for (size_t q = 0; q < Q; ++q) a[q] = b[q] = Lanes::set(0.0f);
  constexpr size_t kLineRows = 64 / (kCacheTokens * sizeof(typename Cache::Element));
  for (size_t d = 0; d < tile.head_size; ++d) {
    const Lanes::Float ka = Cache::load(left.keys + d * kCacheTokens);
    const Lanes::Float kb = Cache::load(right.keys + d * kCacheTokens);
    if (fetches(Q) && d % kLineRows == 0) {
      __builtin_prefetch(left.later + d * kCacheTokens);
      __builtin_prefetch(right.later + d * kCacheTokens);
    }
#pragma GCC unroll 8
    for (size_t q = 0; q < Q; ++q) {
      const Lanes::Float x = Lanes::set(tile.queries[q][d]);
      a[q] = Lanes::fma(x, ka, a[q]);
      b[q] = Lanes::fma(x, kb, b[q]);
    }
  }
#pragma GCC unroll 8
  for (size_t q = 0; q < Q; ++q) {
    Lanes::store(scores[q] + t, a[q]);
    Lanes::store(scores[q] + t + Lanes::width, b[q]);
  }
}

// The scores of whole blocks of keys; with an odd number of vectors, what follows is overwritten.
template <size_t Q, class Cache>
inline void span_scores(const AttentionTile& tile, Span<typename Cache::Element> span,
                        size_t tokens, float scores[][kSpanTokens]) {
  using Element = typename Cache::Element;
  const auto* keys = static_cast<const Element*>(tile.keys);
  const auto column = [&](size_t t) {
    const size_t index = t / kCacheTokens, block = size_t(span.blocks[index]) * tile.block_stride;
    return KeyColumn<Element>{keys + block + t % kCacheTokens,
                              span.during_scores.block(index, tile.block_stride)};
  };
  for (size_t t = 0; t < tokens; t += 2 * Lanes::width) {
    const size_t next = t + Lanes::width < tokens ? t + Lanes::width : t;
    two_vectors<Q, Cache>(tile, column(t), column(next), t, scores);
  }
}

// outputs[q][d] = outputs[q][d] * shrink[q] + sum over t of weights[q][t] * value[t][d], for N
// vectors of dimensions: a weight, once fetched, serves them all.
template <size_t N, size_t Q, class Cache>
inline void add_dimensions(const AttentionTile& tile, Span<typename Cache::Element> span,
                           size_t tokens, size_t d, const float* shrink,
                           const float weights[][kSpanTokens]) {
  using Element = typename Cache::Element;
  const auto* values = static_cast<const Element*>(tile.values);
  constexpr size_t kLineElements = 64 / sizeof(Element);
  constexpr size_t kLaterLines = N * Lanes::width * kCacheTokens / kLineElements;
  Lanes::Float sum[Q][N];
#pragma GCC unroll 8
  for (size_t q = 0; q < Q; ++q)
#pragma GCC unroll 2
    for (size_t n = 0; n < N; ++n)
      sum[q][n] =
          Lanes::mul(Lanes::load(tile.outputs[q] + d + n * Lanes::width), Lanes::set(shrink[q]));
  for (size_t first = 0; first < tokens; first += kCacheTokens) {
    const size_t index = first / kCacheTokens;
    const Element* block = values + size_t(span.blocks[index]) * tile.block_stride + d;
    const Element* later =
        span.during_outputs.block(index, tile.block_stride) + d * kCacheTokens;  // N vectors of it
    const size_t count = tokens - first < kCacheTokens ? tokens - first : kCacheTokens;
    for (size_t t = 0; t < count; ++t) {
      if (fetches(Q) && t < kLaterLines) __builtin_prefetch(later + t * kLineElements);
      Lanes::Float v[N];
#pragma GCC unroll 2
      for (size_t n = 0; n < N; ++n)
        v[n] = Cache::load(block + t * tile.head_size + n * Lanes::width);
#pragma GCC unroll 8
      for (size_t q = 0; q < Q; ++q) {
        const Lanes::Float weight = Lanes::set(weights[q][first + t]);
#pragma GCC unroll 2
        for (size_t n = 0; n < N; ++n) sum[q][n] = Lanes::fma(weight, v[n], sum[q][n]);
      }
    }
  }
#pragma GCC unroll 8
  for (size_t q = 0; q < Q; ++q)
#pragma GCC unroll 2
    for (size_t n = 0; n < N; ++n) Lanes::store(tile.outputs[q] + d + n * Lanes::width, sum[q][n]);
}

template <size_t Q, class Cache>
inline void add_values(const AttentionTile& tile, Span<typename Cache::Element> span, size_t tokens,
                       const float* shrink, const float weights[][kSpanTokens]) {
  size_t d = 0;
  for (; d + 2 * Lanes::width <= tile.head_size; d += 2 * Lanes::width)
    add_dimensions<2, Q, Cache>(tile, span, tokens, d, shrink, weights);
  for (; d + Lanes::width <= tile.head_size; d += Lanes::width)
    add_dimensions<1, Q, Cache>(tile, span, tokens, d, shrink, weights);
  for (; d < tile.head_size; ++d)
    for (size_t q = 0; q < Q; ++q) {
      float sum = tile.outputs[q][d] * shrink[q];
      for (size_t t = 0; t < tokens; ++t) {
        const auto* block = static_cast<const typename Cache::Element*>(tile.values) +
                            size_t(span.blocks[t / kCacheTokens]) * tile.block_stride;
        sum += weights[q][t] * Cache::one(block[t % kCacheTokens * tile.head_size + d]);
      }
      tile.outputs[q][d] = sum;
    }
}

template <size_t Q, class Cache>
void attend_span(Cache, const AttentionTile& tile, size_t start, size_t tokens,
                 Span<typename Cache::Element> span) {
  float scores[Q][kSpanTokens], shrink[kMaxQueries];
  size_t visible[Q];
  const size_t whole_blocks = (tokens + kCacheTokens - 1) / kCacheTokens * kCacheTokens;
  span_scores<Q, Cache>(tile, span, whole_blocks, scores);
  begin_softmax<Q>(tile, start, tokens, whole_blocks, scores, visible, shrink);
  for (size_t q = 0; q < Q; ++q)
    softmax_weights(scores[q], whole_blocks, visible[q], *tile.largest[q], shrink[q],
                    *tile.totals[q]);
  add_values<Q, Cache>(tile, span, tokens, shrink, scores);
}

#include "tiles/int8_attention-inl.h"

template <size_t Q>
inline void begin_rows(const AttentionTile& tile) {
  for (size_t q = 0; q < Q; ++q) {
    *tile.largest[q] = -__builtin_inff();
    *tile.totals[q] = 0.0f;
    for (size_t d = 0; d < tile.head_size; ++d) tile.outputs[q][d] = 0.0f;
  }
}

template <size_t Q>
inline void end_rows(const AttentionTile& tile) {
  for (size_t q = 0; q < Q; ++q)
    if (tile.whole[q])
      for (size_t d = 0; d < tile.head_size; ++d) tile.outputs[q][d] /= *tile.totals[q];
}

// Span by span, and of each all heads, as they lie in memory.
template <size_t Q, class Cache>
void attend_heads(const AttentionTile* tiles, size_t num_tiles) {
  using Element = typename Cache::Element;
  const size_t begin = tiles[0].begin, end = tiles[0].end;
  if (fetches(Q) && num_tiles > 1) fetch_first_values<Element>(tiles[0]);
  for (size_t i = 0; i < num_tiles; ++i) begin_rows<Q>(tiles[i]);
  constexpr size_t kTokens = span_tokens<Element>;
  for (size_t start = begin; start < end; start += kTokens)
    for (size_t i = 0; i < num_tiles; ++i)
      attend_span<Q>(Cache(), tiles[i], start, end - start < kTokens ? end - start : kTokens,
                     plan_span<Element>(tiles, num_tiles, i, start));
  for (size_t i = 0; i < num_tiles; ++i) end_rows<Q>(tiles[i]);
}

template <size_t Q, class Cache>
inline void attend_up_to(const AttentionTile* tiles, size_t num_tiles) {
  if (tiles[0].num_queries == Q) return attend_heads<Q, Cache>(tiles, num_tiles);
  if constexpr (Q > 1) attend_up_to<Q - 1, Cache>(tiles, num_tiles);
}

template <class Cache>
void attend(const AttentionTile* tiles, size_t num_tiles) {
  attend_up_to<kTileQueries, Cache>(tiles, num_tiles);
}

// Merges the parts of one head in order, see PartialAttention, and divides by the total weight.
void merge_attention(const float* parts, size_t num_parts, size_t part_stride, size_t head_size,
                     float* out) {
  float largest = parts[head_size], total = parts[head_size + 1];
  for (size_t d = 0; d < head_size; ++d) out[d] = parts[d];
  for (size_t i = 1; i < num_parts; ++i) {
    const float* part = parts + i * part_stride;
    const float before = largest;
    largest = part[head_size] > before ? part[head_size] : before;
    const float shrink_old = exp_one(before - largest);
    const float shrink_new = exp_one(part[head_size] - largest);
    total = total * shrink_old + part[head_size + 1] * shrink_new;
    for (size_t d = 0; d < head_size; ++d) out[d] = out[d] * shrink_old + part[d] * shrink_new;
  }
  for (size_t d = 0; d < head_size; ++d) out[d] /= total;
}
