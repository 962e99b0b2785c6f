// Looks up rows of a ternary matrix by token id: decoded as they are read.
#include "ops/packed_product.h"

namespace {

constexpr int kPowers[kRowsPerByte] = {81, 27, 9, 3, 1};

class EmbedTernary final : public Op {
 public:
  EmbedTernary(TernaryWeight weight, const uint16_t* scales, size_t group,
               const KernelTable& kernels, Rows& out)
      : weight_(std::move(weight)),
        scales_(scales),
        group_(group),
        num_groups_((weight_.in_features + group - 1) / group),
        kernels_(kernels),
        out_(out) {}

  size_t num_tiles(const Step& step) const override { return step.num_tokens; }

  // The row is digit `digit` of bytes 4 r + i of its block, see weight_layout.h.
  void run_tile(const Step& step, size_t t, bool) override {
    const size_t row = size_t(step.token_ids[t]), block = row / kBlockRows;
    const size_t r = row % 16, digit = row % kBlockRows / 16;
    const uint8_t* codes = weight_.codes + block * num_steps(weight_.in_features) * kStepBytes;
    float* y = out_.row(t);
    for (size_t group = 0, k = 0; group < num_groups_; ++group) {
      const float scale = weight_.row_scales[row] * scale_of(block, group, row % kBlockRows);
      for (const size_t end = k + group_; k < end && k < weight_.in_features; ++k) {
        const uint8_t byte = codes[k / kStepInputs * kStepBytes + 4 * r + k % kStepInputs];
        y[k] = float(byte / kPowers[digit] % 3 - 1) * scale;
      }
    }
  }

 private:
  float scale_of(size_t block, size_t group, size_t row) const {
    return kernels_.half_to_float(scales_[(block * num_groups_ + group) * kBlockRows + row]);
  }

  TernaryWeight weight_;
  const uint16_t* scales_;
  size_t group_, num_groups_;
  const KernelTable& kernels_;
  Rows& out_;
};

void embed_ternary(Program& p, TernaryCodes codes, Floats row_scales,
                   Array<const uint16_t, 3> scales, size_t group, size_t in_features, size_t out) {
  TernaryWeight weight(codes, row_scales, in_features);
  require(p.rows(out).width == in_features,
          "embed_ternary: the output has another width than the table");
  require(scales.shape(0) == num_blocks(weight.out_features) &&
              scales.shape(1) == (in_features + group - 1) / group && scales.shape(2) == kBlockRows,
          "embed_ternary: the scales do not have the shape of the weight");
  p.before_each_step([num_rows = weight.out_features](const Step& step) {
    for (size_t t = 0; t < step.num_tokens; ++t)
      require(step.token_ids[t] >= 0 && size_t(step.token_ids[t]) < num_rows,
              "step: token id out of range");
  });
  p.record("embed", std::make_unique<EmbedTernary>(std::move(weight), scales.data(), group,
                                                   p.kernels(), p.rows(out)));
}

}  // namespace

void define_embed_ternary(nb::class_<Program>& program) {
  program.def("embed_ternary", embed_ternary, array("codes"), array("row_scales"), array("scales"),
              "group"_a, "in_features"_a, "out"_a);
}
