// What networks need whose weights have a scale for each group of inputs, and the SiLU gate.
// Included like row-inl.h.
#pragma once
#include "tiles/exp-inl.h"
#include "tiles/row-inl.h"

// x / (1 + exp(-x)): where exp(-x) overflows no more, as exp_lanes ends at exp(-87), the result is
// 0 to within 1e-36. For large -x the exponent is bounded by 87, too.
inline Lanes::Float silu_lanes(Lanes::Float x) {
  const Lanes::Float one = Lanes::set(1.0f);
  const Lanes::Float magnitude = Lanes::abs(x);
  const Lanes::Float small = exp_lanes(Lanes::sub(Lanes::set(0.0f), magnitude));  // in (0, 1]
  // max(x, 0) + min(x, 0) * small, over 1 + small: the same as x / (1 + exp(-x)) for both signs.
  const Lanes::Float positive = Lanes::max(x, Lanes::set(0.0f));
  const Lanes::Float negative = Lanes::sub(x, positive);
  return Lanes::div(Lanes::fma(negative, small, positive), Lanes::add(one, small));
}

void silu_gate(const float* gate, const float* up, size_t n, float* y) {
  size_t i = 0;
  for (; i + Lanes::width <= n; i += Lanes::width)
    Lanes::store(y + i, Lanes::mul(silu_lanes(Lanes::load(gate + i)), Lanes::load(up + i)));
  for (; i < n; ++i) {
    float lanes[Lanes::width];
    Lanes::store(lanes, silu_lanes(Lanes::set(gate[i])));
    y[i] = lanes[0] * up[i];
  }
}

// A sum is at most 2 * 127 * 256 in magnitude, so its conversion to float is exact.
void add_group(const int32_t* sums, int32_t x_sum, float x_scale, const uint16_t* scales,
               float* total) {
  for (size_t r = 0; r < kBlockRows; r += Lanes::width) {
    Lanes::Float scale = Lanes::set(x_scale);
    if (scales) scale = Lanes::mul(scale, Lanes::load_half(scales + r));
    const Lanes::Float value = Lanes::difference(sums + r, x_sum);
    Lanes::store(total + r, Lanes::fma(value, scale, Lanes::load(total + r)));
  }
}
