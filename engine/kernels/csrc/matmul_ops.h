// The matrix products: ternary, and the output head.
#pragma once
#include "buffers.h"
#include "op.h"
#include "row_ops.h"

struct TernaryWeight {
  const uint8_t* codes;  // the packed blocks, see weight_layout.h
  std::vector<float> row_scales;
  size_t out_features, in_features;
};

// y (+)= dequantised x times the transposed weight.
class TernaryMatmul final : public Op {
 public:
  TernaryMatmul(const KernelTable& kernels, int num_threads, QuantizedRows& x, TernaryWeight weight,
                Rows& out, bool accumulate)
      : kernels_(kernels),
        x_(x),
        weight_(std::move(weight)),
        out_(out),
        accumulate_(accumulate),
        tile_blocks_(blocks_in_tile(num_blocks(weight_.out_features), num_threads)) {}

  size_t num_tiles(const Step& step) const override {
    return (num_blocks(weight_.out_features) + tile_blocks_ - 1) / tile_blocks_ * num_panels(step);
  }

  void run_tile(const Step& step, size_t tile) override {
    const size_t first = tile / num_panels(step) * tile_blocks_;
    const size_t panel = tile % num_panels(step);
    const size_t begin = panel * step.num_tokens / num_panels(step);
    const size_t end = (panel + 1) * step.num_tokens / num_panels(step);
    for (size_t i = 0; i < tile_blocks_ && first + i < num_blocks(weight_.out_features); ++i)
      run_block(first + i, begin, end, i == 0);
  }

 private:
  void run_block(size_t block, size_t begin, size_t end, bool first_block) {
    const size_t steps = num_steps(weight_.in_features), block_bytes = steps * kStepBytes;
    const uint8_t* codes = weight_.codes + block * block_bytes;
    const size_t first = block * kBlockRows, left = weight_.out_features - first;
    const float* row_scales = weight_.row_scales.data() + first;
    // As few tiles as will do, of even size: a small last one would pay for a whole decoding.
    const size_t num_tiles = (end - begin + kernels_.tile_tokens - 1) / kernels_.tile_tokens;
    int32_t sums[kMaxTileTokens * kBlockRows];
    for (size_t t = begin, pass = 0, tokens; t < end; t += tokens, ++pass) {
      tokens = (end - t + num_tiles - pass - 1) / (num_tiles - pass);
      kernels_.ternary_tile(codes, x_.row(t).q, x_.stride, steps, tokens,
                            fetch_ahead(codes, block_bytes, pass, num_tiles, first_block), sums);
      for (size_t i = 0; i < tokens; ++i)
        kernels_.scale_sums(sums + i * kBlockRows, x_.sums[t + i], x_.scales[t + i], row_scales,
                            left < kBlockRows ? left : kBlockRows, accumulate_,
                            out_.row(t + i) + first);
    }
  }

  // At most so many rows at a time, in equal shares: they and a block's codes stay in the L2 cache.
  static constexpr size_t kPanelTokens = 100;
  static size_t num_panels(const Step& step) {
    return (step.num_tokens + kPanelTokens - 1) / kPanelTokens;
  }

  const KernelTable& kernels_;
  QuantizedRows& x_;
  TernaryWeight weight_;
  Rows& out_;
  bool accumulate_;
  size_t tile_blocks_;
};

// logits = x times the transposed table, for the selected rows.
class Head final : public Op {
 public:
  Head(const KernelTable& kernels, Rows& x, Table table, Rows& logits)
      : kernels_(kernels), x_(x), table_(table), logits_(logits) {}

  size_t num_tiles(const Step& step) const override {
    return step.num_logits ? (table_.num_rows + kTileRows - 1) / kTileRows : 0;
  }

  void run_tile(const Step& step, size_t tile) override {
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
