#include "program.h"

#include <chrono>
#include <stdexcept>

#include "tile_ranges.h"

namespace {

void require(bool holds, const char* message) {
  if (!holds) throw std::invalid_argument(message);
}

using Clock = std::chrono::steady_clock;

}  // namespace

Program::Program(const std::string& isa, int num_threads, ProgramLimits limits)
    : kernels_(choose_kernels(isa)),
      pool_(num_threads),
      limits_(limits),
      samplers_(size_t(num_threads), Sampler(kernels_)) {}

size_t Program::add_rows(size_t width) {
  rows_.push_back(std::make_unique<Rows>(std::max(limits_.max_tokens, limits_.max_logits), width));
  return rows_.size() - 1;
}

size_t Program::add_quantized_rows(size_t width) {
  quantized_rows_.push_back(std::make_unique<QuantizedRows>(limits_.max_tokens, width));
  return quantized_rows_.size() - 1;
}

void Program::set_attention(AttentionShape shape, CacheType type, size_t num_layers,
                            size_t num_cache_blocks, const float* cos, const float* sin,
                            size_t num_positions) {
  require(shape.num_kv_heads > 0 && shape.num_heads % shape.num_kv_heads == 0 &&
              shape.head_size % 2 == 0,
          "attention: heads must be a multiple of KV heads, and the head size even");
  require(type != CacheType::kInt8 || shape.head_size <= kMaxInt8HeadSize,
          "attention: heads are too large for exact int32 sums of an int8 cache; use float16");
  shape_ = shape;
  if (type == CacheType::kInt8)
    split_queries_ =
        std::make_unique<SplitQueries>(limits_.max_tokens, shape.num_heads, shape.head_size);
  cache_ = std::make_unique<KVCache>(type, num_layers, num_cache_blocks, shape.num_kv_heads,
                                     shape.head_size);
  parts_ = std::make_unique<PartialAttention>(limits_.max_tokens, shape, num_positions);
  plan_ = std::make_unique<AttentionPlan>(shape, parts_->tokens(), kernels_.tile_queries,
                                          num_threads());
  cos_.assign(cos, cos + num_positions * shape.head_size / 2);
  sin_.assign(sin, sin + num_positions * shape.head_size / 2);
  num_positions_ = num_positions;
}

void Program::embed(Table table, size_t out) {
  require(rows(out).width == table.width, "embed: the output has another width than the table");
  vocab_size_ = table.num_rows;
  record("embed", std::make_unique<Embed>(table, rows(out)));
}

void Program::rms_norm_quantize(size_t x, std::vector<float> weight, float eps, size_t out) {
  require(rows(x).width == weight.size() && quantized_rows(out).width == weight.size(),
          "rms_norm_quantize: input, weight and output differ in width");
  record("rms_norm_quantize", std::make_unique<RmsNormQuantize>(
                                  kernels_, rows(x), std::move(weight), eps, quantized_rows(out)));
}

void Program::select_rms_norm(size_t x, std::vector<float> weight, float eps, size_t out) {
  require(rows(x).width == weight.size() && rows(out).width == weight.size(),
          "select_rms_norm: input, weight and output differ in width");
  record("select_rms_norm",
         std::make_unique<SelectRmsNorm>(kernels_, rows(x), std::move(weight), eps, rows(out)));
}

void Program::require_product(size_t x, const TernaryWeight& weight, size_t out) const {
  require(weight.in_features <= kMaxInputs, "ternary_matmul: too many inputs for exact int32 sums");
  require(quantized_rows_.at(x)->width == weight.in_features,
          "ternary_matmul: the input has another width than the weight");
  require(rows_.at(out)->width == weight.out_features,
          "ternary_matmul: the output has another width than the weight");
}

void Program::ternary_matmul(size_t x, TernaryWeight weight, size_t out, bool accumulate) {
  require_product(x, weight, out);
  record("ternary_matmul",
         std::make_unique<TernaryMatmul>(kernels_, quantized_rows(x), std::move(weight), rows(out),
                                         accumulate));
}

