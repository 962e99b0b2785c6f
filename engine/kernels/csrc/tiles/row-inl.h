// Float kernels over one row, written once for any vector width.
//
// An ISA file defines `struct Lanes` (a vector of floats and its operations) in its anonymous
// namespace and includes this header inside it, so that every instantiation stays in that file.
// The mean of squares is summed in 32 double lanes in the same order at every width: squares of
// floats are exact in double, so the rounded int8 values are equal on every instruction set.
#pragma once

constexpr size_t kSumLanes = 32;

// Pairs, then pairs of pairs: the order in which all lane sums are folded.
template <class T>
inline T fold(T* lanes, size_t count) {
  for (size_t half = count / 2; half > 0; half /= 2)
    for (size_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  return lanes[0];
}

// Adds squares to the lanes: element i to lane i modulo kSumLanes. A multiple of it, but the last.
inline void add_squares(const float* x, size_t n, double* lanes) {
  const size_t whole = n / kSumLanes * kSumLanes;
  Lanes::add_squares(x, whole, lanes);
  for (size_t i = whole; i < n; ++i) lanes[i - whole] += double(x[i]) * double(x[i]);
}

// 1 / rms, or NaN where the mean of squares is not finite.
inline float inverse_rms(double* lanes, float eps, size_t n) {
  const float mean = float(fold(lanes, kSumLanes) / double(n));
  return 1.0f / __builtin_sqrtf(mean + eps) + mean * 0.0f;
}

inline float inverse_rms(const float* x, float eps, size_t n) {
  double lanes[kSumLanes] = {};
  add_squares(x, n, lanes);
  return inverse_rms(lanes, eps, n);
}

// weight * (x / rms), a vector or an element at a time.
struct NormedRow {
  const float *x, *weight;
  float inverse;
  Lanes::Float vector(size_t i) const {
    const Lanes::Float scaled = Lanes::mul(Lanes::load(x + i), Lanes::set(inverse));
    return Lanes::mul(Lanes::load(weight + i), scaled);
  }
  float one(size_t i) const { return weight[i] * (x[i] * inverse); }
  NormedRow from(size_t i) const { return {x + i, weight + i, inverse}; }
};

// A row as it is.
struct PlainRow {
  const float* x;
  Lanes::Float vector(size_t i) const { return Lanes::load(x + i); }
  float one(size_t i) const { return x[i]; }
  PlainRow from(size_t i) const { return {x + i}; }
};

template <class Row>
inline float largest_magnitude(const Row& row, size_t n) {
  const size_t whole = n / Lanes::width * Lanes::width;
  const size_t pairs = whole / (2 * Lanes::width) * (2 * Lanes::width);
  Lanes::Float even = Lanes::set(0.0f), odd = even;  // two, to hide the latency
  for (size_t i = 0; i < pairs; i += 2 * Lanes::width) {
    even = Lanes::max(Lanes::abs(row.vector(i)), even);
    odd = Lanes::max(Lanes::abs(row.vector(i + Lanes::width)), odd);
  }
  if (pairs < whole) even = Lanes::max(Lanes::abs(row.vector(pairs)), even);
  float result = Lanes::largest(Lanes::max(even, odd));
  for (size_t i = whole; i < n; ++i) result = __builtin_fmaxf(result, __builtin_fabsf(row.one(i)));
  return result;
}

void rms_norm(const float* x, const float* weight, float eps, size_t n, float* y) {
  const NormedRow normed = {x, weight, inverse_rms(x, eps, n)};
  size_t i = 0;
  for (; i + Lanes::width <= n; i += Lanes::width) Lanes::store(y + i, normed.vector(i));
  for (; i < n; ++i) y[i] = normed.one(i);
}

// poison: 0, or NaN where the row is not finite: a NaN must not round to a finite value.
template <class Row>
inline void quantize_group(const Row& row, size_t n, float poison, QuantizedRow out) {
  const float absmax = __builtin_fmaxf(largest_magnitude(row, n), 1e-5f);
  const float factor = 127.0f / absmax;
  size_t i = 0;
  for (; i + Lanes::width <= n; i += Lanes::width)
    Lanes::store_int8(out.q + i, Lanes::mul(row.vector(i), Lanes::set(factor)));
  for (; i < n; ++i) out.q[i] = int8_t(__builtin_lrintf(row.one(i) * factor));
  *out.sum = Lanes::sum_int8(out.q, n);
  *out.scale = absmax / 127.0f + poison;
}

template <class Row>
inline void quantize_row(const Row& row, size_t n, size_t group, float poison, QuantizedRow out) {
  for (size_t i = 0; i < n; i += group, out.q += group, ++out.scale, ++out.sum)
    quantize_group(row.from(i), n - i < group ? n - i : group, poison, out);
}

void rms_norm_quantize(const float* x, const float* weight, float eps, size_t n, size_t group,
                       QuantizedRow out) {
  const NormedRow normed = {x, weight, inverse_rms(x, eps, n)};
  quantize_row(normed, n, group, normed.inverse * 0.0f, out);
}

void quantize(const float* x, size_t n, size_t group, QuantizedRow out) {
  Lanes::Float poison = Lanes::set(0.0f);
  size_t i = 0;
  for (; i + Lanes::width <= n; i += Lanes::width)
    poison = Lanes::fma(Lanes::load(x + i), Lanes::set(0.0f), poison);
  float check = Lanes::sum(poison);
  for (; i < n; ++i) check += x[i] * 0.0f;
  quantize_row(PlainRow{x}, n, group, check, out);
}

// Sums over codes w + 1 as a product with the weights: a vector, or one.
inline Lanes::Float scaled_sums(const int32_t* sums, int32_t x_sum, float x_scale,
                                const float* row_scales) {
  const Lanes::Float scale = Lanes::mul(Lanes::set(x_scale), Lanes::load(row_scales));
  return Lanes::mul(Lanes::difference(sums, x_sum), scale);
}
inline float scaled_sum(int32_t sum, int32_t x_sum, float x_scale, float row_scale) {
  return float(sum - x_sum) * (x_scale * row_scale);
}

void scale_sums(const int32_t* sums, int32_t x_sum, float x_scale, const float* row_scales,
                size_t count, bool accumulate, float* y) {
  size_t r = 0;
  for (; r + Lanes::width <= count; r += Lanes::width) {
    Lanes::Float value = scaled_sums(sums + r, x_sum, x_scale, row_scales + r);
    if (accumulate) value = Lanes::add(Lanes::load(y + r), value);
    Lanes::store(y + r, value);
  }
  for (; r < count; ++r) {
    const float value = scaled_sum(sums[r], x_sum, x_scale, row_scales[r]);
    y[r] = accumulate ? y[r] + value : value;
  }
}

void gate_sums(const int32_t* gate, const int32_t* up, int32_t x_sum, float x_scale,
               const float* gate_scales, const float* up_scales, size_t count, float* y) {
  size_t r = 0;
  for (; r + Lanes::width <= count; r += Lanes::width) {
    const Lanes::Float positive =
        Lanes::max(scaled_sums(gate + r, x_sum, x_scale, gate_scales + r), Lanes::set(0.0f));
    Lanes::store(y + r, Lanes::mul(Lanes::mul(positive, positive),
                                   scaled_sums(up + r, x_sum, x_scale, up_scales + r)));
  }
  for (; r < count; ++r) {
    const float value = scaled_sum(gate[r], x_sum, x_scale, gate_scales[r]);
    const float positive = value > 0.0f ? value : 0.0f;
    y[r] = positive * positive * scaled_sum(up[r], x_sum, x_scale, up_scales[r]);
  }
}

void rotate(const float* x, const float* cos, const float* sin, float scale, size_t half,
            float* y) {
  size_t i = 0;
  for (; i + Lanes::width <= half; i += Lanes::width) {
    const Lanes::Float a = Lanes::load(x + i), b = Lanes::load(x + i + half);
    const Lanes::Float c = Lanes::load(cos + i), s = Lanes::load(sin + i);
    const Lanes::Float low = Lanes::sub(Lanes::mul(a, c), Lanes::mul(b, s));
    const Lanes::Float high = Lanes::add(Lanes::mul(b, c), Lanes::mul(a, s));
    Lanes::store(y + i, Lanes::mul(low, Lanes::set(scale)));
    Lanes::store(y + i + half, Lanes::mul(high, Lanes::set(scale)));
  }
  for (; i < half; ++i) {
    const float a = x[i], b = x[i + half];
    y[i] = (a * cos[i] - b * sin[i]) * scale;
    y[i + half] = (b * cos[i] + a * sin[i]) * scale;
  }
}

float half_to_float(uint16_t half) { return Lanes::from_half(half); }

void store_half(const float* x, size_t n, uint16_t* y, size_t stride) {
  size_t i = 0;
  for (; i + Lanes::width <= n; i += Lanes::width) {
    if (stride == 1) {
      Lanes::store_half(y + i, Lanes::load(x + i));
      continue;
    }
    uint16_t halves[Lanes::width];
    Lanes::store_half(halves, Lanes::load(x + i));
    for (size_t j = 0; j < Lanes::width; ++j) y[(i + j) * stride] = halves[j];
  }
  for (; i < n; ++i) y[i * stride] = Lanes::half(x[i]);
}

float int8_logits(const Int8Block& block, float* logits) {
  const auto bound = [&](size_t r) {
    return Lanes::add(Lanes::mul(Lanes::load(block.residual_norms + r), Lanes::set(block.x_norm)),
                      Lanes::mul(Lanes::load(block.norms + r), Lanes::set(block.x_error)));
  };
  Lanes::Float best = Lanes::set(-__builtin_inff());
  size_t r = 0;
  for (; r + Lanes::width <= block.count; r += Lanes::width) {
    // Every digit was 128 too large.
    const Lanes::Float high = Lanes::without_offset(block.high + r, block.sums + r);
    const Lanes::Float low = Lanes::without_offset(block.low + r, block.sums + r);
    const Lanes::Float digits = Lanes::add(Lanes::mul(Lanes::set(128.0f), high), low);
    const Lanes::Float scale = Lanes::mul(Lanes::set(block.x_scale), Lanes::load(block.scales + r));
    const Lanes::Float logit = Lanes::mul(digits, scale);
    Lanes::store(logits + r, logit);
    best = Lanes::max(Lanes::sub(logit, bound(r)), best);
  }
  float result = Lanes::largest(best);
  for (; r < block.count; ++r) {
    const int32_t offset = 128 * block.sums[r];
    const float digits = 128.0f * float(block.high[r] - offset) + float(block.low[r] - offset);
    logits[r] = digits * (block.x_scale * block.scales[r]);
    const float lower =
        logits[r] - (block.residual_norms[r] * block.x_norm + block.norms[r] * block.x_error);
    result = lower > result ? lower : result;
  }
  return result;
}

void split_digits(const float* x, size_t n, uint8_t* high, uint8_t* low, float* scale, float* norm,
                  float* error_norm) {
  constexpr float kLargest = 127 * 128 + 63;
  float absmax = 1e-30f, poison = 0.0f;
  for (size_t i = 0; i < n; ++i) {
    absmax = __builtin_fmaxf(absmax, __builtin_fabsf(x[i]));
    poison += x[i] * 0.0f;
  }
  const float factor = kLargest / absmax, step = absmax / kLargest;
  double squares = 0, error_squares = 0;
  for (size_t i = 0; i < n; ++i) {
    const float scaled = x[i] * factor;
    const long value = scaled == scaled ? __builtin_lrintf(scaled) : 0;
    const long top = (value + 64 + (128 << 7)) / 128 - 128;  // rounded; the sum is not negative
    high[i] = uint8_t(top + 128);
    low[i] = uint8_t(value - 128 * top + 128);
    const double error = double(x[i]) - double(value) * double(step);
    squares += double(x[i]) * double(x[i]);
    error_squares += error * error;
  }
  *scale = step + poison;
  *norm = float(__builtin_sqrt(squares));
  *error_norm = float(__builtin_sqrt(error_squares));
}

inline Lanes::Float load_up_to(const float* x, size_t count) {
  if (count >= Lanes::width) return Lanes::load(x);
  float lanes[Lanes::width] = {};
  for (size_t i = 0; i < count; ++i) lanes[i] = x[i];
  return Lanes::load(lanes);
}

// The cache keeps single elements, or runs of four, apart.
template <size_t Run>
inline void scatter(const int8_t* x, size_t n, size_t stride, int8_t* y) {
  size_t i = 0;
  for (; i + Run <= n; i += Run, y += stride) __builtin_memcpy(y, x + i, Run);
  for (; i < n; ++i) *y++ = x[i];
}

void store_int8(const float* x, size_t n, int8_t* y, size_t run, size_t stride, float* scale) {
  Lanes::Float best = Lanes::set(1e-30f), poison = Lanes::set(0.0f);
  for (size_t i = 0; i < n; i += Lanes::width) {
    const Lanes::Float v = load_up_to(x + i, n - i);
    best = Lanes::max(Lanes::abs(v), best);
    poison = Lanes::fma(v, Lanes::set(0.0f), poison);
  }
  const float absmax = Lanes::largest(best);
  const Lanes::Float factor = Lanes::set(127.0f / absmax);
  int8_t rounded[64];
  for (size_t first = 0; first < n; first += sizeof rounded) {
    const size_t count = n - first < sizeof rounded ? n - first : sizeof rounded;
    for (size_t i = 0; i < count; i += Lanes::width)
      Lanes::store_int8(rounded + i, Lanes::mul(load_up_to(x + first + i, count - i), factor));
    run == 4 ? scatter<4>(rounded, count, stride, y) : scatter<1>(rounded, count, stride, y);
    y += count / run * stride;
  }
  *scale = absmax / 127.0f + Lanes::sum(poison);
}
