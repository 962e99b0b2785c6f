// Paged attention: each part of a context by itself, then the parts together.
#include "ops/arrays.h"
#include "ops/shared_attention.h"
#include "program.h"

namespace {

// Attends to each part of the context by itself; a context of one part is then done.
class Attend final : public Op {
 public:
  Attend(const KernelTable& kernels, SharedAttention& shared, Rows& qkv, size_t layer, Rows& out)
      : shared_(shared),
        qkv_(qkv),
        layer_(layer),
        out_(out),
        attend_(shared.cache.type == CacheType::kFloat16 ? kernels.attend_half
                : shared.cache.type == CacheType::kInt8  ? kernels.attend_int8
                                                         : kernels.attend_float) {}

  size_t num_tiles(const Step&) const override { return shared_.plan.tiles().size(); }

  void run_tile(const Step& step, size_t index, bool) override {
    const AttentionPlan::Tile& part = shared_.plan.tiles()[index];
    AttentionTile tiles[AttentionPlan::kMaxKVHeads];
    for (size_t i = 0; i < part.num_kv_heads; ++i)
      tiles[i] = kernel_tile(step, part, part.kv_head + i);
    attend_(tiles, part.num_kv_heads);
  }

 private:
  AttentionTile kernel_tile(const Step& step, const AttentionPlan::Tile& part, size_t kv_head) {
    const AttentionShape& shape = shared_.shape;
    PartialAttention& parts = shared_.parts;
    SplitQueries* split = shared_.split_queries.get();
    AttentionTile tile;
    tile.num_queries = 0;
    tile.head_size = shape.head_size;
    const size_t first_head = kv_head * shape.heads_per_kv() + part.first_query_head;
    for (size_t t = part.first_token; t < part.first_token + part.num_tokens; ++t)
      for (size_t h = first_head; h < first_head + part.num_query_heads; ++h) {
        const size_t q = tile.num_queries++;
        float* out = parts.at(t, h, part.begin / parts.tokens());
        tile.whole[q] = parts.count(step.positions[t]) == 1;
        tile.queries[q] = qkv_.row(t) + h * shape.head_size;
        if (split) tile.split_queries[q] = split->at(t, h);
        tile.outputs[q] = tile.whole[q] ? out_.row(t) + h * shape.head_size : out;
        tile.largest[q] = out + shape.head_size;
        tile.totals[q] = out + shape.head_size + 1;
        tile.positions[q] = step.positions[t];
      }
    tile.begin = part.begin;
    tile.end = part.end;
    tile.context = size_t(step.positions[step.query_starts[part.request + 1] - 1]) + 1;
    tile.block_table = step.block_tables + part.request * step.table_width;
    KVCache& cache = shared_.cache;
    KVCache::Part &keys = cache.keys[layer_], &values = cache.values[layer_];
    tile.keys = cache.at(keys, 0, kv_head, 0);
    tile.values = cache.at(values, 0, kv_head, 0);
    tile.block_stride = cache.block_stride;
    tile.key_scales = cache.scale_at(keys, 0, kv_head, 0);
    tile.value_scales = cache.scale_at(values, 0, kv_head, 0);
    tile.scale_stride = cache.scale_stride;
    return tile;
  }

  SharedAttention& shared_;
  Rows& qkv_;
  size_t layer_;
  Rows& out_;
  void (*attend_)(const AttentionTile* tiles, size_t num_tiles);
};

// Puts the parts of longer contexts together.
class MergeAttention final : public Op {
 public:
  MergeAttention(const KernelTable& kernels, SharedAttention& shared, Rows& out)
      : kernels_(kernels), shared_(shared), out_(out) {}
  size_t num_tiles(const Step& step) const override { return step.num_tokens; }
  void run_tile(const Step& step, size_t t, bool) override {
    const size_t d = shared_.shape.head_size;
    PartialAttention& parts = shared_.parts;
    const size_t count = parts.count(step.positions[t]);
    if (count == 1) return;
    for (size_t h = 0; h < shared_.shape.num_heads; ++h)
      kernels_.merge_attention(parts.at(t, h, 0), count, parts.stride(), d, out_.row(t) + h * d);
  }

 private:
  const KernelTable& kernels_;
  SharedAttention& shared_;
  Rows& out_;
};

void attention(Program& p, size_t qkv, size_t layer, size_t out) {
  SharedAttention& shared = p.attention();
  shared.require_layer(layer);
  require(p.rows(out).width == shared.shape.num_heads * shared.shape.head_size,
          "attention: the output is not as wide as all query heads");
  p.record("attention",
           std::make_unique<Attend>(p.kernels(), shared, p.rows(qkv), layer, p.rows(out)));
  p.record("merge_attention", std::make_unique<MergeAttention>(p.kernels(), shared, p.rows(out)));
}

}  // namespace

void define_attention(nb::class_<Program>& program) {
  program.def("attention", attention, "qkv"_a, "layer"_a, "out"_a);
}
