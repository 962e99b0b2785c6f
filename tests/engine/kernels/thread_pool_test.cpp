// What thread_pool.h and team.h promise; test_thread_pool.py compiles this and runs each part.
#include "thread_pool.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>

namespace {

void expect(bool holds, const char* what) {
  if (holds) return;
  fprintf(stderr, "not so: %s\n", what);
  exit(1);
}

// Stages of given sizes, which count how often each tile is run.
struct Counted : Work {
  explicit Counted(std::vector<size_t> sizes) : sizes(std::move(sizes)) {
    for (size_t size : this->sizes) {
      counts.push_back(std::make_unique<std::atomic<int>[]>(size + 1));
      for (size_t i = 0; i < size; ++i) counts.back()[i] = 0;
    }
  }
  size_t num_stages() const override { return sizes.size(); }
  size_t num_tiles(size_t stage) const override { return sizes[stage]; }
  void run_tile(size_t stage, size_t tile, size_t worker, bool) override {
    expect(stage == num_ended, "a stage begins when the one before has ended");
    ++counts[stage][tile];
    if (on_tile) on_tile(tile, worker);
  }
  void end_stage(size_t stage) override {
    expect(stage == num_ended++, "stages end in order");
    for (size_t i = 0; i < sizes[stage]; ++i)
      expect(counts[stage][i] == 1, "each tile is run once before its stage ends");
  }

  std::vector<size_t> sizes;
  std::vector<std::unique_ptr<std::atomic<int>[]>> counts;
  std::atomic<size_t> num_ended{0};
  std::function<void(size_t tile, size_t worker)> on_tile;
};

void run_counted(ThreadPool& pool) {
  Counted work({3, 0, 1, 100, 0, 0, 7, 1, 1, 64, 2, 0});
  pool.run(work);
  expect(work.num_ended == work.sizes.size(), "a run ends after its last stage");
}

void every_tile_is_run_once() {
  for (int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    for (int i = 0; i < 2000; ++i) run_counted(pool);
    Counted empty({}), no_tiles({0, 0});
    pool.run(empty);
    pool.run(no_tiles);
    expect(no_tiles.num_ended == 2, "stages without tiles end too");
  }
}

// Worker 1 stays in its first tile until all others are done; else this would hang.
void a_worker_keeps_only_the_tile_that_it_holds() {
  ThreadPool pool(2);
  Counted work({50});
  std::atomic<bool> has_come{false};
  std::atomic<int> num_done{0};
  work.on_tile = [&](size_t, size_t worker) {
    if (worker == 1) has_come = true;
    if (worker == 0)
      while (!has_come) std::this_thread::yield();
    if (worker == 1)
      while (num_done < 49) std::this_thread::yield();
    ++num_done;
  };
  pool.run(work);
}

int release_pipe[2];

void stop_until_released(int) {
  char byte;
  while (read(release_pipe[0], &byte, 1) != 1) {
  }
}

// Worker 1 is stopped between two runs: the caller does without it, as often as it likes.
void a_stopped_worker_is_not_waited_for() {
  expect(pipe(release_pipe) == 0, "there is a pipe");
  signal(SIGUSR1, stop_until_released);
  ThreadPool pool(2);
  std::atomic<bool> has_come{false};
  pthread_t thread{};
  Counted work({50});
  work.on_tile = [&](size_t, size_t worker) {
    if (worker == 1 && !has_come) thread = pthread_self(), has_come = true;
    while (!has_come) std::this_thread::yield();
  };
  pool.run(work);
  pthread_kill(thread, SIGUSR1);
  for (int i = 0; i < 1000; ++i) run_counted(pool);
  expect(write(release_pipe[1], "x", 1) == 1, "the worker is let go on");
  for (int i = 0; i < 1000; ++i) run_counted(pool);
}

// Time as told: no clock is read.
void a_team_shrinks_when_held_up_and_grows_again() {
  using namespace std::chrono_literals;
  Team team(8);
  Team::Clock::time_point now{};
  const auto run = [&](Team::Clock::duration length, Team::Delay delay) {
    const size_t size = team.size(now);
    team.end_run(now, now + length, delay);
    now += length;
    return size;
  };
  expect(run(10ms, {1ms, 1}) == 8, "all take part at first");
  expect(run(10ms, {5ms, 2}) == 8, "a short delay changes nothing");
  expect(run(1ms, {0ms, 0}) == 6 && team.num_reductions() == 1, "two were missing for long");
  expect(run(1ms, {1ms, 9}) == 6, "the team is still small");
  expect(run(99ms, {0ms, 0}) == 1, "the caller remains; it waits twice as long");
  expect(run(1ms, {0ms, 0}) == 1, "for 100 ms");
  expect(run(1ms, {0ms, 0}) == 2, "then it tries two");
  now += 10s;
  expect(run(1ms, {0ms, 0}) == 4, "and four");
  now += 10s;
  expect(run(1ms, {0ms, 0}) == 8, "and all");
  now += 10s;
  run(1ms, {0ms, 0});
  run(1ms, {1ms, 1});
  now += 50ms;
  expect(run(1ms, {0ms, 0}) == 8, "after a quiet time the pause is short again");
}

}  // namespace

int main(int, char** arguments) {
#define PART(name) \
  if (arguments[1] == std::string(#name)) return name(), puts("done"), 0
  PART(every_tile_is_run_once);
  PART(a_worker_keeps_only_the_tile_that_it_holds);
  PART(a_stopped_worker_is_not_waited_for);
  PART(a_team_shrinks_when_held_up_and_grows_again);
}
