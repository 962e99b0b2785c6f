#include "program.h"

#include <algorithm>
#include <chrono>

#include "tile_ranges.h"

namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

Program::Program(const std::string& isa, int num_threads, size_t max_tokens, size_t max_logits)
    : kernels_(choose_kernels(isa)),
      pool_(num_threads),
      max_tokens_(max_tokens),
      max_logits_(max_logits),
      samplers_(size_t(num_threads), Sampler(kernels_)) {}

size_t Program::add_rows(size_t width) {
  rows_.push_back(std::make_unique<Rows>(std::max(max_tokens_, max_logits_), width));
  return rows_.size() - 1;
}

size_t Program::add_quantized_rows(size_t width) {
  quantized_rows_.push_back(std::make_unique<QuantizedRows>(max_tokens_, width));
  return quantized_rows_.size() - 1;
}

SharedAttention& Program::attention() const {
  require(has_attention(), "attention: call set_attention first");
  return *attention_;
}

void Program::record(const char* kind, std::unique_ptr<Op> op) {
  ops_.push_back({kind, std::move(op)});
}

void Program::before_each_step(std::function<void(const Step&)> check) {
  checks_.push_back(std::move(check));
}

size_t Program::scratch_bytes() const {
  size_t sum = 0;
  for (const auto& rows : rows_) sum += rows->bytes();
  for (const auto& rows : quantized_rows_) sum += rows->bytes();
  return sum;
}

void Program::run(const Step& step) {
  check(step);
  if (ops_.empty()) return;
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

void Program::check(const Step& step) const {
  require(step.num_tokens <= max_tokens_, "step: more tokens than the program was made for");
  require(step.num_logits <= max_logits_, "step: more logit rows than the program was made for");
  for (size_t i = 0; i < step.num_logits; ++i)
    require(step.logit_rows[i] >= 0 && size_t(step.logit_rows[i]) < step.num_tokens,
            "step: logit row out of range");
  for (const auto& check : checks_) check(step);
}
