// Vocabulary rows, [V, K], as they lie in the checkpoint.
#pragma once
#include "kernel_table.h"
#include "ops/arrays.h"

struct Table {
  Table(Words a) : data(a.data()), is_bfloat(true), num_rows(a.shape(0)), width(a.shape(1)) {}
  Table(Matrix a) : data(a.data()), is_bfloat(false), num_rows(a.shape(0)), width(a.shape(1)) {}

  const uint16_t* bfloat_row(size_t v) const {
    return static_cast<const uint16_t*>(data) + v * width;
  }
  const float* float_row(size_t v) const { return static_cast<const float*>(data) + v * width; }

  // Rows `first` and on times `num_x` rows of x; see KernelTable::head_float.
  void multiply(const KernelTable& kernels, size_t first, size_t rows, const float* x,
                size_t x_stride, size_t num_x, float* logits, size_t logits_stride) const {
    if (is_bfloat)
      kernels.head_bfloat(bfloat_row(first), rows, x, x_stride, num_x, width, logits,
                          logits_stride);
    else
      kernels.head_float(float_row(first), rows, x, x_stride, num_x, width, logits, logits_stride);
  }

  const void* data;
  bool is_bfloat;  // else float32
  size_t num_rows, width;
};
