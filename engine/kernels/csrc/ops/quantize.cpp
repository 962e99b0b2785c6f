// Rounds each row to int8, by groups if its output has groups.
#include "ops/arrays.h"
#include "program.h"

namespace {

class Quantize final : public Op {
 public:
  Quantize(const KernelTable& kernels, Rows& x, QuantizedRows& out)
      : kernels_(kernels), x_(x), out_(out) {}
  size_t num_tiles(const Step& step) const override { return step.num_tokens; }
  void run_tile(const Step&, size_t t, bool) override {
    kernels_.quantize(x_.row(t), x_.width, out_.group, out_.row(t));
  }

 private:
  const KernelTable& kernels_;
  Rows& x_;
  QuantizedRows& out_;
};

void quantize(Program& p, size_t x, size_t out) {
  require(p.rows(x).width == p.quantized_rows(out).width,
          "quantize: input and output differ in width");
  p.record("quantize", std::make_unique<Quantize>(p.kernels(), p.rows(x), p.quantized_rows(out)));
}

}  // namespace

void define_quantize(nb::class_<Program>& program) {
  program.def("quantize", quantize, "x"_a, "out"_a);
}
