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

inline float inverse_rms(const float* x, float eps, size_t n) {
  double lanes[kSumLanes] = {};
  const size_t whole = n / kSumLanes * kSumLanes;
  Lanes::add_squares(x, whole, lanes);
  for (size_t i = whole; i < n; ++i) lanes[i - whole] += double(x[i]) * double(x[i]);
  const float mean = float(fold(lanes, kSumLanes) / double(n));
  return 1.0f / __builtin_sqrtf(mean + eps) + mean * 0.0f;  // NaN where the mean is not finite
}

inline float normed(float x, float weight, float inverse) { return weight * (x * inverse); }

inline Lanes::Float normed(const float* x, const float* weight, Lanes::Float inverse) {
  return Lanes::mul(Lanes::load(weight), Lanes::mul(Lanes::load(x), inverse));
}

void rms_norm(const float* x, const float* weight, float eps, size_t n, float* y) {
  const float inverse = inverse_rms(x, eps, n);
  size_t i = 0;
  for (; i + Lanes::width <= n; i += Lanes::width)
    Lanes::store(y + i, normed(x + i, weight + i, Lanes::set(inverse)));
  for (; i < n; ++i) y[i] = normed(x[i], weight[i], inverse);
}

void rms_norm_quantize(const float* x, const float* weight, float eps, size_t n, QuantizedRow out) {
  const float inverse = inverse_rms(x, eps, n);
  const size_t whole = n / Lanes::width * Lanes::width;
  const size_t pairs = whole / (2 * Lanes::width) * (2 * Lanes::width);
  const Lanes::Float inverses = Lanes::set(inverse);
  Lanes::Float even = Lanes::set(0.0f), odd = even;  // two, to hide the latency
  for (size_t i = 0; i < pairs; i += 2 * Lanes::width) {
    const size_t j = i + Lanes::width;
    even = Lanes::max(Lanes::abs(normed(x + i, weight + i, inverses)), even);
    odd = Lanes::max(Lanes::abs(normed(x + j, weight + j, inverses)), odd);
  }
  if (pairs < whole)
    even = Lanes::max(Lanes::abs(normed(x + pairs, weight + pairs, inverses)), even);
  float absmax = Lanes::largest(Lanes::max(even, odd));
  for (size_t i = whole; i < n; ++i)
    absmax = __builtin_fmaxf(absmax, __builtin_fabsf(normed(x[i], weight[i], inverse)));

  absmax = __builtin_fmaxf(absmax, 1e-5f);
  const float factor = 127.0f / absmax;
  for (size_t i = 0; i < whole; i += Lanes::width)
    Lanes::store_int8(out.q + i,
                      Lanes::mul(normed(x + i, weight + i, inverses), Lanes::set(factor)));
  for (size_t i = whole; i < n; ++i)
    out.q[i] = int8_t(__builtin_lrintf(normed(x[i], weight[i], inverse) * factor));
  *out.sum = Lanes::sum_int8(out.q, n);
  *out.scale = absmax / 127.0f + inverse * 0.0f;  // a NaN must not round to a finite value
}

void gated_norm_quantize(float* gate, const float* up, const float* weight, float eps, size_t n,
                         QuantizedRow out) {
  size_t i = 0;
  for (; i + Lanes::width <= n; i += Lanes::width) {
    const Lanes::Float positive = Lanes::max(Lanes::load(gate + i), Lanes::set(0.0f));
    Lanes::store(gate + i, Lanes::mul(Lanes::mul(positive, positive), Lanes::load(up + i)));
  }
  for (; i < n; ++i) {
    const float positive = gate[i] > 0.0f ? gate[i] : 0.0f;
    gate[i] = positive * positive * up[i];
  }
  rms_norm_quantize(gate, weight, eps, n, out);
}

void scale_sums(const int32_t* sums, int32_t x_sum, float x_scale, const float* row_scales,
                bool accumulate, float* y) {
  for (size_t r = 0; r < kBlockRows; r += Lanes::width) {
    const Lanes::Float scale = Lanes::mul(Lanes::set(x_scale), Lanes::load(row_scales + r));
    Lanes::Float value = Lanes::mul(Lanes::difference(sums + r, x_sum), scale);
    if (accumulate) value = Lanes::add(Lanes::load(y + r), value);
    Lanes::store(y + r, value);
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

void store_int8(const float* x, size_t n, int8_t* y, size_t stride, float* scale) {
  float absmax = 1e-30f, poison = 0.0f;
  for (size_t i = 0; i < n; ++i) {
    absmax = __builtin_fmaxf(absmax, __builtin_fabsf(x[i]));
    poison += x[i] * 0.0f;
  }
  const float factor = 127.0f / absmax;
  for (size_t i = 0; i < n; ++i) {
    const float scaled = x[i] * factor;
    y[i * stride] = scaled == scaled ? int8_t(__builtin_lrintf(scaled)) : int8_t(0);
  }
  *scale = absmax / 127.0f + poison;
}
