// What the attention operations of all layers share: the cache, rotary tables, the step's tiles.
#pragma once
#include "buffers.h"
#include "kv_cache.h"
#include "ops/attention_plan.h"
#include "require.h"

// A split row for each token and query head; see SplitRow.
struct SplitQueries {
  SplitQueries(size_t num_rows, size_t num_heads, size_t head_size)
      : num_heads(num_heads),
        stride(2 * padded(head_size)),
        numbers(zeroed<int8_t>(num_rows * num_heads * stride)),
        scales(num_rows * num_heads),
        offsets(num_rows * num_heads) {}
  SplitRow at(size_t row, size_t head) {
    const size_t i = row * num_heads + head;
    return {numbers.get() + i * stride, &scales[i], &offsets[i]};
  }

  size_t num_heads, stride;
  Memory<int8_t> numbers;
  std::vector<float> scales;
  std::vector<int32_t> offsets;
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
        data_(reserved<float>(max_tokens * num_heads_ * max_parts_ * stride_)) {}

  size_t tokens() const { return tokens_; }
  size_t stride() const { return stride_; }
  size_t count(int32_t position) const { return size_t(position) / tokens_ + 1; }
  float* at(size_t token, size_t head, size_t part) {
    return data_.get() + ((token * num_heads_ + head) * max_parts_ + part) * stride_;
  }

 private:
  size_t num_heads_, tokens_, max_parts_, stride_;
  Reserved<float> data_;
};

struct SharedAttention {
  // cos, sin: [num_positions, D/2].
  SharedAttention(const KernelTable& kernels, AttentionShape shape, CacheType type,
                  size_t num_layers, size_t num_blocks, const float* cos, const float* sin,
                  size_t num_positions, size_t max_tokens, int num_threads)
      : shape(shape),
        num_positions(num_positions),
        cos(cos, cos + num_positions * shape.head_size / 2),
        sin(sin, sin + num_positions * shape.head_size / 2),
        cache(type, num_layers, num_blocks, shape.num_kv_heads, shape.head_size),
        parts(max_tokens, shape, num_positions),
        plan(shape, parts.tokens(), kernels.tile_queries, num_threads) {
    if (type == CacheType::kInt8)
      split_queries = std::make_unique<SplitQueries>(max_tokens, shape.num_heads, shape.head_size);
  }

  void require_layer(size_t layer) const {
    require(layer < cache.keys.size(), "attention: there is no such layer");
  }

  // Everything that an operation uses as an index.
  void check(const Step& step) const {
    for (size_t t = 0; t < step.num_tokens; ++t) {
      require(step.positions[t] >= 0 && size_t(step.positions[t]) < num_positions,
              "step: position out of range");
      require(size_t(step.positions[t]) < step.table_width * kCacheTokens,
              "step: position past its block table");
      require(step.slots[t] >= 0 && size_t(step.slots[t]) < cache.num_blocks * kCacheTokens,
              "step: slot out of range");
    }
    for (size_t i = 0; i < step.num_requests * step.table_width; ++i)
      require(step.block_tables[i] >= 0 && size_t(step.block_tables[i]) < cache.num_blocks,
              "step: cache block out of range");
    require(step.query_starts[0] == 0 &&
                size_t(step.query_starts[step.num_requests]) == step.num_tokens,
            "step: query_starts must run from 0 to the number of tokens");
    for (size_t r = 0; r < step.num_requests; ++r) {
      require(step.query_starts[r] <= step.query_starts[r + 1], "step: query_starts must not fall");
      for (int32_t t = step.query_starts[r] + 1; t < step.query_starts[r + 1]; ++t)
        require(step.positions[t] == step.positions[t - 1] + 1,
                "step: the tokens of a request must follow each other");
    }
  }

  AttentionShape shape;
  size_t num_positions;
  std::vector<float> cos, sin;
  KVCache cache;
  PartialAttention parts;
  AttentionPlan plan;
  std::unique_ptr<SplitQueries> split_queries;  // for an int8 cache
};
