#include "program.h"

#include <algorithm>
#include <chrono>

namespace {

using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point start, Clock::time_point end) {
  return std::chrono::duration<double>(end - start).count();
}

}  // namespace

// The operations of one step, as the stages of the pool's work, and when each ended.
class Program::StepWork final : public Work {
 public:
  StepWork(const std::vector<Recorded>& ops, const Step& step)
      : ops_(ops), step_(step), ends_(ops.size() + 1) {
    ends_[0] = Clock::now();
  }

  size_t num_stages() const override { return ops_.size(); }
  size_t num_tiles(size_t i) const override { return ops_[i].op->num_tiles(step_); }
  void run_tile(size_t i, size_t tile, size_t, bool follows) override {
    ops_[i].op->run_tile(step_, tile, follows);
  }
  void fetch_start(size_t i, size_t tile) override { ops_[i].op->fetch_start(step_, tile); }
  void end_stage(size_t i) override { ends_[i + 1] = Clock::now(); }

  double seconds(size_t i) const { return seconds_between(ends_[i], ends_[i + 1]); }

 private:
  const std::vector<Recorded>& ops_;
  const Step& step_;
  std::vector<Clock::time_point> ends_;
};

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
  StepWork work(ops_, step);
  pool_.run(work);
  for (size_t i = 0; i < ops_.size(); ++i) seconds_[ops_[i].kind] += work.seconds(i);
}

void Program::sample(const float* logits, size_t stride, size_t n,
                     const std::vector<SamplingRow>& rows, SampledToken* out) {
  const Clock::time_point start = Clock::now();
  pool_.for_each(rows.size(), [&](size_t i, size_t worker) {
    out[i] = samplers_[worker].sample(logits + i * stride, n, rows[i]);
  });
  seconds_["sample"] += seconds_between(start, Clock::now());
}

void Program::logprobs(const float* logits, size_t stride, size_t n,
                       const std::vector<int32_t>& tokens, size_t count, float* out,
                       TokenLogprob* top) {
  for (int32_t token : tokens)
    require(token >= 0 && size_t(token) < n, "logprobs: token id out of range");
  const Clock::time_point start = Clock::now();
  pool_.for_each(tokens.size(), [&](size_t i, size_t worker) {
    out[i] = samplers_[worker].logprobs(logits + i * stride, n, tokens[i], count, top + i * count);
  });
  seconds_["logprobs"] += seconds_between(start, Clock::now());
}

void Program::check(const Step& step) const {
  require(step.num_tokens <= max_tokens_, "step: more tokens than the program was made for");
  require(step.num_logits <= max_logits_, "step: more logit rows than the program was made for");
  for (size_t i = 0; i < step.num_logits; ++i)
    require(step.logit_rows[i] >= 0 && size_t(step.logit_rows[i]) < step.num_tokens,
            "step: logit row out of range");
  for (const auto& check : checks_) check(step);
}
