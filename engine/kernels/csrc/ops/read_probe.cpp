// Reads memory from end to end: a probe of the machine, with the program's own threads.
#include <atomic>

#include "ops/arrays.h"
#include "program.h"

namespace {

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

void read_probe(Program& p, Array<const uint8_t, 1> data) {
  p.record("read_probe", std::make_unique<ReadProbe>(p.kernels(), data.data(), data.size()));
}

}  // namespace

void define_read_probe(nb::class_<Program>& program) {
  program.def("read_probe", read_probe, array("data"));
}
