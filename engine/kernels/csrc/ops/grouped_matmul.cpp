// y (+)= dequantised x times the transposed weight, both with a scale for each group of inputs.
//
// Inside a group sums are exact integers; groups are added in float, in order, so that a row's
// result depends on that row alone.
#include <string.h>

#include "ops/packed_product.h"

namespace {

using GroupScales = Array<const uint16_t, 3>;  // float16 [blocks, groups, kBlockRows]

class GroupedMatmul final : public PackedProduct {
 public:
  GroupedMatmul(const KernelTable& kernels, QuantizedRows& x, TernaryWeight weight,
                const uint16_t* scales, Rows& out, bool accumulate, bool of_logits)
      : PackedProduct(kernels, x, weight.out_features),
        weight_(std::move(weight)),
        scales_(scales),
        out_(out),
        accumulate_(accumulate),
        of_logits_(of_logits) {}

  size_t num_rows_of_x(const Step& step) const override {
    return of_logits_ ? step.num_logits : step.num_tokens;
  }

 private:
  void fetch_block(size_t block) const override { fetch(codes_of(weight_, block)); }

  void run_pass(const Pass& pass) override {
    float totals[kMaxTileTokens * kBlockRows];
    memset(totals, 0, pass.tokens * kBlockRows * sizeof(float));
    for (size_t group = 0; group < x_.num_groups; ++group) add_group(pass, group, totals);
    const size_t first = pass.block * kBlockRows, rows = num_rows(weight_, pass.block);
    for (size_t i = 0; i < pass.tokens; ++i) {
      float* y = out_.row(pass.begin + i) + first;
      const float* total = totals + i * kBlockRows;
      const float* scales = weight_.row_scales.data() + first;
      for (size_t r = 0; r < rows; ++r)
        y[r] = accumulate_ ? y[r] + total[r] * scales[r] : total[r] * scales[r];
    }
  }

  void add_group(const Pass& pass, size_t group, float* totals) const {
    Sums sums;
    multiply_group(pass, group, sums);
    const uint16_t* scales = scales_ + (pass.block * x_.num_groups + group) * kBlockRows;
    for (size_t i = 0; i < pass.tokens; ++i) {
      const QuantizedRow x = x_.row(pass.begin + i);
      kernels_.add_group(sums + i * kBlockRows, x.sum[group], x.scale[group], scales,
                         totals + i * kBlockRows);
    }
  }

  void multiply_group(const Pass& pass, size_t group, int32_t* sums) const {
    const size_t all = num_steps(weight_.in_features), each = x_.group / kStepInputs;
    const size_t begin = group * each, steps = all - begin < each ? all - begin : each;
    const uint8_t* codes = codes_of(weight_, pass.block);
    Ahead ahead = fetch_ahead(codes, all * kStepBytes, pass.index, pass.count, pass.is_fetched);
    ahead.start += begin * ahead.stride;
    kernels_.ternary_tile(codes + begin * kStepBytes, x_.row(pass.begin).q + group * x_.group,
                          x_.stride, steps, pass.tokens, ahead, sums);
  }

  TernaryWeight weight_;
  const uint16_t* scales_;
  Rows& out_;
  bool accumulate_, of_logits_;
};

void grouped_matmul(Program& p, size_t x, TernaryCodes codes, Floats row_scales, GroupScales scales,
                    size_t in_features, size_t out, bool accumulate, bool of_logits) {
  QuantizedRows& input = p.quantized_rows(x);
  TernaryWeight weight(codes, row_scales, in_features);
  require(input.width == in_features && p.rows(out).width == weight.out_features,
          "grouped_matmul: input, weight and output differ in width");
  require(input.group <= 256, "grouped_matmul: groups of more than 256 inputs are not exact");
  require(scales.shape(0) == num_blocks(weight.out_features) &&
              scales.shape(1) == input.num_groups && scales.shape(2) == kBlockRows,
          "grouped_matmul: the scales do not have the shape of the weight and the input's groups");
  p.record(of_logits ? "ternary_head" : "ternary_matmul",
           std::make_unique<GroupedMatmul>(p.kernels(), input, std::move(weight), scales.data(),
                                           p.rows(out), accumulate, of_logits));
}

}  // namespace

void define_grouped_matmul(nb::class_<Program>& program) {
  program.def("grouped_matmul", grouped_matmul, "x"_a, array("codes"), array("row_scales"),
              array("scales"), "in_features"_a, "out"_a, "accumulate"_a, "of_logits"_a);
}
