// The tiles of an operation, dealt out to the workers in equal runs.
//
// Weights lie in the order of tiles, so a worker reads on where it was, and what it fetches ahead
// is its own. One that has done its run takes the last tiles of another's: threads are never
// equally fast.
#pragma once
#include <stdint.h>

#include <atomic>
#include <vector>

class TileRanges {
 public:
  explicit TileRanges(int num_workers) : runs_(size_t(num_workers)) {}

  // Sets a worker's run of `num_tiles`. All workers' must be set before any takes.
  void deal(size_t worker, size_t num_tiles) {
    const size_t begin = num_tiles * worker / runs_.size();
    const size_t end = num_tiles * (worker + 1) / runs_.size();
    runs_[worker].bounds.store(pack(begin, end), std::memory_order_relaxed);
  }

  // The first tile of a worker's run, if nobody has taken it, or else the next that is left of it.
  size_t first(size_t worker) const {
    return begin_of(runs_[worker].bounds.load(std::memory_order_relaxed));
  }

  // The worker's next tile; false when there is none left anywhere.
  bool take(size_t worker, size_t& tile) {
    if (take_first(runs_[worker], tile)) return true;
    for (size_t i = 1; i < runs_.size(); ++i)
      if (take_last(runs_[(worker + i) % runs_.size()], tile)) return true;
    return false;
  }

 private:
  struct alignas(64) Run {
    std::atomic<uint64_t> bounds{0};  // begin in the high half, end in the low one
  };

  static uint64_t pack(uint64_t begin, uint64_t end) { return begin << 32 | end; }
  static size_t begin_of(uint64_t bounds) { return size_t(bounds >> 32); }
  static size_t end_of(uint64_t bounds) { return size_t(bounds & 0xffffffff); }

  static bool take_first(Run& run, size_t& tile) {
    uint64_t bounds = run.bounds.load(std::memory_order_relaxed);
    do {
      if ((tile = begin_of(bounds)) >= end_of(bounds)) return false;
    } while (!run.bounds.compare_exchange_weak(bounds, pack(tile + 1, end_of(bounds)),
                                               std::memory_order_relaxed));
    return true;
  }

  static bool take_last(Run& run, size_t& tile) {
    uint64_t bounds = run.bounds.load(std::memory_order_relaxed);
    do {
      if (begin_of(bounds) >= end_of(bounds)) return false;
      tile = end_of(bounds) - 1;
    } while (!run.bounds.compare_exchange_weak(bounds, pack(begin_of(bounds), tile),
                                               std::memory_order_relaxed));
    return true;
  }

  std::vector<Run> runs_;
};
