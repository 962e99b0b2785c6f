#include "thread_pool.h"

namespace {

// Long enough for the gaps inside a step and between two steps, short enough to idle at no cost.
constexpr int kSpinsBeforeYield = 2000;
constexpr int kSpinsBeforeSleep = 20000;

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

}  // namespace

ThreadPool::ThreadPool(int num_threads) : num_threads_(num_threads) {
  for (int worker = 1; worker < num_threads; ++worker)
    threads_.emplace_back([this, worker] { serve(worker); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::run(const std::function<void(int)>& work) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    work_ = &work;
    generation_.fetch_add(1, std::memory_order_release);
  }
  wake_.notify_all();
  work(0);
  barrier([] {});
}

void ThreadPool::wait(unsigned phase) {
  for (int spins = 0; phase_.load(std::memory_order_acquire) == phase; ++spins) {
    pause();
    if (spins > kSpinsBeforeYield) std::this_thread::yield();  // its core may be needed by the last
  }
}

void ThreadPool::serve(int worker) {
  for (unsigned seen = 0; wait_for_work(seen); ++seen) {
    (*work_)(worker);
    barrier([] {});
  }
}

// False when the pool ends.
bool ThreadPool::wait_for_work(unsigned seen) {
  for (int spins = 0; spins < kSpinsBeforeSleep; ++spins) {
    if (generation_.load(std::memory_order_acquire) != seen) return true;
    if (stopping_) return false;
    pause();
  }
  std::unique_lock<std::mutex> lock(mutex_);
  wake_.wait(lock, [&] { return stopping_ || generation_ != seen; });
  return !stopping_ || generation_ != seen;
}
