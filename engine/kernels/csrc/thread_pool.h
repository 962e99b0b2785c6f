// A fixed set of threads that run one function together, with a barrier inside it.
//
// A matrix of a small model takes microseconds, so waking threads for each would cost more than
// the arithmetic: the pool is woken once per step, and the workers then meet at spin barriers.
#pragma once
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

class ThreadPool {
 public:
  // The caller of run() is worker 0; num_threads - 1 threads are started. num_threads >= 1.
  explicit ThreadPool(int num_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return num_threads_; }

  // Runs work(worker) on every worker and returns when all are done. work must not throw.
  void run(const std::function<void(int)>& work);

  // Called by every worker inside run(): none goes on before all have come. The last to come first
  // calls its `before_all_go`.
  template <class Function>
  void barrier(Function before_all_go) {
    const unsigned phase = phase_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 < num_threads_) return wait(phase);
    before_all_go();
    arrived_.store(0, std::memory_order_relaxed);
    phase_.fetch_add(1, std::memory_order_release);
  }

 private:
  void serve(int worker);
  void wait(unsigned phase);
  bool wait_for_work(unsigned seen);

  const int num_threads_;
  std::vector<std::thread> threads_;
  const std::function<void(int)>* work_ = nullptr;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<unsigned> generation_{0};  // grows by one for each run()
  std::atomic<bool> stopping_{false};
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<unsigned> phase_{0};
};
