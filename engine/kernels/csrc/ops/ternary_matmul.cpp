// y (+)= dequantised x times the transposed weight.
#include "ops/packed_product.h"

namespace {

class TernaryMatmul final : public PackedProduct {
 public:
  TernaryMatmul(const KernelTable& kernels, QuantizedRows& x, TernaryWeight weight, Rows& out,
                bool accumulate)
      : PackedProduct(kernels, x, weight.out_features),
        weight_(std::move(weight)),
        out_(out),
        accumulate_(accumulate) {}

 private:
  void fetch_block(size_t block) const override { fetch(codes_of(weight_, block)); }

  void run_pass(const Pass& pass) override {
    Sums sums;
    multiply(weight_, pass, sums);
    const size_t first = pass.block * kBlockRows;
    for (size_t i = 0, t = pass.begin; i < pass.tokens; ++i, ++t)
      kernels_.scale_sums(sums + i * kBlockRows, x_.sums[t], x_.scales[t],
                          weight_.row_scales.data() + first, num_rows(weight_, pass.block),
                          accumulate_, out_.row(t) + first);
  }

  TernaryWeight weight_;
  Rows& out_;
  bool accumulate_;
};

void ternary_matmul(Program& p, size_t x, TernaryCodes codes, Floats row_scales, size_t in_features,
                    size_t out, bool accumulate) {
  TernaryWeight weight(codes, row_scales, in_features);
  weight.require_fit(p.quantized_rows(x), p.rows(out));
  p.record("ternary_matmul",
           std::make_unique<TernaryMatmul>(p.kernels(), p.quantized_rows(x), std::move(weight),
                                           p.rows(out), accumulate));
}

}  // namespace

void define_ternary_matmul(nb::class_<Program>& program) {
  program.def("ternary_matmul", ternary_matmul, "x"_a, array("codes"), array("row_scales"),
              "in_features"_a, "out"_a, "accumulate"_a);
}
