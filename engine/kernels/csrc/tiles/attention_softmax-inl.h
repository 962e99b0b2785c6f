// The running softmax of attention, span by span: weights relative to the largest score so far, and
// how much what was summed before shrinks by. Included like row-inl.h.
#pragma once
#include "tiles/exp-inl.h"

// How many of the span's tokens a query sees.
inline size_t num_visible(const AttentionTile& tile, size_t q, size_t start, size_t tokens) {
  const int64_t ahead = int64_t(tile.positions[q]) - int64_t(start) + 1;
  return ahead < 0 ? 0 : (ahead < int64_t(tokens) ? size_t(ahead) : tokens);
}

inline float largest_of(const float* x, size_t tokens) {
  Lanes::Float best = Lanes::load(x);
  for (size_t t = Lanes::width; t < tokens; t += Lanes::width)
    best = Lanes::max(best, Lanes::load(x + t));
  return Lanes::largest(best);
}

// Hides what a query does not see, and renews the largest scores. `tokens` of the span have scores,
// `held` with what fills their last block. shrink: exp(largest before - largest now).
template <size_t Q>
inline void begin_softmax(const AttentionTile& tile, size_t start, size_t tokens, size_t held,
                          float scores[][kSpanTokens], size_t* visible, float* shrink) {
  for (size_t q = 0; q < Q; ++q) {
    visible[q] = num_visible(tile, q, start, tokens);
    for (size_t t = visible[q]; t < held; ++t) scores[q][t] = -__builtin_inff();
    const float found = largest_of(scores[q], held), before = *tile.largest[q];
    *tile.largest[q] = found > before ? found : before;
    shrink[q] = visible[q] ? before - *tile.largest[q] : 0.0f;
  }
  exp_row(shrink, Q, 0.0f, 1.0f, shrink);
}

inline void clear(float* x, size_t begin, size_t end) {
  for (size_t t = begin; t < end; ++t) x[t] = 0.0f;
}

// Scores become weights, 0 past `visible`, and the total is renewed.
inline void softmax_weights(float* scores, size_t held, size_t visible, float largest, float shrink,
                            float& total) {
  if (visible == 0) return clear(scores, 0, held);
  const Lanes::Float shift = Lanes::set(largest);
  for (size_t t = 0; t < held; t += Lanes::width)
    Lanes::store(scores + t, exp_lanes(Lanes::sub(Lanes::load(scores + t), shift)));
  clear(scores, visible, held);
  Lanes::Float sum = Lanes::load(scores);
  for (size_t t = Lanes::width; t < held; t += Lanes::width)
    sum = Lanes::add(sum, Lanes::load(scores + t));
  total = total * shrink + Lanes::sum(sum);
}
