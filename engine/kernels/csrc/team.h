// How many threads take part in a run, where other processes want the processors too.
//
// Threads that wait for each other get no more done than the one that is let run the least. On a
// busy machine a thread is taken off its processor for milliseconds, in which a small model would
// have run many steps. So a run that was held up for an eighth of its time makes the next ones
// do without as many threads as were missing. After a while more are tried again. Time is the time
// of runs: what happens between them says nothing.
#pragma once
#include <stddef.h>

#include <algorithm>
#include <chrono>

class Team {
 public:
  using Clock = std::chrono::steady_clock;

  // What held up one run.
  struct Delay {
    Clock::duration time{0};
    size_t num_workers = 0;  // that were missing at once
  };

  explicit Team(size_t num_threads) : all_(num_threads), size_(num_threads) {}

  // Threads of the next run.
  size_t size() const { return size_; }

  void end_run(Clock::duration time, const Delay& delay) {
    ran_ += time;
    if (delay.time * kMinPart > time) return reduce(delay.num_workers);
    if (ran_ < pause_) return;
    ran_ = Clock::duration(0);
    if (size_ == all_) pause_ = kMinPause;
    size_ = std::min(all_, 2 * size_);
  }

  size_t num_reductions() const { return num_reductions_; }

 private:
  static constexpr int kMinPart = 8;  // an eighth of a run's time
  static constexpr Clock::duration kMinPause = std::chrono::milliseconds(50);
  static constexpr Clock::duration kMaxPause = std::chrono::seconds(1);

  void reduce(size_t num_workers) {
    ++num_reductions_;
    size_ = size_ > num_workers ? size_ - num_workers : 1;
    pause_ = std::min(2 * pause_, kMaxPause);
    ran_ = Clock::duration(0);
  }

  size_t all_, size_, num_reductions_ = 0;
  Clock::duration pause_ = kMinPause;  // how long a size is kept
  Clock::duration ran_{0};             // with this size
};
