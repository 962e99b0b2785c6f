// What attention fetches from the cache while it computes something else. Included like
// row-inl.h; computes nothing.
#pragma once

constexpr size_t kSpanTokens = 8 * kCacheTokens;  // scores kept at a time, at most

// So many that keys and values of a head, and the next ones, stay in the L1 cache.
template <class Element>
constexpr size_t span_tokens = sizeof(Element) == 1 ? kSpanTokens : kSpanTokens / 2;

// A few queries wait for memory rather than compute: scores and outputs fetch what comes next.
constexpr bool fetches(size_t num_queries) { return num_queries <= 4; }

// Keys or values to fetch, as many blocks as a span has.
template <class Element>
struct Upcoming {
  const Element* elements;
  const int32_t* blocks;
  size_t num_blocks;
  const Element* block(size_t index, size_t block_stride) const {
    return elements + size_t(blocks[index < num_blocks ? index : 0]) * block_stride;
  }
};

// The blocks of a span, and what to fetch while they are used.
template <class Element>
struct Span {
  const int32_t* blocks;
  Upcoming<Element> during_scores, during_outputs;
};

// The values of a part's first tokens, which nothing before has fetched.
template <class Element>
inline void fetch_first_values(const AttentionTile& tile) {
  const size_t first = tile.begin / kCacheTokens,
               bytes = tile.head_size * kCacheTokens * sizeof(Element);
  const size_t left = (tile.end - tile.begin + kCacheTokens - 1) / kCacheTokens;
  for (size_t i = 0; i < left && i < span_tokens<Element> / kCacheTokens; ++i) {
    const auto* block = static_cast<const Element*>(tile.values) +
                        size_t(tile.block_table[first + i]) * tile.block_stride;
    for (size_t b = 0; b < bytes; b += 64)
      __builtin_prefetch(reinterpret_cast<const char*>(block) + b);
  }
}

// What to fetch while a span of one head is used. A head alone is often short: its values at once,
// then the keys of its next span. Of several, all of the next head's, or of the next span's first.
template <class Element>
inline Span<Element> plan_span(const AttentionTile* tiles, size_t num_tiles, size_t i,
                               size_t start) {
  const AttentionTile &tile = tiles[i], &next = tiles[i + 1 < num_tiles ? i + 1 : 0];
  const size_t num_blocks = (tile.context + kCacheTokens - 1) / kCacheTokens;
  const size_t block = start / kCacheTokens;
  size_t later = i + 1 < num_tiles ? block : block + span_tokens<Element> / kCacheTokens;
  if (later >= num_blocks) later = block;  // the end: nothing new
  const int32_t *now = tile.block_table + block, *then = tile.block_table + later;
  const Upcoming<Element> keys = {static_cast<const Element*>(next.keys), then, num_blocks - later};
  if (num_tiles == 1)
    return {now, {static_cast<const Element*>(tile.values), now, num_blocks - block}, keys};
  return {now, keys, {static_cast<const Element*>(next.values), then, num_blocks - later}};
}
