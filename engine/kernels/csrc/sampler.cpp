#include "sampler.h"

#include <math.h>

#include <algorithm>

SampledToken Sampler::sample(const float* logits, size_t n, const SamplingRow& row) {
  const float largest = kernels_.largest(logits, n);
  if (!isfinite(largest) || largest == kBanned) return {-1, NAN};
  const int32_t token = row.temperature > 0
                            ? draw(logits, n, largest, row)
                            : int32_t(std::find(logits, logits + n, largest) - logits);
  const double total = kernels_.sum_exp(logits, n, largest, 1.0f);
  return {token, float(double(logits[token]) - double(largest) - log(total))};
}

float Sampler::logprobs(const float* logits, size_t n, int32_t token, size_t count,
                        TokenLogprob* top) {
  const float largest = kernels_.largest(logits, n);
  std::fill(top, top + count, TokenLogprob{-1, NAN});
  if (!isfinite(largest)) return NAN;
  const double log_total = log(kernels_.sum_exp(logits, n, largest, 1.0f));
  const auto logprob = [&](int32_t id) {  // as in sample(), to the last bit
    return float(double(logits[id]) - double(largest) - log_total);
  };
  if (count) {
    collect(logits, n, largest, 1.0f, top_k_bound(logits, n, count));
    const size_t num_top = std::min(count, kept_.size());
    std::partial_sort(kept_.begin(), kept_.begin() + long(num_top), kept_.end(), ranks_before);
    for (size_t i = 0; i < num_top; ++i) top[i] = {kept_[i].token, logprob(kept_[i].token)};
  }
  return logprob(token);
}

int32_t Sampler::draw(const float* logits, size_t n, float largest, const SamplingRow& row) {
  const bool limit_k = row.top_k > 0 && size_t(row.top_k) < n, limit_p = row.top_p < 1.0f;
  if (!limit_k && !limit_p && row.min_p <= 0) return draw_unfiltered(logits, n, largest, row);

  const double temperature = row.temperature;
  double bound = row.min_p > 0 ? largest + temperature * log(double(row.min_p)) : -INFINITY;
  if (limit_k) bound = std::max(bound, top_k_bound(logits, n, size_t(row.top_k)));
  double total = 0;
  if (!limit_k && row.min_p <= 0) {
    // Tokens less likely than (1 - p) / n hold less than 1 - p together: none is in the nucleus.
    total = kernels_.sum_exp(logits, n, largest, float(1 / temperature));
    const double least = (1 - double(row.top_p)) * total / double(n);
    bound = largest + temperature * log(least * (1 - 1e-5));  // float rounding in `total`
  }
  collect(logits, n, largest, row.temperature, bound);
  if (limit_k && kept_.size() > size_t(row.top_k)) keep_until(kth(size_t(row.top_k)));
  if (total == 0) total = kept_mass();
  if (limit_p) keep_until(last_of_nucleus(double(row.top_p) * total));

  double left = row.uniform * kept_mass();
  for (const Candidate& candidate : kept_)
    if ((left -= candidate.weight) < 0) return candidate.token;
  return kept_.back().token;
}

int32_t Sampler::draw_unfiltered(const float* logits, size_t n, float largest,
                                 const SamplingRow& row) {
  row_.resize(n);
  kernels_.exp_row(logits, n, largest, 1.0f / row.temperature, row_.data());
  double total = 0;
  size_t last = 0;
  for (size_t i = 0; i < n; ++i) {
    if (logits[i] == kBanned)
      row_[i] = 0.0f;
    else
      last = i;
    total += double(row_[i]);
  }
  double left = row.uniform * total;
  for (size_t i = 0; i < n; ++i)
    if ((left -= double(row_[i])) < 0) return int32_t(i);
  return int32_t(last);
}

// The k-th largest of the maxima of small groups: at least k logits reach it, and few more.
double Sampler::top_k_bound(const float* logits, size_t n, size_t k) {
  constexpr size_t kGroup = 32;
  row_.clear();
  for (size_t i = 0; i < n; i += kGroup)
    row_.push_back(*std::max_element(logits + i, logits + std::min(i + kGroup, n)));
  if (k > row_.size()) return -INFINITY;
  std::nth_element(row_.begin(), row_.begin() + long(k - 1), row_.end(), std::greater<float>());
  return double(row_[k - 1]);
}

void Sampler::collect(const float* logits, size_t n, float largest, float temperature,
                      double bound) {
  bound = std::max(bound, double(nextafterf(kBanned, 0.0f)));
  kept_.clear();
  for (size_t i = 0; i < n; ++i)
    if (double(logits[i]) >= bound)
      kept_.push_back({logits[i], int32_t(i), exp((double(logits[i]) - largest) / temperature)});
}

void Sampler::keep_until(const Candidate& last) {
  kept_.erase(std::remove_if(kept_.begin(), kept_.end(),
                             [&](const Candidate& c) { return ranks_before(last, c); }),
              kept_.end());
}

Sampler::Candidate Sampler::kth(size_t k) {
  ranking_ = kept_;
  std::nth_element(ranking_.begin(), ranking_.begin() + long(k - 1), ranking_.end(), ranks_before);
  return ranking_[k - 1];
}

double Sampler::kept_mass() const {
  double mass = 0;
  for (const Candidate& candidate : kept_) mass += candidate.weight;
  return mass;
}

// Quickselect by mass: the candidate at which the ranked weights first add up to `mass`.
Sampler::Candidate Sampler::last_of_nucleus(double mass) {
  ranking_ = kept_;
  auto begin = ranking_.begin(), end = ranking_.end();
  Candidate last = *begin;
  while (begin != end) {
    const Candidate pivot = begin[(end - begin) / 2];
    const auto middle =
        std::partition(begin, end, [&](const Candidate& c) { return ranks_before(c, pivot); });
    double above = 0;
    for (auto c = begin; c != middle; ++c) above += c->weight;
    if (above >= mass) {
      end = middle;
      continue;
    }
    last = pivot;
    mass -= above + pivot.weight;
    if (mass <= 0) break;
    std::iter_swap(middle, std::find_if(middle, end, [&](const Candidate& c) {
                     return c.token == pivot.token;
                   }));
    begin = middle + 1;
  }
  return last;
}
