// Rotary positions, writing the KV cache, and reading it: paged attention.
#pragma once
#include <math.h>

#include "buffers.h"
#include "op.h"

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
                 const float* sin, Rows& qkv, KVCache& cache, size_t layer)
      : kernels_(kernels),
        shape_(shape),
        cos_(cos),
        sin_(sin),
        qkv_(qkv),
        cache_(cache),
        layer_(layer) {}

  size_t num_tiles(const Step& step) const override { return step.num_tokens; }

  void run_tile(const Step& step, size_t t) override {
    const size_t d = shape_.head_size, half = d / 2;
    const float* cos = cos_ + size_t(step.positions[t]) * half;
    const float* sin = sin_ + size_t(step.positions[t]) * half;
    float* head = qkv_.row(t);
    const float scale = 1.0f / sqrtf(float(d));
    for (size_t h = 0; h < shape_.num_heads; ++h, head += d)
      kernels_.rotate(head, cos, sin, scale, half, head);

    const size_t block = size_t(step.slots[t]) / kCacheTokens;
    const size_t token = size_t(step.slots[t]) % kCacheTokens;
    KVCache::Part &keys = cache_.keys[layer_], &values = cache_.values[layer_];
    for (size_t g = 0; g < shape_.num_kv_heads; ++g, head += d) {
      kernels_.rotate(head, cos, sin, 1.0f, half, head);
      store(head, cache_.at(keys, block, g, token), kCacheTokens,
            cache_.scale_at(keys, block, g, token));
    }
    for (size_t g = 0; g < shape_.num_kv_heads; ++g, head += d)
      store(head, cache_.at(values, block, g, token * d), 1,
            cache_.scale_at(values, block, g, token));
  }

 private:
  // One head's D floats, `stride` elements apart.
  void store(const float* x, void* y, size_t stride, float* scale) const {
    const size_t d = shape_.head_size;
    switch (cache_.type) {
      case CacheType::kFloat16:
        return kernels_.store_half(x, d, static_cast<uint16_t*>(y), stride);
      case CacheType::kInt8:
        return kernels_.store_int8(x, d, static_cast<int8_t*>(y), stride, scale);
      case CacheType::kFloat32:
        for (size_t i = 0; i < d; ++i) static_cast<float*>(y)[i * stride] = x[i];
    }
  }

  const KernelTable& kernels_;
  AttentionShape shape_;
  const float *cos_, *sin_;
  Rows& qkv_;
  KVCache& cache_;
  size_t layer_;
};

// The tiles of one step, the same for every layer: a few tokens of one request times the query
// heads of one KV head, so that each key and value is read once for all of them.
class AttentionPlan {
 public:
  struct Tile {
    size_t request, first_token, num_tokens, kv_head, first_head, num_heads;
  };

  explicit AttentionPlan(AttentionShape shape)
      : shape_(shape),
        tile_heads_(shape.heads_per_kv() < kMaxQueries ? shape.heads_per_kv() : kMaxQueries),
        tile_tokens_(kMaxQueries / tile_heads_) {}

  void build(const Step& step) {
    tiles_.clear();
    for (size_t r = 0; r < step.num_requests; ++r) {
      const size_t end = size_t(step.query_starts[r + 1]);
      for (size_t t = size_t(step.query_starts[r]); t < end; t += tile_tokens_)
        add(r, t, t + tile_tokens_ < end ? tile_tokens_ : end - t);
    }
  }
  const std::vector<Tile>& tiles() const { return tiles_; }

 private:
  void add(size_t request, size_t first_token, size_t num_tokens) {
    const size_t group = shape_.heads_per_kv();
    for (size_t g = 0; g < shape_.num_kv_heads; ++g)
      for (size_t h = 0; h < group; h += tile_heads_) {
        const size_t heads = h + tile_heads_ < group ? tile_heads_ : group - h;
        tiles_.push_back({request, first_token, num_tokens, g, g * group + h, heads});
      }
  }

  AttentionShape shape_;
  size_t tile_heads_, tile_tokens_;
  std::vector<Tile> tiles_;
};

class Attention final : public Op {
 public:
  Attention(const KernelTable& kernels, AttentionShape shape, const AttentionPlan& plan, Rows& qkv,
            KVCache& cache, size_t layer, Rows& out)
      : shape_(shape),
        plan_(plan),
        qkv_(qkv),
        cache_(cache),
        layer_(layer),
        out_(out),
        attend_(cache.type == CacheType::kFloat16 ? kernels.attend_half
                : cache.type == CacheType::kInt8  ? kernels.attend_int8
                                                  : kernels.attend_float) {}

  size_t num_tiles(const Step&) const override { return plan_.tiles().size(); }

  void run_tile(const Step& step, size_t index) override {
    const AttentionPlan::Tile& part = plan_.tiles()[index];
    AttentionTile tile;
    tile.num_queries = 0;
    tile.head_size = shape_.head_size;
    for (size_t t = part.first_token; t < part.first_token + part.num_tokens; ++t)
      for (size_t h = part.first_head; h < part.first_head + part.num_heads; ++h) {
        const size_t q = tile.num_queries++;
        tile.queries[q] = qkv_.row(t) + h * shape_.head_size;
        tile.outputs[q] = out_.row(t) + h * shape_.head_size;
        tile.positions[q] = step.positions[t];
      }
    tile.block_table = step.block_tables + part.request * step.table_width;
    KVCache::Part &keys = cache_.keys[layer_], &values = cache_.values[layer_];
    tile.keys = cache_.at(keys, 0, part.kv_head, 0);
    tile.values = cache_.at(values, 0, part.kv_head, 0);
    tile.block_stride = cache_.block_stride;
    tile.key_scales = cache_.scale_at(keys, 0, part.kv_head, 0);
    tile.value_scales = cache_.scale_at(values, 0, part.kv_head, 0);
    tile.scale_stride = cache_.scale_stride;
    attend_(tile);
  }

 private:
  AttentionShape shape_;
  const AttentionPlan& plan_;
  Rows& qkv_;
  KVCache& cache_;
  size_t layer_;
  Rows& out_;
  void (*attend_)(const AttentionTile& tile);
};
