// Memory of a program: activations, row by row.
#pragma once
#include <vector>

#include "kernel_table.h"
#include "memory.h"
#include "weight_layout.h"

// Float activations; rows are padded to whole cache lines.
struct Rows {
  Rows(size_t num_rows, size_t width)
      : num_rows(num_rows),
        width(width),
        stride(padded(width)),
        data(zeroed<float>(num_rows * stride)) {}
  size_t bytes() const { return num_rows * stride * sizeof(float); }
  float* row(size_t i) { return data.get() + i * stride; }

  size_t num_rows, width, stride;
  Memory<float> data;
};

// Int8 activations with a scale and a sum for each row; what pads a row stays zero.
struct QuantizedRows {
  QuantizedRows(size_t num_rows, size_t width)
      : num_rows(num_rows),
        width(width),
        stride(padded(width)),
        q(zeroed<int8_t>(num_rows * stride)),
        scales(num_rows),
        sums(num_rows) {}
  size_t bytes() const { return num_rows * (stride + sizeof(float) + sizeof(int32_t)); }
  QuantizedRow row(size_t i) { return {q.get() + i * stride, &scales[i], &sums[i]}; }

  size_t num_rows, width, stride;
  Memory<int8_t> q;
  std::vector<float> scales;
  std::vector<int32_t> sums;
};
