// Rotary positions, writing the KV cache, and reading it: paged attention.
#pragma once
#include <math.h>

#include <algorithm>

#include "buffers.h"
#include "ops/op.h"

struct AttentionShape {
  size_t num_heads, num_kv_heads, head_size;
  size_t heads_per_kv() const { return num_heads / num_kv_heads; }
};

// Rotates the queries in place (scaled by 1/sqrt(D)) and writes keys and values into their slots.
// A row of qkv is [H heads, G key heads, G value heads] of D floats.
class RotateAndStore final : public Op {
 public:
  // cos, sin: [positions, D/2].
  RotateAndStore(const KernelTable& kernels, AttentionShape shape, const float* cos,
                 const float* sin, Rows& qkv, SplitQueries* split, KVCache& cache, size_t layer)
      : kernels_(kernels),
        shape_(shape),
        cos_(cos),
        sin_(sin),
        qkv_(qkv),
        split_(split),
        cache_(cache),
        layer_(layer) {}

  size_t num_tiles(const Step& step) const override {
    return (step.num_tokens + tile_tokens(step) - 1) / tile_tokens(step);
  }

  void run_tile(const Step& step, size_t tile, bool) override {
    const size_t begin = tile * tile_tokens(step), end = begin + tile_tokens(step);
    fetch_keys(size_t(step.slots[begin]) / kCacheTokens);
    for (size_t t = begin; t < end && t < step.num_tokens; ++t) run_token(step, t);
  }

 private:
  // Tokens of one cache block share cache lines, which two threads should not take from each other.
  static size_t tile_tokens(const Step& step) {
    return step.num_tokens >= 4 * kCacheTokens ? kCacheTokens : 1;
  }

  // A token writes to every line of its block's keys: fetched one by one, they would take longer
  // than all the rest.
  void fetch_keys(size_t block) {
    const char* keys = static_cast<const char*>(cache_.at(cache_.keys[layer_], block, 0, 0));
    const size_t size = cache_.block_stride * cache_.element_size;
    for (size_t i = 0; i < size; i += 64) __builtin_prefetch(keys + i, 1);
  }

  void run_token(const Step& step, size_t t) {
    const size_t d = shape_.head_size, half = d / 2;
    const float* cos = cos_ + size_t(step.positions[t]) * half;
    const float* sin = sin_ + size_t(step.positions[t]) * half;
    float* head = qkv_.row(t);
    const float scale = 1.0f / sqrtf(float(d));
    for (size_t h = 0; h < shape_.num_heads; ++h, head += d) {
      kernels_.rotate(head, cos, sin, scale, half, head);
      if (split_) kernels_.split_row(head, d, split_->at(t, h));
    }

    const size_t block = size_t(step.slots[t]) / kCacheTokens;
    const size_t token = size_t(step.slots[t]) % kCacheTokens;
    KVCache::Part &keys = cache_.keys[layer_], &values = cache_.values[layer_];
    for (size_t g = 0; g < shape_.num_kv_heads; ++g, head += d) {
      kernels_.rotate(head, cos, sin, 1.0f, half, head);
      store(head, cache_.key_at(keys, block, g, token), 4, kCacheTokens,
            cache_.scale_at(keys, block, g, token));
    }
    for (size_t g = 0; g < shape_.num_kv_heads; ++g, head += d)
      store(head, cache_.value_at(values, block, g, token), 1, 1,
            cache_.scale_at(values, block, g, token));
  }

  // One head's D floats, `stride` elements apart; in int8 in runs, which are four times as far.
  void store(const float* x, void* y, size_t run, size_t stride, float* scale) const {
    const size_t d = shape_.head_size;
    switch (cache_.type) {
      case CacheType::kFloat16:
        return kernels_.store_half(x, d, static_cast<uint16_t*>(y), stride);
      case CacheType::kInt8:
        return kernels_.store_int8(x, d, static_cast<int8_t*>(y), run, 4 * stride, scale);
      case CacheType::kFloat32:
        for (size_t i = 0; i < d; ++i) static_cast<float*>(y)[i * stride] = x[i];
    }
  }

  const KernelTable& kernels_;
  AttentionShape shape_;
  const float *cos_, *sin_;
  Rows& qkv_;
  SplitQueries* split_;  // for an int8 cache
  KVCache& cache_;
  size_t layer_;
};

// Where a context is cut into parts: at multiples of this many tokens.
// Small enough for threads to share one long context, large enough that merging costs nothing.
inline size_t part_tokens(size_t max_context_tokens) {
  constexpr size_t kLeast = 512, kMaxParts = 16;
  const size_t even = (max_context_tokens + kMaxParts - 1) / kMaxParts;
  const size_t least = even > kLeast ? even : kLeast;
  return (least + kCacheTokens - 1) / kCacheTokens * kCacheTokens;
}

