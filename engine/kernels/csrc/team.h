// How many threads take part in a run, where other processes want the processors too.
//
// Threads that wait for each other get no more done than the one that is let run the least. On a
// busy machine a thread is taken off its processor for milliseconds, in which a small model would
// have run many steps. So a run that was held up for a good part of its time makes the next ones
// do without as many threads as were missing. After a while more are tried again.
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

  // Threads of the run that begins now.
  size_t size(Clock::time_point now) {
    if (size_ < all_ && now >= next_change_) {
      size_ = std::min(all_, 2 * size_);
      next_change_ = now + pause_;
    }
    return size_;
  }

  void end_run(Clock::time_point start, Clock::time_point end, const Delay& delay) {
    if (delay.time * kMinPart > end - start) return reduce(end, delay.num_workers);
    if (size_ == all_ && end >= next_change_) pause_ = kMinPause;  // nothing for as long as that
  }

  size_t num_reductions() const { return num_reductions_; }

 private:
  static constexpr int kMinPart = 4;  // a quarter of a run's time
  static constexpr Clock::duration kMinPause = std::chrono::milliseconds(50);
  static constexpr Clock::duration kMaxPause = std::chrono::seconds(1);

  void reduce(Clock::time_point now, size_t num_workers) {
    ++num_reductions_;
    size_ = size_ > num_workers ? size_ - num_workers : 1;
    next_change_ = now + pause_;
    pause_ = std::min(2 * pause_, kMaxPause);
  }

  size_t all_, size_, num_reductions_ = 0;
  Clock::duration pause_ = kMinPause;
  Clock::time_point next_change_{};
};
