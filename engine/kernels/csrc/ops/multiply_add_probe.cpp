// Multiplies and adds on registers: a probe of the machine, with the program's own threads.
#include <atomic>

#include "ops/arrays.h"
#include "program.h"

namespace {

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

// Returns the multiply-adds that a step will do.
size_t multiply_add_probe(Program& p, size_t rounds) {
  const size_t num_tiles = size_t(p.num_threads()) * 8;
  p.record("multiply_add_probe",
           std::make_unique<MultiplyAddProbe>(p.kernels(), num_tiles, rounds));
  return num_tiles * p.kernels().multiply_add(1) * rounds;
}

}  // namespace

void define_multiply_add_probe(nb::class_<Program>& program) {
  program.def("multiply_add_probe", multiply_add_probe, "rounds"_a);
}
