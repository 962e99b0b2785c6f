// How the attention of one step is cut into tiles.
#pragma once
#include <algorithm>
#include <vector>

#include "kernel_table.h"
#include "step.h"

struct AttentionShape {
  size_t num_heads, num_kv_heads, head_size;
  size_t heads_per_kv() const { return num_heads / num_kv_heads; }
};

// The tiles of one step, the same for every layer: a few tokens of one request times the query
// heads of one KV head, so that each key and value is read once for all of them, and one part of
// the context. Few tokens, as in decode, wait for memory: their tiles are of several KV heads,
// which lie side by side in memory, as long as every thread has some tiles to do.
class AttentionPlan {
 public:
  struct Tile {
    size_t request, first_token, num_tokens;
    size_t kv_head, num_kv_heads;
    size_t first_query_head, num_query_heads;  // of those of each KV head
    size_t begin, end;
  };
  static constexpr size_t kMaxKVHeads = 8;  // of a tile

  AttentionPlan(AttentionShape shape, size_t part_tokens, size_t tile_queries, int num_threads)
      : shape_(shape),
        part_tokens_(part_tokens),
        tile_heads_(shape.heads_per_kv() < tile_queries ? shape.heads_per_kv() : tile_queries),
        tile_tokens_(tile_queries / tile_heads_),
        enough_tiles_(4 * size_t(num_threads)) {}

  void build(const Step& step) {
    tiles_.clear();
    const size_t joined = joined_kv_heads(step);
    for (size_t r = 0; r < step.num_requests; ++r) {
      const size_t heads = is_short(step, r) ? joined : 1;
      for (size_t begin = 0; begin < context(step, r); begin += part_tokens_)
        for (size_t g = 0; g < shape_.num_kv_heads; g += heads)
          add(step, r, g, std::min(heads, shape_.num_kv_heads - g), begin);
    }
  }
  const std::vector<Tile>& tiles() const { return tiles_; }

 private:
  // Tokens of a request that its last one sees; 0 if none is computed.
  static size_t context(const Step& step, size_t r) {
    const size_t end = size_t(step.query_starts[r + 1]);
    return end == size_t(step.query_starts[r]) ? 0 : size_t(step.positions[end - 1]) + 1;
  }

  // Whether one tile has all tokens, and all query heads of a KV head.
  bool is_short(const Step& step, size_t r) const {
    return tile_heads_ == shape_.heads_per_kv() &&
           size_t(step.query_starts[r + 1] - step.query_starts[r]) <= tile_tokens_;
  }

  size_t joined_kv_heads(const Step& step) const {
    size_t num_parts = 0;
    for (size_t r = 0; r < step.num_requests; ++r)
      if (is_short(step, r)) num_parts += (context(step, r) + part_tokens_ - 1) / part_tokens_;
    size_t heads = std::min(shape_.num_kv_heads, kMaxKVHeads);
    while (heads > 1 && num_parts * ((shape_.num_kv_heads + heads - 1) / heads) < enough_tiles_)
      --heads;
    return heads;
  }

  // All tiles of some KV heads and one part, one after the other: keys and values stay in L2.
  // Tokens that stand before the part are left out.
  void add(const Step& step, size_t request, size_t kv_head, size_t num_kv_heads, size_t begin) {
    const size_t group = shape_.heads_per_kv(), last = size_t(step.query_starts[request + 1]);
    size_t first = size_t(step.query_starts[request]);
    const size_t position = size_t(step.positions[first]);
    if (position < begin) first += begin - position;
    for (size_t t = first; t < last; t += tile_tokens_) {
      const size_t tokens = std::min(tile_tokens_, last - t);
      const size_t end = std::min(begin + part_tokens_, size_t(step.positions[t + tokens - 1]) + 1);
      for (size_t h = 0; h < group; h += tile_heads_)
        tiles_.push_back({request, t, tokens, kv_head, num_kv_heads, h,
                          std::min(tile_heads_, group - h), begin, end});
    }
  }

  AttentionShape shape_;
  size_t part_tokens_, tile_heads_, tile_tokens_, enough_tiles_;
  std::vector<Tile> tiles_;
};
