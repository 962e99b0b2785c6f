// Operations that only measure: the machine's limits, probed with the program's own threads.
#pragma once
#include <atomic>

#include "kernel_table.h"
#include "ops/op.h"

// Reads memory from end to end.
class ReadProbe final : public Op {
 public:
  ReadProbe(const KernelTable& kernels, const uint8_t* data, size_t size)
      : kernels_(kernels), data_(data), size_(size) {}
  size_t num_tiles(const Step&) const override { return (size_ + kTileBytes - 1) / kTileBytes; }
  void run_tile(const Step&, size_t tile, bool) override {
    const size_t begin = tile * kTileBytes;
    const size_t end = begin + kTileBytes < size_ ? begin + kTileBytes : size_;
    checksum_ ^= kernels_.read_bytes(data_ + begin, (end - begin) / 64 * 64);
  }

 private:
  static constexpr size_t kTileBytes = 1 << 18;
  const KernelTable& kernels_;
  const uint8_t* data_;
  size_t size_;
  std::atomic<uint64_t> checksum_{0};
};

// Multiplies and adds on registers: one tile a thread.
class MultiplyAddProbe final : public Op {
 public:
  MultiplyAddProbe(const KernelTable& kernels, size_t num_tiles, size_t rounds)
      : kernels_(kernels), num_tiles_(num_tiles), rounds_(rounds) {}
  size_t num_tiles(const Step&) const override { return num_tiles_; }
  void run_tile(const Step&, size_t, bool) override { count_ += kernels_.multiply_add(rounds_); }

 private:
  const KernelTable& kernels_;
  size_t num_tiles_, rounds_;
  std::atomic<uint64_t> count_{0};
};
