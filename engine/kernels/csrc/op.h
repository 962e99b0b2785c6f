// One operation of a program: independent tiles, which any worker may run in any order.
#pragma once
#include "step.h"

class Op {
 public:
  virtual ~Op() = default;
  virtual size_t num_tiles(const Step& step) const = 0;
  virtual void run_tile(const Step& step, size_t tile) = 0;
};