void Program::gated_matmul(size_t x, TernaryWeight gate, TernaryWeight up, size_t out) {
  require_product(x, gate, out);
  require_product(x, up, out);
  record("ternary_matmul",
         std::make_unique<GatedMatmul>(kernels_, quantized_rows(x), std::move(gate), std::move(up),
                                       rows(out)));
}

void Program::head(size_t x, Table table, size_t logits) {
  require(rows(x).width == table.width, "head: the input has another width than the table");
  require(rows(logits).width == table.num_rows,
          "head: the output is not as wide as the table has rows");
  record("head", std::make_unique<Head>(kernels_, rows(x), table, rows(logits)));
}

void Program::int8_head(size_t x, Int8Table int8, Table table, size_t logits) {
  require(int8.width <= kMaxInt8Inputs, "int8_head: too many inputs for exact int32 sums");
  require(int8.width == table.width && int8.num_rows == table.num_rows,
          "int8_head: the int8 table has another shape than the table");
  require(rows(x).width == table.width, "int8_head: the input has another width than the table");
  require(rows(logits).width == table.num_rows,
          "int8_head: the output is not as wide as the table has rows");
  digits_ = std::make_unique<Digits>(limits_.max_logits, table.width);
  bounds_ = std::make_unique<LowerBounds>(limits_.max_logits, num_int8_blocks(table.num_rows));
  record("split_digits", std::make_unique<SplitDigits>(kernels_, rows(x), *digits_));
  record("int8_head", std::make_unique<Int8Head>(kernels_, *digits_, int8, *bounds_, rows(logits)));
  record("refine_head", std::make_unique<RefineHead>(kernels_, rows(x), *digits_, int8, table,
                                                     *bounds_, rows(logits)));
}

void Program::rotate_and_store(size_t qkv, size_t layer) {
  require_attention(layer);
  require(rows(qkv).width == (shape_.num_heads + 2 * shape_.num_kv_heads) * shape_.head_size,
          "rotate_and_store: the input is not as wide as all heads");
  record("rotate_and_store",
         std::make_unique<RotateAndStore>(kernels_, shape_, cos_.data(), sin_.data(), rows(qkv),
                                          split_queries_.get(), *cache_, layer));
}

void Program::attention(size_t qkv, size_t layer, size_t out) {
  require_attention(layer);
  require(rows(out).width == shape_.num_heads * shape_.head_size,
          "attention: the output is not as wide as all query heads");
  record("attention",
         std::make_unique<Attend>(kernels_, shape_, *plan_, rows(qkv), split_queries_.get(),
                                  *cache_, layer, *parts_, rows(out)));
  record("merge_attention", std::make_unique<MergeAttention>(kernels_, shape_, *parts_, rows(out)));
}

size_t Program::scratch_bytes() const {
  size_t sum = 0;
  for (const auto& rows : rows_) sum += rows->bytes();
  for (const auto& rows : quantized_rows_) sum += rows->bytes();
  return sum;
}

void Program::read_probe(const uint8_t* data, size_t size) {
  record("read_probe", std::make_unique<ReadProbe>(kernels_, data, size));
}

size_t Program::multiply_add_probe(size_t rounds) {
  const size_t num_tiles = size_t(num_threads()) * 8;
  record("multiply_add_probe", std::make_unique<MultiplyAddProbe>(kernels_, num_tiles, rounds));
  return num_tiles * kernels_.multiply_add(1) * rounds;
}

void Program::run(const Step& step) {
  check(step);
  if (ops_.empty()) return;
  if (plan_) plan_->build(step);
  // Of the operation at hand and of the next, which each worker deals itself before the barrier.
  TileRanges ranges[2] = {TileRanges(num_threads()), TileRanges(num_threads())};
  for (size_t worker = 0; worker < size_t(num_threads()); ++worker)
    ranges[0].deal(worker, ops_[0].op->num_tiles(step));
  std::vector<Clock::time_point> ends(ops_.size() + 1);
  ends[0] = Clock::now();
  pool_.run([&](int worker) {
    for (size_t i = 0; i < ops_.size(); ++i) {
      Op& op = *ops_[i].op;
      if (i + 1 < ops_.size())
        ranges[(i + 1) % 2].deal(size_t(worker), ops_[i + 1].op->num_tiles(step));
      size_t next = SIZE_MAX;  // behind the tile before
      for (size_t tile; ranges[i % 2].take(size_t(worker), tile); next = tile + 1)
        op.run_tile(step, tile, tile == next);
      if (i + 1 < ops_.size())
        ops_[i + 1].op->fetch_start(step, ranges[(i + 1) % 2].first(size_t(worker)));
      // By whoever ends it: worker 0 may sleep while the others go on.
      pool_.barrier([&] { ends[i + 1] = Clock::now(); });
    }
  });
  for (size_t i = 0; i < ops_.size(); ++i)
    seconds_[ops_[i].kind] += std::chrono::duration<double>(ends[i + 1] - ends[i]).count();
}