// What attention leaves of each part of a context: for each token and query head, D sums of
// weight * value, the largest score and the sum of weights.
class PartialAttention {
 public:
  PartialAttention(size_t max_tokens, AttentionShape shape, size_t max_context_tokens)
      : num_heads_(shape.num_heads),
        tokens_(part_tokens(max_context_tokens)),
        max_parts_((max_context_tokens + tokens_ - 1) / tokens_),
        stride_(padded(shape.head_size + 2)),
        data_(zeroed<float>(max_tokens * num_heads_ * max_parts_ * stride_)) {}

  size_t tokens() const { return tokens_; }
  size_t stride() const { return stride_; }
  size_t count(int32_t position) const { return size_t(position) / tokens_ + 1; }
  float* at(size_t token, size_t head, size_t part) {
    return data_.get() + ((token * num_heads_ + head) * max_parts_ + part) * stride_;
  }

 private:
  size_t num_heads_, tokens_, max_parts_, stride_;
  Memory<float> data_;
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

// Attends to each part of the context by itself; a context of one part is then done.
class Attend final : public Op {
 public:
  Attend(const KernelTable& kernels, AttentionShape shape, const AttentionPlan& plan, Rows& qkv,
         SplitQueries* split, KVCache& cache, size_t layer, PartialAttention& parts, Rows& out)
      : shape_(shape),
        plan_(plan),
        qkv_(qkv),
        split_(split),
        cache_(cache),
        layer_(layer),
        parts_(parts),
        out_(out),
        attend_(cache.type == CacheType::kFloat16 ? kernels.attend_half
                : cache.type == CacheType::kInt8  ? kernels.attend_int8
                                                  : kernels.attend_float) {}

  size_t num_tiles(const Step&) const override { return plan_.tiles().size(); }

  void run_tile(const Step& step, size_t index, bool) override {
    const AttentionPlan::Tile& part = plan_.tiles()[index];
    AttentionTile tiles[AttentionPlan::kMaxKVHeads];
    for (size_t i = 0; i < part.num_kv_heads; ++i)
      tiles[i] = kernel_tile(step, part, part.kv_head + i);
    attend_(tiles, part.num_kv_heads);
  }

 private:
  AttentionTile kernel_tile(const Step& step, const AttentionPlan::Tile& part, size_t kv_head) {
    AttentionTile tile;
    tile.num_queries = 0;
    tile.head_size = shape_.head_size;
    const size_t first_head = kv_head * shape_.heads_per_kv() + part.first_query_head;
    for (size_t t = part.first_token; t < part.first_token + part.num_tokens; ++t)
      for (size_t h = first_head; h < first_head + part.num_query_heads; ++h) {
        const size_t q = tile.num_queries++;
        float* out = parts_.at(t, h, part.begin / parts_.tokens());
        tile.whole[q] = parts_.count(step.positions[t]) == 1;
        tile.queries[q] = qkv_.row(t) + h * shape_.head_size;
        if (split_) tile.split_queries[q] = split_->at(t, h);
        tile.outputs[q] = tile.whole[q] ? out_.row(t) + h * shape_.head_size : out;
        tile.largest[q] = out + shape_.head_size;
        tile.totals[q] = out + shape_.head_size + 1;
        tile.positions[q] = step.positions[t];
      }
    tile.begin = part.begin;
    tile.end = part.end;
    tile.context = size_t(step.positions[step.query_starts[part.request + 1] - 1]) + 1;
    tile.block_table = step.block_tables + part.request * step.table_width;
    KVCache::Part &keys = cache_.keys[layer_], &values = cache_.values[layer_];
    tile.keys = cache_.at(keys, 0, kv_head, 0);
    tile.values = cache_.at(values, 0, kv_head, 0);
    tile.block_stride = cache_.block_stride;
    tile.key_scales = cache_.scale_at(keys, 0, kv_head, 0);
    tile.value_scales = cache_.scale_at(values, 0, kv_head, 0);
    tile.scale_stride = cache_.scale_stride;
    return tile;
  }

  AttentionShape shape_;
  const AttentionPlan& plan_;
  Rows& qkv_;
  SplitQueries* split_;
  KVCache& cache_;
  size_t layer_;
  PartialAttention& parts_;
  Rows& out_;
  void (*attend_)(const AttentionTile* tiles, size_t num_tiles);
};

// Puts the parts of longer contexts together.
class MergeAttention final : public Op {
 public:
  MergeAttention(const KernelTable& kernels, AttentionShape shape, PartialAttention& parts,
                 Rows& out)
      : kernels_(kernels), shape_(shape), parts_(parts), out_(out) {}
  size_t num_tiles(const Step& step) const override { return step.num_tokens; }
  void run_tile(const Step& step, size_t t, bool) override {
    const size_t count = parts_.count(step.positions[t]);
    if (count == 1) return;
    for (size_t h = 0; h < shape_.num_heads; ++h)
      kernels_.merge_attention(parts_.at(t, h, 0), count, parts_.stride(), shape_.head_size,
                               out_.row(t) + h * shape_.head_size);
  }

 private:
  const KernelTable& kernels_;
  AttentionShape shape_;
  PartialAttention& parts_;
  Rows& out_;
};
