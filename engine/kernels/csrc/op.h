// One operation of a program: independent tiles, which any worker may run in any order.
#pragma once
#include "kernel_table.h"
#include "step.h"

class Op {
 public:
  virtual ~Op() = default;
  virtual size_t num_tiles(const Step& step) const = 0;
  virtual void run_tile(const Step& step, size_t tile) = 0;
};

// Fetches weights during one of several passes over a block. A single pass runs a little ahead of
// itself; several share out the next block, which lies behind this one, so that memory is never
// idle. The first block of a tile has had nobody to fetch it: its first pass does.
inline Ahead fetch_ahead(const void* block, size_t block_bytes, size_t pass, size_t num_passes,
                         bool first_block) {
  constexpr size_t kDistance = 4096, kLine = 64;
  const char* start = static_cast<const char*>(block);
  if (num_passes == 1 || (first_block && pass == 0)) return {start + kDistance, kLine};
  if (first_block) --pass, --num_passes;
  return {start + block_bytes + block_bytes * pass / num_passes, kLine / num_passes};
}

// How many blocks to give a tile, so that each thread takes a few: long runs read fast, and several
// of them even out what threads lose to others.
inline size_t blocks_in_tile(size_t num_blocks, int num_threads) {
  constexpr size_t kTilesPerThread = 6;
  const size_t blocks = num_blocks / (size_t(num_threads) * kTilesPerThread);
  return blocks > 0 ? blocks : 1;
}
