// What the products with packed ternary weights have in common: their tiles.
#pragma once
#include <algorithm>

#include "buffers.h"
#include "ops/arrays.h"
#include "ops/op.h"
#include "program.h"

struct TernaryWeight {
  // codes: the packed blocks, see weight_layout.h.
  TernaryWeight(TernaryCodes packed, Floats scales, size_t num_inputs)
      : codes(packed.data()),
        row_scales(copy(scales)),
        out_features(scales.size()),
        in_features(num_inputs) {
    require(packed.shape(0) == num_blocks(out_features) &&
                packed.shape(1) == num_steps(in_features) && packed.shape(2) == kStepBytes,
            "ternary_matmul: the packed codes do not have the shape of the weight");
  }

  // That x times this weight is exact, and that it is an output.
  void require_fit(const QuantizedRows& x, const Rows& out) const {
    require(in_features <= kMaxInputs, "ternary_matmul: too many inputs for exact int32 sums");
    require(x.width == in_features, "ternary_matmul: the input has another width than the weight");
    require(out.width == out_features,
            "ternary_matmul: the output has another width than the weight");
  }

  const uint8_t* codes;
  std::vector<float> row_scales;
  size_t out_features, in_features;
};

// Products with packed weights. A tile is a block of output rows; or, with more tokens than a panel
// has, a few blocks times a panel, which thus come from the L2 cache for most of them.
class PackedProduct : public Op {
 public:
  PackedProduct(const KernelTable& kernels, QuantizedRows& x, size_t out_features)
      : kernels_(kernels), x_(x), num_blocks_(num_blocks(out_features)) {}

  size_t num_tiles(const Step& step) const override {
    const size_t group = group_blocks(step);
    return (num_blocks_ + group - 1) / group * num_panels(step);
  }

  void run_tile(const Step& step, size_t tile, bool follows) override {
    const size_t group = group_blocks(step), first = tile / num_panels(step) * group;
    const size_t panel = tile % num_panels(step);
    const size_t begin = panel * step.num_tokens / num_panels(step);
    const size_t end = (panel + 1) * step.num_tokens / num_panels(step);
    for (size_t i = 0; i < group && first + i < num_blocks_; ++i)
      run_block(first + i, begin, end, i > 0 || follows);
  }

  void fetch_start(const Step& step, size_t tile) const override {
    const size_t block = tile / num_panels(step) * group_blocks(step);
    if (block < num_blocks_) fetch_block(block);
  }

 protected:
  using Sums = int32_t[kMaxTileTokens * kBlockRows];

  // Some tokens times one block, the `index`-th pass of `count` over it.
  struct Pass {
    size_t block, begin, tokens, index, count;
    bool is_fetched;
  };
  virtual void run_pass(const Pass& pass) = 0;
  virtual void fetch_block(size_t block) const = 0;  // its first bytes

  static const uint8_t* codes_of(const TernaryWeight& weight, size_t block) {
    return weight.codes + block * num_steps(weight.in_features) * kStepBytes;
  }

  void multiply(const TernaryWeight& weight, const Pass& pass, int32_t* sums) const {
    const size_t steps = num_steps(weight.in_features), block_bytes = steps * kStepBytes;
    const uint8_t* codes = codes_of(weight, pass.block);
    kernels_.ternary_tile(codes, x_.row(pass.begin).q, x_.stride, steps, pass.tokens,
                          fetch_ahead(codes, block_bytes, pass.index, pass.count, pass.is_fetched),
                          sums);
  }

  // Rows of a block that there are.
  static size_t num_rows(const TernaryWeight& weight, size_t block) {
    const size_t left = weight.out_features - block * kBlockRows;
    return left < kBlockRows ? left : kBlockRows;
  }

  const KernelTable& kernels_;
  QuantizedRows& x_;

 private:
  // As few passes as will do, of even size: a small last one would pay for a whole decoding.
  void run_block(size_t block, size_t begin, size_t end, bool is_fetched) {
    const size_t count = (end - begin + kernels_.tile_tokens - 1) / kernels_.tile_tokens;
    for (size_t i = 0, t = begin, tokens; t < end; t += tokens, ++i) {
      tokens = (end - t + count - i - 1) / (count - i);
      run_pass({block, t, tokens, i, count, is_fetched});
    }
  }

  // At most so many rows at a time, in equal shares: they and a block's codes stay in the L2 cache.
  static constexpr size_t kPanelTokens = 100;
  static size_t num_panels(const Step& step) {
    return (step.num_tokens + kPanelTokens - 1) / kPanelTokens;
  }

  // Few enough that each worker has several groups, so that nobody waits long for the last.
  static constexpr size_t kGroupBlocks = 6;
  static size_t group_blocks(const Step& step) { return num_panels(step) > 1 ? kGroupBlocks : 1; }

  size_t num_blocks_;
};
