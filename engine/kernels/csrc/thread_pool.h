// A fixed set of threads that do work in stages: the tiles of a stage in any order, stage by stage.
//
// A matrix of a small model takes microseconds, so waking threads for each would cost more than
// the arithmetic: the pool is woken once per step, and its workers spin between the stages.
//
// A stage ends when its tiles are done, not when all workers have come. So a worker that the
// system does not let run delays the others by the tiles that it holds at most, and a worker that
// still sleeps by nothing. When this happens often nevertheless, fewer threads take part: Team.
#pragma once
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "team.h"
#include "tile_ranges.h"

// What a pool runs. Methods must not throw.
class Work {
 public:
  virtual ~Work() = default;
  virtual size_t num_stages() const = 0;
  virtual size_t num_tiles(size_t stage) const = 0;
  // follows: the same worker has just run the tile before this one.
  virtual void run_tile(size_t stage, size_t tile, size_t worker, bool follows) = 0;
  // A worker is about to wait for the others. `tile` is likely to be its first one in `stage`.
  virtual void fetch_start(size_t, size_t) {}
  // All tiles of a stage are done. Called by one worker, before the next stage begins.
  virtual void end_stage(size_t) {}
};

class ThreadPool {
 public:
  // The caller of run() is worker 0; num_threads - 1 threads are started. num_threads >= 1.
  explicit ThreadPool(int num_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return int(threads_.size()) + 1; }

  // Runs all tiles of all stages, each once, and returns when they are done.
  void run(Work& work);

  // Runs function(i, worker) for every i below n.
  template <class Function>
  void for_each(size_t n, Function function);

  // How many runs were held up by a worker that the system did not let run.
  size_t num_held_up() const { return team_.num_reductions(); }

 private:
  void serve(size_t worker);
  void run_tiles(size_t worker);
  void fetch_start(size_t worker);
  void begin_stage(size_t stage, size_t worker);
  void deal(size_t stage, size_t num_tiles);
  void wake();
  bool is_over(unsigned deal) const;
  bool wait_for_deal(size_t worker, unsigned deal);
  void wait_for_others(unsigned deal);
  void watch_holders(unsigned deal);

  std::vector<std::thread> threads_;
  Team team_;
  Team::Delay delay_;  // of the current run

  TileRanges tiles_;
  alignas(64) std::atomic<size_t> left_{0};  // tiles of the stage that are not done

  // One cache line, which those who wait look at. work_ and stage_ are written while no worker
  // holds a tile, and read by those who do.
  alignas(64) std::atomic<unsigned> deal_{0};  // grows by one when a stage's tiles are dealt
  std::atomic<bool> is_running_{false};
  std::atomic<size_t> team_size_{1};  // workers below this take part
  Work* work_ = nullptr;
  size_t stage_ = 0;

  alignas(64) std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<bool> is_stopping_{false};
};

template <class Function>
void ThreadPool::for_each(size_t n, Function function) {
  struct Calls final : Work {
    Calls(size_t n, Function& function) : n(n), function(function) {}
    size_t num_stages() const override { return 1; }
    size_t num_tiles(size_t) const override { return n; }
    void run_tile(size_t, size_t i, size_t worker, bool) override { function(i, worker); }
    size_t n;
    Function& function;
  };
  Calls calls(n, function);
  run(calls);
}
