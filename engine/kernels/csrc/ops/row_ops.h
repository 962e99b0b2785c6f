// Operations that take each row by itself: embedding, norms, quantisation.
#pragma once
#include <string.h>

#include "buffers.h"
#include "ops/op.h"

// Vocabulary rows, [V, K], as they lie in the checkpoint.
struct Table {
  const void* data;
  bool is_bfloat;  // else float32
  size_t num_rows, width;
};

class Embed final : public Op {
 public:
  Embed(Table table, Rows& out) : table_(table), out_(out) {}
  size_t num_tiles(const Step& step) const override { return step.num_tokens; }
  void run_tile(const Step& step, size_t t, bool) override {
    const size_t first = size_t(step.token_ids[t]) * table_.width;
    float* y = out_.row(t);
    if (!table_.is_bfloat) {
      memcpy(y, static_cast<const float*>(table_.data) + first, table_.width * sizeof(float));
      return;
    }
    const uint16_t* row = static_cast<const uint16_t*>(table_.data) + first;
    for (size_t i = 0; i < table_.width; ++i) {
      const uint32_t bits = uint32_t(row[i]) << 16;
      memcpy(y + i, &bits, sizeof bits);
    }
  }

 private:
  Table table_;
  Rows& out_;
};

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

// Norms only the rows whose logits are wanted, and closes the gaps: out row s is of logit_rows[s].
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
