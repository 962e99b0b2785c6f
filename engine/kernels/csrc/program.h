// A network as a list of operations, recorded once and run for every step without Python.
//
// Recording allocates the buffers; run() then walks the list on all threads, one operation
// after the other. Handles are indices into the program's buffers. Every method that records or
// runs throws std::invalid_argument for sizes that do not fit together.
//
// The operations themselves are in ops/: a file of each has its tiles, and the method of the
// Python class that records it here.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "buffers.h"
#include "dispatch.h"
#include "ops/op.h"
#include "require.h"
#include "sampler.h"
#include "thread_pool.h"

struct SharedAttention;

class Program {
 public:
  // max_tokens, max_logits: T and S of a step, at most.
  Program(const std::string& isa, int num_threads, size_t max_tokens, size_t max_logits);

  const KernelTable& kernels() const { return kernels_; }
  int num_threads() const { return pool_.size(); }
  size_t max_tokens() const { return max_tokens_; }
  size_t max_logits() const { return max_logits_; }

  // Buffers.
  size_t add_rows(size_t width);
  size_t add_quantized_rows(size_t width);
  Rows& rows(size_t index) { return *rows_.at(index); }
  QuantizedRows& quantized_rows(size_t index) { return *quantized_rows_.at(index); }
  size_t scratch_bytes() const;  // of all rows of activations

  // What all operations of attention share; set before they are recorded.
  void set_attention(std::shared_ptr<SharedAttention> shared) { attention_ = std::move(shared); }
  bool has_attention() const { return attention_ != nullptr; }
  SharedAttention& attention() const;

  // Adds an operation. Operations of one kind are timed together.
  void record(const char* kind, std::unique_ptr<Op> op);

  // Adds a function that checks each step before anything is run; it throws
  // std::invalid_argument for an index that is out of range.
  void before_each_step(std::function<void(const Step&)> check);

  void run(const Step& step);
  void sample(const float* logits, size_t stride, size_t n, const std::vector<SamplingRow>& rows,
              SampledToken* out);

  // Of row i: the logprob of tokens[i], and the `count` likeliest tokens; see Sampler::logprobs.
  // out: [rows], top: [rows, count].
  void logprobs(const float* logits, size_t stride, size_t n, const std::vector<int32_t>& tokens,
                size_t count, float* out, TokenLogprob* top);

  // How many steps were held up by a thread that the system did not let run; see Team.
  size_t num_held_up() const { return pool_.num_held_up(); }

  // Seconds spent in each kind of operation since the start, waiting included.
  const std::map<std::string, double>& seconds() const { return seconds_; }

 private:
  struct Recorded {
    std::string kind;
    std::unique_ptr<Op> op;
  };
  class StepWork;
  void check(const Step& step) const;

  const KernelTable& kernels_;
  ThreadPool pool_;
  size_t max_tokens_, max_logits_;
  std::vector<std::unique_ptr<Rows>> rows_;
  std::vector<std::unique_ptr<QuantizedRows>> quantized_rows_;
  std::shared_ptr<SharedAttention> attention_;

  std::vector<Recorded> ops_;
  std::vector<std::function<void(const Step&)>> checks_;
  std::vector<Sampler> samplers_;
  std::map<std::string, double> seconds_;
};
