// One operation of a program: independent tiles, which any worker may run in any order.
#pragma once
#include "kernel_table.h"
#include "step.h"

class Op {
 public:
  virtual ~Op() = default;
  virtual size_t num_tiles(const Step& step) const = 0;
  // follows: the same worker has just run the tile before this one.
  virtual void run_tile(const Step& step, size_t tile, bool follows) = 0;
  // Begins to fetch what a tile reads first: the worker is about to wait for the others.
  virtual void fetch_start(const Step&, size_t) const {}
};

constexpr size_t kFetchDistance = 8192;  // bytes: what a thread reads in the time memory takes
constexpr size_t kLine = 64;

inline void fetch(const void* block) {
  const char* start = static_cast<const char*>(block);
  for (size_t i = 0; i < kFetchDistance; i += kLine) __builtin_prefetch(start + i, 0, 2);
}

// Fetches weights during one of several passes over a block. A single pass runs a little ahead of
// itself; several share out the next block, which lies behind this one, so that memory is never
// idle. A block that has had nobody to fetch it is fetched by its first pass.
inline Ahead fetch_ahead(const void* block, size_t block_bytes, size_t pass, size_t num_passes,
                         bool is_fetched) {
  const char* start = static_cast<const char*>(block);
  if (num_passes == 1 || (!is_fetched && pass == 0)) return {start + kFetchDistance, kLine};
  if (!is_fetched) --pass, --num_passes;
  return {start + block_bytes + block_bytes * pass / num_passes,
          (kLine + num_passes - 1) / num_passes};
}
