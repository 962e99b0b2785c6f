// y = relu(x gate^T)^2 * (x up^T): both products of a block at once, so that neither is written.
#include "ops/packed_product.h"

namespace {

class GatedMatmul final : public PackedProduct {
 public:
  GatedMatmul(const KernelTable& kernels, QuantizedRows& x, TernaryWeight gate, TernaryWeight up,
              Rows& out)
      : PackedProduct(kernels, x, gate.out_features),
        gate_(std::move(gate)),
        up_(std::move(up)),
        out_(out) {}

 private:
  void fetch_block(size_t block) const override {
    fetch(codes_of(gate_, block));
    fetch(codes_of(up_, block));
  }

  void run_pass(const Pass& pass) override {
    Sums gate, up;
    multiply(gate_, pass, gate);
    multiply(up_, pass, up);
    const size_t first = pass.block * kBlockRows;
    for (size_t i = 0, t = pass.begin; i < pass.tokens; ++i, ++t)
      kernels_.gate_sums(gate + i * kBlockRows, up + i * kBlockRows, x_.sums[t], x_.scales[t],
                         gate_.row_scales.data() + first, up_.row_scales.data() + first,
                         num_rows(gate_, pass.block), out_.row(t) + first);
  }

  TernaryWeight gate_, up_;
  Rows& out_;
};

void gated_matmul(Program& p, size_t x, TernaryCodes gate_codes, Floats gate_scales,
                  TernaryCodes up_codes, Floats up_scales, size_t in_features, size_t out) {
  TernaryWeight gate(gate_codes, gate_scales, in_features), up(up_codes, up_scales, in_features);
  gate.require_fit(p.quantized_rows(x), p.rows(out));
  up.require_fit(p.quantized_rows(x), p.rows(out));
  p.record("ternary_matmul",
           std::make_unique<GatedMatmul>(p.kernels(), p.quantized_rows(x), std::move(gate),
                                         std::move(up), p.rows(out)));
}

}  // namespace

void define_gated_matmul(nb::class_<Program>& program) {
  program.def("gated_matmul", gated_matmul, "x"_a, array("gate"), array("gate_scales"), array("up"),
              array("up_scales"), "in_features"_a, "out"_a);
}
