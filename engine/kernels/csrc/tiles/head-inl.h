// The output head: dot products of hidden states with vocabulary rows. Included like row-inl.h.
//
// A tile is kHeadTileRows vocabulary rows by up to 4 hidden states; each dot product has one
// vector of sums, so its order is the same in every tile.
#pragma once

inline Lanes::Float load_weight(const uint16_t* p) { return Lanes::load_bfloat(p); }
inline Lanes::Float load_weight(const float* p) { return Lanes::load(p); }

inline float weight_value(const uint16_t* p) {
  const uint32_t bits = uint32_t(*p) << 16;
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}
inline float weight_value(const float* p) { return *p; }

template <size_t R, size_t S, class Weight>
inline void head_dots(const Weight* weight, const float* x, size_t x_stride, size_t n,
                      float* logits, size_t logits_stride) {
  Lanes::Float sum[R][S];
#pragma GCC unroll 16
  for (size_t r = 0; r < R; ++r)
#pragma GCC unroll 16
    for (size_t s = 0; s < S; ++s) sum[r][s] = Lanes::set(0.0f);
  size_t i = 0;
  for (; i + Lanes::width <= n; i += Lanes::width) {
    Lanes::Float xs[S];
#pragma GCC unroll 16
    for (size_t s = 0; s < S; ++s) xs[s] = Lanes::load(x + s * x_stride + i);
#pragma GCC unroll 16
    for (size_t r = 0; r < R; ++r) {
      const Lanes::Float w = load_weight(weight + r * n + i);
      __builtin_prefetch(weight + (R + r) * n + i);  // the next tile's rows
#pragma GCC unroll 16
      for (size_t s = 0; s < S; ++s) sum[r][s] = Lanes::fma(w, xs[s], sum[r][s]);
    }
  }
  for (size_t r = 0; r < R; ++r)
    for (size_t s = 0; s < S; ++s) {
      float total = Lanes::sum(sum[r][s]);
      for (size_t j = i; j < n; ++j)
        total += weight_value(weight + r * n + j) * x[s * x_stride + j];
      logits[s * logits_stride + r] = total;
    }
}

template <size_t R, class Weight>
inline void head_rows(const Weight* weight, const float* x, size_t x_stride, size_t num_x, size_t n,
                      float* logits, size_t logits_stride) {
  size_t s = 0;
  for (; s + 4 <= num_x; s += 4)
    head_dots<R, 4>(weight, x + s * x_stride, x_stride, n, logits + s * logits_stride,
                    logits_stride);
  for (; s < num_x; ++s)
    head_dots<R, 1>(weight, x + s * x_stride, x_stride, n, logits + s * logits_stride,
                    logits_stride);
}

template <class Weight>
inline void head(const Weight* weight, size_t rows, const float* x, size_t x_stride, size_t num_x,
                 size_t n, float* logits, size_t logits_stride) {
  if (rows == kHeadTileRows)
    return head_rows<kHeadTileRows>(weight, x, x_stride, num_x, n, logits, logits_stride);
  for (size_t r = 0; r < rows; ++r)
    head_rows<1>(weight + r * n, x, x_stride, num_x, n, logits + r, logits_stride);
}

void head_bfloat(const uint16_t* weight, size_t rows, const float* x, size_t x_stride, size_t num_x,
                 size_t n, float* logits, size_t logits_stride) {
  head(weight, rows, x, x_stride, num_x, n, logits, logits_stride);
}

void head_float(const float* weight, size_t rows, const float* x, size_t x_stride, size_t num_x,
                size_t n, float* logits, size_t logits_stride) {
  head(weight, rows, x, x_stride, num_x, n, logits, logits_stride);
}