void Program::sample(const float* logits, size_t stride, size_t n,
                     const std::vector<SamplingRow>& rows, SampledToken* out) {
  const Clock::time_point start = Clock::now();
  std::atomic<size_t> next{0};
  pool_.run([&](int worker) {
    for (size_t i; (i = next.fetch_add(1)) < rows.size();)
      out[i] = samplers_[size_t(worker)].sample(logits + i * stride, n, rows[i]);
  });
  seconds_["sample"] += std::chrono::duration<double>(Clock::now() - start).count();
}

void Program::logprobs(const float* logits, size_t stride, size_t n,
                       const std::vector<int32_t>& tokens, size_t count, float* out,
                       TokenLogprob* top) {
  for (int32_t token : tokens)
    require(token >= 0 && size_t(token) < n, "logprobs: token id out of range");
  const Clock::time_point start = Clock::now();
  std::atomic<size_t> next{0};
  pool_.run([&](int worker) {
    for (size_t i; (i = next.fetch_add(1)) < tokens.size();)
      out[i] = samplers_[size_t(worker)].logprobs(logits + i * stride, n, tokens[i], count,
                                                  top + i * count);
  });
  seconds_["logprobs"] += std::chrono::duration<double>(Clock::now() - start).count();
}

void Program::record(const char* kind, std::unique_ptr<Op> op) {
  ops_.push_back({kind, std::move(op)});
}

void Program::require_attention(size_t layer) const {
  require(cache_ != nullptr, "attention: call set_attention first");
  require(layer < cache_->keys.size(), "attention: there is no such layer");
}

// Everything that an operation uses as an index.
void Program::check(const Step& step) const {
  require(step.num_tokens <= limits_.max_tokens, "step: more tokens than the program was made for");
  require(step.num_logits <= limits_.max_logits,
          "step: more logit rows than the program was made for");
  for (size_t i = 0; i < step.num_logits; ++i)
    require(step.logit_rows[i] >= 0 && size_t(step.logit_rows[i]) < step.num_tokens,
            "step: logit row out of range");
  if (vocab_size_)
    for (size_t t = 0; t < step.num_tokens; ++t)
      require(step.token_ids[t] >= 0 && size_t(step.token_ids[t]) < vocab_size_,
              "step: token id out of range");
  if (!cache_) return;
  for (size_t t = 0; t < step.num_tokens; ++t) {
    require(step.positions[t] >= 0 && size_t(step.positions[t]) < num_positions_,
            "step: position out of range");
    require(size_t(step.positions[t]) < step.table_width * kCacheTokens,
            "step: position past its block table");
    require(step.slots[t] >= 0 && size_t(step.slots[t]) < cache_->num_blocks * kCacheTokens,
            "step: slot out of range");
  }
  for (size_t i = 0; i < step.num_requests * step.table_width; ++i)
    require(step.block_tables[i] >= 0 && size_t(step.block_tables[i]) < cache_->num_blocks,
            "step: cache block out of range");
  require(
      step.query_starts[0] == 0 && size_t(step.query_starts[step.num_requests]) == step.num_tokens,
      "step: query_starts must run from 0 to the number of tokens");
  for (size_t r = 0; r < step.num_requests; ++r) {
    require(step.query_starts[r] <= step.query_starts[r + 1], "step: query_starts must not fall");
    for (int32_t t = step.query_starts[r] + 1; t < step.query_starts[r + 1]; ++t)
      require(step.positions[t] == step.positions[t - 1] + 1,
              "step: the tokens of a request must follow each other");
  }
}
