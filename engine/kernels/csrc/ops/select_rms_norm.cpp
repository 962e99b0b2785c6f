// Norms only the rows whose logits are wanted, and closes the gaps.
#include "ops/arrays.h"
#include "program.h"

namespace {

// Row s of the output is of logit_rows[s].
class SelectRmsNorm final : public Op {
 public:
  SelectRmsNorm(const KernelTable& kernels, Rows& x, std::vector<float> weight, float eps,
                Rows& out)
      : kernels_(kernels), x_(x), weight_(std::move(weight)), eps_(eps), out_(out) {}
  size_t num_tiles(const Step& step) const override { return step.num_logits; }
  void run_tile(const Step& step, size_t s, bool) override {
    kernels_.rms_norm(x_.row(size_t(step.logit_rows[s])), weight_.data(), eps_, x_.width,
                      out_.row(s));
  }

 private:
  const KernelTable& kernels_;
  Rows& x_;
  std::vector<float> weight_;
  float eps_;
  Rows& out_;
};

void select_rms_norm(Program& p, size_t x, Floats weight, float eps, size_t out) {
  require(p.rows(x).width == weight.size() && p.rows(out).width == weight.size(),
          "select_rms_norm: input, weight and output differ in width");
  p.record("select_rms_norm",
           std::make_unique<SelectRmsNorm>(p.kernels(), p.rows(x), copy(weight), eps, p.rows(out)));
}

}  // namespace

void define_select_rms_norm(nb::class_<Program>& program) {
  program.def("select_rms_norm", select_rms_norm, "x"_a, array("weight"), "eps"_a, "out"_a);
}
