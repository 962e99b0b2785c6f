// The tiles of a stage, dealt out to the workers in equal runs.
//
// Weights lie in the order of tiles, so a worker reads on where it was, and what it fetches ahead
// is its own. One that has done its run takes the last tiles of another's: threads are never
// equally fast.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include <atomic>
#include <vector>

class TileRanges {
 public:
  explicit TileRanges(size_t num_workers) : runs_(num_workers) {}

  // Deals tiles to the workers below `team`, when all of the stage before have been taken. What
  // the caller has written before, those see who take one.
  void deal(size_t num_tiles, size_t team) {
    for (size_t worker = 0; worker < team; ++worker)
      runs_[worker].bounds.store(
          pack(first(worker, num_tiles, team), first(worker + 1, num_tiles, team)),
          std::memory_order_release);
  }

  // The first tile of a worker's run.
  static size_t first(size_t worker, size_t num_tiles, size_t team) {
    return num_tiles * worker / team;
  }

  // The worker's next tile; false when there is none left anywhere.
  bool take(size_t worker, size_t& tile) {
    if (take_first(runs_[worker], tile)) return true;
    for (size_t i = 1; i < runs_.size(); ++i)
      if (take_last(runs_[(worker + i) % runs_.size()], tile)) return true;
    return false;
  }

  // Whether a worker has tiles that it has not said are done.
  void set_holding(size_t worker, bool holds) {
    runs_[worker].is_holding.store(holds, std::memory_order_relaxed);
  }
  bool is_holding(size_t worker) const {
    return runs_[worker].is_holding.load(std::memory_order_relaxed);
  }

 private:
  struct alignas(64) Run {
    std::atomic<uint64_t> bounds{0};  // begin in the high half, end in the low one
    std::atomic<bool> is_holding{false};
  };

  static uint64_t pack(uint64_t begin, uint64_t end) { return begin << 32 | end; }
  static size_t begin_of(uint64_t bounds) { return size_t(bounds >> 32); }
  static size_t end_of(uint64_t bounds) { return size_t(bounds & 0xffffffff); }

  static bool take_first(Run& run, size_t& tile) {
    uint64_t bounds = run.bounds.load(std::memory_order_relaxed);
    do {
      if ((tile = begin_of(bounds)) >= end_of(bounds)) return false;
    } while (!exchange(run, bounds, pack(tile + 1, end_of(bounds))));
    return true;
  }

  static bool take_last(Run& run, size_t& tile) {
    uint64_t bounds = run.bounds.load(std::memory_order_relaxed);
    do {
      if (begin_of(bounds) >= end_of(bounds)) return false;
      tile = end_of(bounds) - 1;
    } while (!exchange(run, bounds, pack(begin_of(bounds), tile)));
    return true;
  }

  static bool exchange(Run& run, uint64_t& from, uint64_t to) {
    return run.bounds.compare_exchange_weak(from, to, std::memory_order_acquire,
                                            std::memory_order_relaxed);
  }

  std::vector<Run> runs_;
};
