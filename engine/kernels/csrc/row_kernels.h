// Float kernels over one row, written once for any vector width.
//
// An ISA file defines `struct Lanes` (a vector of floats and its operations) in its anonymous
// namespace and includes this header inside it, so that every instantiation stays in that file.
// The mean of squares is summed in 16 double lanes in the same order at every width: squares of
// floats are exact in double, so the rounded int8 values are equal on every instruction set.
#pragma once

constexpr size_t kSumLanes = 16;

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
  Lanes::Float largest = Lanes::set(0.0f);
  for (size_t i = 0; i < whole; i += Lanes::width)
    largest = Lanes::max(Lanes::abs(normed(x + i, weight + i, Lanes::set(inverse))), largest);
  float absmax = Lanes::largest(largest);
  for (size_t i = whole; i < n; ++i)
    absmax = __builtin_fmaxf(absmax, __builtin_fabsf(normed(x[i], weight[i], inverse)));

  absmax = __builtin_fmaxf(absmax, 1e-5f);
  const float factor = 127.0f / absmax;
  for (size_t i = 0; i < whole; i += Lanes::width)
    Lanes::store_int8(
        out.q + i, Lanes::mul(normed(x + i, weight + i, Lanes::set(inverse)), Lanes::set(factor)));
  for (size_t i = whole; i < n; ++i)
    out.q[i] = int8_t(__builtin_lrintf(normed(x[i], weight[i], inverse) * factor));
  int32_t sum = 0;
  for (size_t i = 0; i < n; ++i) sum += out.q[i];
  *out.sum = sum;
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
  for (size_t i = 0; i < half; ++i) {
    const float a = x[i], b = x[i + half];
    y[i] = (a * cos[i] - b * sin[i]) * scale;
    y[i + half] = (b * cos[i] + a * sin[i]) * scale;
  }
}

void store_half(const float* x, size_t n, uint16_t* y, size_t stride) {
  for (size_t i = 0; i < n; ++i) y[i * stride] = Lanes::half(x[i]);
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
