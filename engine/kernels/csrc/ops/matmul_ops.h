// The matrix products: ternary, and the output head.
#pragma once
#include "buffers.h"
#include "ops/op.h"
#include "ops/row_ops.h"

struct TernaryWeight {
  const uint8_t* codes;  // the packed blocks, see weight_layout.h
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

// y (+)= dequantised x times the transposed weight.
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

// y = relu(x gate^T)^2 * (x up^T): both products of a block at once, so that neither is written.
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

// logits = x times the transposed table, for the selected rows.
class Head final : public Op {
 public:
  Head(const KernelTable& kernels, Rows& x, Table table, Rows& logits)
      : kernels_(kernels), x_(x), table_(table), logits_(logits) {}

  size_t num_tiles(const Step& step) const override {
    return step.num_logits ? (table_.num_rows + kTileRows - 1) / kTileRows : 0;
  }

  void run_tile(const Step& step, size_t tile, bool) override {
    const size_t end =
        (tile + 1) * kTileRows < table_.num_rows ? (tile + 1) * kTileRows : table_.num_rows;
    for (size_t v = tile * kTileRows; v < end; v += kHeadTileRows) {
      const size_t rows = v + kHeadTileRows < end ? kHeadTileRows : end - v;
      if (table_.is_bfloat)
        kernels_.head_bfloat(static_cast<const uint16_t*>(table_.data) + v * table_.width, rows,
                             x_.row(0), x_.stride, step.num_logits, table_.width,
                             logits_.row(0) + v, logits_.stride);
      else
        kernels_.head_float(static_cast<const float*>(table_.data) + v * table_.width, rows,
                            x_.row(0), x_.stride, step.num_logits, table_.width, logits_.row(0) + v,
                            logits_.stride);
    }
  }

 private:
  static constexpr size_t kTileRows = 64;

  const KernelTable& kernels_;
  Rows& x_;
  Table table_;
  Rows& logits_;
};
