// Memory of a program: activations, row by row.
#pragma once
#include <stdlib.h>

#include <memory>
#include <new>
#include <vector>

#include "kernel_table.h"
#include "weight_layout.h"

struct FreeMemory {
  void operator()(void* p) const { free(p); }
};
template <class T>
using Memory = std::unique_ptr<T[], FreeMemory>;

// Zeroed memory that the system commits page by page when it is written.
template <class T>
Memory<T> zeroed(size_t count) {
  T* memory = static_cast<T*>(calloc(count ? count : 1, sizeof(T)));
  if (!memory) throw std::bad_alloc();
  return Memory<T>(memory);
}

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
