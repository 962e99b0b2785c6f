#include "thread_pool.h"

#include <pthread.h>
#include <time.h>

namespace {

// Long enough for the gaps inside a step and between two steps, short enough to idle at no cost.
constexpr int kSpinsBeforeYield = 2000;
constexpr int kSpinsBeforeSleep = 20000;

// How long a worker is watched before it is said to run or not.
constexpr auto kWatchTime = std::chrono::microseconds(200);

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

std::chrono::nanoseconds processor_time(std::thread& thread) {
  clockid_t clock;
  timespec time{};
  if (pthread_getcpuclockid(thread.native_handle(), &clock) == 0) clock_gettime(clock, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

ThreadPool::ThreadPool(int num_threads) : team_(size_t(num_threads)), tiles_(size_t(num_threads)) {
  for (size_t worker = 1; worker < size_t(num_threads); ++worker)
    threads_.emplace_back([this, worker] { serve(worker); });
}

ThreadPool::~ThreadPool() {
  is_stopping_ = true;
  wake();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::run(Work& work) {
  const auto start = Team::Clock::now();
  team_size_ = team_.size(start);
  delay_ = {};
  work_ = &work;
  is_running_ = true;
  begin_stage(0, 0);
  if (is_running_ && team_size_ > 1) wake();
  while (is_running_.load(std::memory_order_acquire)) {
    const unsigned deal = deal_.load(std::memory_order_acquire);
    run_tiles(0);
    wait_for_others(deal);
  }
  team_.end_run(start, Team::Clock::now(), delay_);
}

void ThreadPool::serve(size_t worker) {
  for (unsigned deal = 0; wait_for_deal(worker, deal);) {
    deal = deal_.load(std::memory_order_acquire);
    run_tiles(worker);
  }
}

// Runs what is left of the stage. Who holds a tile, or has one not yet taken off `left_`, keeps
// the stage from ending; so the stage is the same for all tiles of this call.
void ThreadPool::run_tiles(size_t worker) {
  size_t tile, num_done = 0, next = SIZE_MAX;
  for (; tiles_.take(worker, tile); next = tile + 1, ++num_done) {
    if (num_done == 0) tiles_.set_holding(worker, true);
    work_->run_tile(stage_, tile, worker, tile == next);
  }
  if (num_done == 0) return;
  fetch_start(worker);
  if (left_.fetch_sub(num_done, std::memory_order_acq_rel) == num_done) {
    work_->end_stage(stage_);
    begin_stage(stage_ + 1, worker);
  }
  tiles_.set_holding(worker, false);
}

// For the worker's share of the next stage that has one.
void ThreadPool::fetch_start(size_t worker) {
  for (size_t stage = stage_ + 1; stage < work_->num_stages(); ++stage) {
    const size_t num_tiles = work_->num_tiles(stage);
    if (num_tiles > 1)
      return work_->fetch_start(stage, TileRanges::first(worker, num_tiles, team_size_));
  }
}

// Deals the tiles of this stage, or of a later one; ends the run after the last. A single tile is
// run at once: to hand it over would take longer than most of them do.
void ThreadPool::begin_stage(size_t stage, size_t worker) {
  for (; stage < work_->num_stages(); work_->end_stage(stage++)) {
    const size_t num_tiles = work_->num_tiles(stage);
    if (num_tiles > 1) return deal(stage, num_tiles);
    if (num_tiles == 1) work_->run_tile(stage, 0, worker, false);
  }
  is_running_.store(false,
                    std::memory_order_release);  // the caller may return: leave its work alone
}

void ThreadPool::deal(size_t stage, size_t num_tiles) {
  stage_ = stage;
  left_.store(num_tiles, std::memory_order_relaxed);
  tiles_.deal(num_tiles, team_size_);
  deal_.store(deal_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

void ThreadPool::wake() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
  }  // nobody is between looking and sleeping
  wake_.notify_all();
}

// False when the pool ends.
bool ThreadPool::wait_for_deal(size_t worker, unsigned deal) {
  const auto is_dealt = [&] {
    return deal_.load(std::memory_order_acquire) != deal && worker < team_size_;
  };
  for (int spins = 0, idle_spins = 0; idle_spins < kSpinsBeforeSleep && worker < team_size_;) {
    if (is_dealt()) return true;
    if (is_stopping_) return false;
    pause();
    if (!is_running_) {
      ++idle_spins;
    } else if (++spins > kSpinsBeforeYield) {
      std::this_thread::yield();  // its core may be needed by the last
    }
  }
  std::unique_lock<std::mutex> lock(mutex_);
  wake_.wait(lock, [&] { return is_stopping_ || is_dealt(); });
  return !is_stopping_;
}

bool ThreadPool::is_over(unsigned deal) const {
  return deal_.load(std::memory_order_acquire) != deal ||
         !is_running_.load(std::memory_order_acquire);
}

void ThreadPool::wait_for_others(unsigned deal) {
  for (int spins = 0; spins < kSpinsBeforeYield; ++spins) {
    if (is_over(deal)) return;
    pause();
  }
  while (!is_over(deal)) watch_holders(deal);
}

// Waits for a moment, and sees how many of the workers that hold tiles have not run meanwhile.
void ThreadPool::watch_holders(unsigned deal) {
  std::vector<std::chrono::nanoseconds> ran(threads_.size());
  for (size_t i = 0; i < ran.size(); ++i)
    if (tiles_.is_holding(i + 1)) ran[i] = processor_time(threads_[i]);
  const auto start = Team::Clock::now();
  while (!is_over(deal) && Team::Clock::now() - start < kWatchTime) std::this_thread::yield();
  const auto waited = Team::Clock::now() - start;
  size_t num_missing = 0;
  for (size_t i = 0; i < ran.size(); ++i)
    if (ran[i].count() && tiles_.is_holding(i + 1) &&
        2 * (processor_time(threads_[i]) - ran[i]) < waited)
      ++num_missing;
  if (num_missing == 0 || is_over(deal)) return;
  delay_.time += waited;
  delay_.num_workers = std::max(delay_.num_workers, num_missing);
}
