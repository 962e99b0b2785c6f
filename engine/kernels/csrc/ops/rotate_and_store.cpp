// Rotary positions, and writing the KV cache.
#include <math.h>

#include "ops/arrays.h"
#include "ops/shared_attention.h"
#include "program.h"

namespace {

// Rotates the queries in place (scaled by 1/sqrt(D)) and writes keys and values into their slots.
// A row of qkv is [H heads, G key heads, G value heads] of D floats.
class RotateAndStore final : public Op {
 public:
  RotateAndStore(const KernelTable& kernels, SharedAttention& attention, Rows& qkv, size_t layer)
      : kernels_(kernels), attention_(attention), qkv_(qkv), layer_(layer) {}

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
    KVCache& cache = attention_.cache;
    const char* keys = static_cast<const char*>(cache.at(cache.keys[layer_], block, 0, 0));
    const size_t size = cache.block_stride * cache.element_size;
    for (size_t i = 0; i < size; i += 64) __builtin_prefetch(keys + i, 1);
  }

  void run_token(const Step& step, size_t t) {
    const AttentionShape& shape = attention_.shape;
    SplitQueries* split = attention_.split_queries.get();
    const size_t d = shape.head_size, half = d / 2;
    const float* cos = attention_.cos.data() + size_t(step.positions[t]) * half;
    const float* sin = attention_.sin.data() + size_t(step.positions[t]) * half;
    float* head = qkv_.row(t);
    const float scale = 1.0f / sqrtf(float(d));
    for (size_t h = 0; h < shape.num_heads; ++h, head += d) {
      kernels_.rotate(head, cos, sin, scale, half, head);
      if (split) kernels_.split_row(head, d, split->at(t, h));
    }

    const size_t block = size_t(step.slots[t]) / kCacheTokens;
    const size_t token = size_t(step.slots[t]) % kCacheTokens;
    KVCache& cache = attention_.cache;
    KVCache::Part &keys = cache.keys[layer_], &values = cache.values[layer_];
    for (size_t g = 0; g < shape.num_kv_heads; ++g, head += d) {
      kernels_.rotate(head, cos, sin, 1.0f, half, head);
      store(head, cache.key_at(keys, block, g, token), 4, kCacheTokens,
            cache.scale_at(keys, block, g, token));
    }
    for (size_t g = 0; g < shape.num_kv_heads; ++g, head += d)
      store(head, cache.value_at(values, block, g, token), 1, 1,
            cache.scale_at(values, block, g, token));
  }

  // One head's D floats, `stride` elements apart; in int8 in runs, which are four times as far.
  void store(const float* x, void* y, size_t run, size_t stride, float* scale) const {
    const size_t d = attention_.shape.head_size;
    switch (attention_.cache.type) {
      case CacheType::kFloat16:
        return kernels_.store_half(x, d, static_cast<uint16_t*>(y), stride);
      case CacheType::kInt8:
        return kernels_.store_int8(x, d, static_cast<int8_t*>(y), run, 4 * stride, scale);
      case CacheType::kFloat32:
        for (size_t i = 0; i < d; ++i) static_cast<float*>(y)[i * stride] = x[i];
    }
  }

  const KernelTable& kernels_;
  SharedAttention& attention_;
  Rows& qkv_;
  size_t layer_;
};

void rotate_and_store(Program& p, size_t qkv, size_t layer) {
  SharedAttention& attention = p.attention();
  const AttentionShape& shape = attention.shape;
  attention.require_layer(layer);
  require(p.rows(qkv).width == (shape.num_heads + 2 * shape.num_kv_heads) * shape.head_size,
          "rotate_and_store: the input is not as wide as all heads");
  p.record("rotate_and_store",
           std::make_unique<RotateAndStore>(p.kernels(), attention, p.rows(qkv), layer));
}

}  // namespace

void define_rotate_and_store(nb::class_<Program>& program) {
  program.def("rotate_and_store", rotate_and_store, "qkv"_a, "layer"_a);
}
