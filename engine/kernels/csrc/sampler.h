// Draws a token from one row of logits. Never sorts the vocabulary: every step is linear in it.
#pragma once
#include <float.h>

#include <vector>

#include "kernel_table.h"

// A token with this logit is never drawn, at no temperature.
constexpr float kBanned = -FLT_MAX;

// The filters apply in the order min_p, top_k, top_p; equal logits rank by token id, low first.
struct SamplingRow {
  float temperature;  // 0: the most likely token
  int32_t top_k;      // keep the k most likely; 0: all
  float top_p;        // keep the fewest most likely tokens that hold this much probability
  float min_p;        // keep tokens at least this likely relative to the most likely one
  double uniform;     // in [0, 1): picks among what is kept, in order of token id
};

struct SampledToken {
  int32_t token;  // -1 where the logits are not all finite, or ban every token
  float logprob;  // natural log of its probability before temperature and filters
};

struct TokenLogprob {
  int32_t token;
  float logprob;
};

// Holds scratch memory: one for each thread.
class Sampler {
 public:
  explicit Sampler(const KernelTable& kernels) : kernels_(kernels) {}
  SampledToken sample(const float* logits, size_t n, const SamplingRow& row);

  // Returns the logprob of `token`, and writes the `count` likeliest tokens, best first; past the
  // end of the vocabulary their ids are -1. Every logprob is NaN where the logits are not all
  // finite.
  float logprobs(const float* logits, size_t n, int32_t token, size_t count, TokenLogprob* top);

 private:
  struct Candidate {
    float logit;
    int32_t token;
    double weight;  // exp((logit - largest) / temperature)
  };
  static bool ranks_before(const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
  }

  int32_t draw(const float* logits, size_t n, float largest, const SamplingRow& row);
  int32_t draw_unfiltered(const float* logits, size_t n, float largest, const SamplingRow& row);
  double top_k_bound(const float* logits, size_t n, size_t k);
  void collect(const float* logits, size_t n, float largest, float temperature, double bound);
  void keep_until(const Candidate& last);
  Candidate kth(size_t k);
  Candidate last_of_nucleus(double mass);
  double kept_mass() const;

  const KernelTable& kernels_;
  std::vector<Candidate> kept_;     // in order of token id
  std::vector<Candidate> ranking_;  // partly ordered copy, for selection
  std::vector<float> row_;
};
