// Norms each row and rounds it to int8.
#include "ops/arrays.h"
#include "program.h"

namespace {

class RmsNormQuantize final : public Op {
 public:
  RmsNormQuantize(const KernelTable& kernels, Rows& x, std::vector<float> weight, float eps,
                  QuantizedRows& out)
      : kernels_(kernels), x_(x), weight_(std::move(weight)), eps_(eps), out_(out) {}
  size_t num_tiles(const Step& step) const override { return step.num_tokens; }
  void run_tile(const Step&, size_t t, bool) override {
    kernels_.rms_norm_quantize(x_.row(t), weight_.data(), eps_, x_.width, out_.row(t));
  }

 private:
  const KernelTable& kernels_;
  Rows& x_;
  std::vector<float> weight_;
  float eps_;
  QuantizedRows& out_;
};

void rms_norm_quantize(Program& p, size_t x, Floats weight, float eps, size_t out) {
  require(p.rows(x).width == weight.size() && p.quantized_rows(out).width == weight.size(),
          "rms_norm_quantize: input, weight and output differ in width");
  p.record("rms_norm_quantize",
           std::make_unique<RmsNormQuantize>(p.kernels(), p.rows(x), copy(weight), eps,
                                             p.quantized_rows(out)));
}

}  // namespace

void define_rms_norm_quantize(nb::class_<Program>& program) {
  program.def("rms_norm_quantize", rms_norm_quantize, "x"_a, array("weight"), "eps"_a, "out"_a);
}
