// A network as a list of operations, recorded once and run for every step without Python.
//
// Recording allocates the buffers; run() then walks the list on all threads, with a barrier after
// each operation. Handles are indices into the program's buffers. Every method that records or
// runs throws std::invalid_argument for sizes that do not fit together.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ops/attention_ops.h"
#include "dispatch.h"
#include "ops/int8_head_ops.h"
#include "ops/matmul_ops.h"
#include "ops/probe_ops.h"
#include "ops/row_ops.h"
#include "sampler.h"
#include "thread_pool.h"

struct ProgramLimits {
  size_t max_tokens;  // T of a step, at most
  size_t max_logits;  // S of a step, at most
};

class Program {
 public:
  Program(const std::string& isa, int num_threads, ProgramLimits limits);

  // Buffers.
  size_t add_rows(size_t width);
  size_t add_quantized_rows(size_t width);
  Rows& rows(size_t index) { return *rows_.at(index); }
  QuantizedRows& quantized_rows(size_t index) { return *quantized_rows_.at(index); }

  // The attention's shape, cache and rotary tables [positions, D/2], before its operations.
  void set_attention(AttentionShape shape, CacheType type, size_t num_layers,
                     size_t num_cache_blocks, const float* cos, const float* sin,
                     size_t num_positions);

  // Operations, in order of execution.
  void embed(Table table, size_t out);
  void rms_norm_quantize(size_t x, std::vector<float> weight, float eps, size_t out);
  void select_rms_norm(size_t x, std::vector<float> weight, float eps, size_t out);
  void ternary_matmul(size_t x, TernaryWeight weight, size_t out, bool accumulate);
  void gated_matmul(size_t x, TernaryWeight gate, TernaryWeight up, size_t out);
  void head(size_t x, Table table, size_t logits);
  void int8_head(size_t x, Int8Table int8, Table table, size_t logits);
  void rotate_and_store(size_t qkv, size_t layer);
  void attention(size_t qkv, size_t layer, size_t out);

  // Operations that measure the machine. The second returns the multiply-adds it will do.
  void read_probe(const uint8_t* data, size_t size);
  size_t multiply_add_probe(size_t rounds);

  void run(const Step& step);
  void sample(const float* logits, size_t stride, size_t n, const std::vector<SamplingRow>& rows,
              SampledToken* out);

  // Of row i: the logprob of tokens[i], and the `count` likeliest tokens; see Sampler::logprobs.
  // out: [rows], top: [rows, count].
  void logprobs(const float* logits, size_t stride, size_t n, const std::vector<int32_t>& tokens,
                size_t count, float* out, TokenLogprob* top);

  const KernelTable& kernels() const { return kernels_; }
  int num_threads() const { return pool_.size(); }
  size_t kv_cache_bytes() const { return cache_ ? cache_->bytes() : 0; }
  size_t scratch_bytes() const;  // of all rows of activations

  // Seconds spent in each kind of operation since the start, barriers included.
  const std::map<std::string, double>& seconds() const { return seconds_; }

 private:
  struct Recorded {
    std::string kind;
    std::unique_ptr<Op> op;
  };
  void record(const char* kind, std::unique_ptr<Op> op);
  void check(const Step& step) const;
  void require_attention(size_t layer) const;
  void require_product(size_t x, const TernaryWeight& weight, size_t out) const;

  const KernelTable& kernels_;
  ThreadPool pool_;
  ProgramLimits limits_;
  std::vector<std::unique_ptr<Rows>> rows_;
  std::vector<std::unique_ptr<QuantizedRows>> quantized_rows_;
  std::unique_ptr<Digits> digits_;
  std::unique_ptr<LowerBounds> bounds_;
  size_t vocab_size_ = 0;

  AttentionShape shape_{};
  std::unique_ptr<KVCache> cache_;
  std::unique_ptr<SplitQueries> split_queries_;  // for an int8 cache
  std::unique_ptr<AttentionPlan> plan_;
  std::unique_ptr<PartialAttention> parts_;
  std::vector<float> cos_, sin_;
  size_t num_positions_ = 0;

  std::vector<Recorded> ops_;
  std::vector<Sampler> samplers_;
  std::map<std::string, double> seconds_;
};
