// exp() over vectors: the softmax of attention and of sampling. Included like row-inl.h.
//
// exp(x) = 2^n * p(r) with n = round(x / ln 2) and r in [-ln 2 / 2, ln 2 / 2]; p is the Taylor
// polynomial of degree 6 in Horner form, whose first neglected term is r^7 / 7! < 1.2e-7 relative.
// Below -87 the result is treated as the smallest normal numbers: 0 to every sum that has a 1 in
// it.
#pragma once

inline Lanes::Float exp_lanes(Lanes::Float x) {
  x = Lanes::max(x, Lanes::set(-87.0f));
  const Lanes::Float n = Lanes::round(Lanes::mul(x, Lanes::set(1.44269504f)));
  Lanes::Float r = Lanes::fma(n, Lanes::set(-0.693359375f), x);  // ln 2 in two parts
  r = Lanes::fma(n, Lanes::set(2.12194440e-4f), r);
  Lanes::Float p = Lanes::set(1.0f / 720);
  p = Lanes::fma(p, r, Lanes::set(1.0f / 120));
  p = Lanes::fma(p, r, Lanes::set(1.0f / 24));
  p = Lanes::fma(p, r, Lanes::set(1.0f / 6));
  p = Lanes::fma(p, r, Lanes::set(0.5f));
  p = Lanes::fma(p, r, Lanes::set(1.0f));
  p = Lanes::fma(p, r, Lanes::set(1.0f));
  return Lanes::scale_by_power_of_two(p, n);
}

inline float exp_one(float x) {
  float lanes[Lanes::width];
  Lanes::store(lanes, exp_lanes(Lanes::set(x)));
  return lanes[0];
}

float largest(const float* x, size_t n) {
  Lanes::Float best = Lanes::set(-__builtin_inff());
  Lanes::Float poison = Lanes::set(0.0f);  // 0 * x is NaN for NaN and for infinities
  const size_t whole = n / Lanes::width * Lanes::width;
  for (size_t i = 0; i < whole; i += Lanes::width) {
    const Lanes::Float v = Lanes::load(x + i);
    best = Lanes::max(v, best);
    poison = Lanes::fma(v, Lanes::set(0.0f), poison);
  }
  float result = Lanes::largest(best), check = Lanes::sum(poison);
  for (size_t i = whole; i < n; ++i) {
    result = x[i] > result ? x[i] : result;
    check += x[i] * 0.0f;
  }
  return result + check;
}

void exp_row(const float* x, size_t n, float shift, float factor, float* y) {
  size_t i = 0;
  for (; i + Lanes::width <= n; i += Lanes::width)
    Lanes::store(y + i, exp_lanes(Lanes::mul(Lanes::sub(Lanes::load(x + i), Lanes::set(shift)),
                                             Lanes::set(factor))));
  for (; i < n; ++i) y[i] = exp_one((x[i] - shift) * factor);
}

// Chunks are summed in float, at most 64 terms a lane, and the chunks in double.
double sum_exp(const float* x, size_t n, float shift, float factor) {
  constexpr size_t kChunk = 64 * Lanes::width;
  double total = 0;
  size_t i = 0;
  while (i + Lanes::width <= n) {
    const size_t end = i + kChunk < n ? i + kChunk : n;
    Lanes::Float sum = Lanes::set(0.0f);
    for (; i + Lanes::width <= end; i += Lanes::width)
      sum = Lanes::add(sum, exp_lanes(Lanes::mul(Lanes::sub(Lanes::load(x + i), Lanes::set(shift)),
                                                 Lanes::set(factor))));
    total += double(Lanes::sum(sum));
  }
  for (; i < n; ++i) total += double(exp_one((x[i] - shift) * factor));
  return total;
}
