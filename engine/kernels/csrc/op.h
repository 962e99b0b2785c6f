// One operation of a program: independent tiles, which any worker may run in any order.
#pragma once
#include "step.h"

class Op {
 public:
  virtual ~Op() = default;
  virtual size_t num_tiles(const Step& step) const = 0;
  virtual void run_tile(const Step& step, size_t tile) = 0;
};

// Where to fetch weights from during one of several passes over a block: the first pass runs a
// little ahead of itself, the others fetch the next block, which lies behind this one.
inline const void* fetch_ahead(const void* block, size_t block_bytes, size_t pass) {
  constexpr size_t kDistance = 4096;
  return static_cast<const char*>(block) + (pass == 0 ? kDistance : block_bytes);
}

// How many blocks to give a tile, so that each thread takes a few: long runs read fast, and several
// of them even out what threads lose to others.
inline size_t blocks_in_tile(size_t num_blocks, int num_threads) {
  constexpr size_t kTilesPerThread = 6;
  const size_t blocks = num_blocks / (size_t(num_threads) * kTilesPerThread);
  return blocks > 0 ? blocks : 1;
}
