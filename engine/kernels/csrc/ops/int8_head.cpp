// The output head in int8, whose best candidates are computed again from the plain table.
//
// A weight row w is kept as w ~ scale * q, and a hidden state x as two digits, x ~ x^. For every
// row the error of the approximate logit is bounded (Cauchy-Schwarz):
//
//   |w . x - scale q . x^| <= |w - scale q| |x| + |scale q| |x - x^|
//
// Let L be the largest of (logit - bound). A row whose logit + bound is below L cannot be the best:
// its true logit is below that of the row which gave L. All others are candidates, and their
// logits are replaced by those of the plain head. So the best row, and its logit, are those of the
// plain head; other rows are off by less than their bound. See docs/decisions/.
#include <math.h>

#include "buffers.h"
#include "ops/table.h"
#include "program.h"

namespace {

// Vocabulary rows in int8, [V, K], in blocks as drawn in weight_layout.h.
struct Int8Table {
  Int8Table(Array<const int8_t, 3> packed, Floats scales, Ints sums, Floats residual_norms,
            Floats norms, size_t width)
      : codes(packed.data()),
        scales(scales.data()),
        sums(sums.data()),
        residual_norms(residual_norms.data()),
        norms(norms.data()),
        num_rows(scales.size()),
        width(width) {
    require(packed.shape(0) == num_int8_blocks(num_rows) && packed.shape(1) == num_steps(width) &&
                packed.shape(2) == kInt8StepBytes && sums.size() == num_rows &&
                residual_norms.size() == num_rows && norms.size() == num_rows,
            "int8_head: the parts of the int8 table do not fit together");
    require(width <= kMaxInt8Inputs, "int8_head: too many inputs for exact int32 sums");
  }

  const int8_t* codes;
  const float* scales;          // [V]
  const int32_t* sums;          // [V]: of the codes of a row
  const float* residual_norms;  // [V]: |w - scale q|
  const float* norms;           // [V]: |scale q|
  size_t num_rows, width;
};

// Hidden states as two digits; rows 2s and 2s + 1 are the high and the low one of x row s, each
// plus 128: x ~ (128 high + low) * scale, with high in -127..127 and low in -64..63.
struct Digits {
  Digits(size_t num_rows, size_t width)
      : stride(padded(width)),
        data(zeroed<uint8_t>(2 * num_rows * stride)),
        scales(num_rows),
        norms(num_rows),
        error_norms(num_rows) {}
  uint8_t* high(size_t s) { return data.get() + 2 * s * stride; }
  uint8_t* low(size_t s) { return high(s) + stride; }

  size_t stride;
  Memory<uint8_t> data;
  std::vector<float> scales;
  std::vector<float> norms;        // |x|
  std::vector<float> error_norms;  // |x - x^|
};

// What one pass leaves for the next: for each block of 64 rows the largest lower bound of a logit.
struct LowerBounds {
  LowerBounds(size_t num_rows, size_t num_blocks)
      : num_blocks(num_blocks), data(num_rows * num_blocks) {}
  float* row(size_t s) { return data.data() + s * num_blocks; }

  size_t num_blocks;
  std::vector<float> data;
};

// The bound for a row of the table; rounding in float is part of it.
class LogitBound {
 public:
  LogitBound(const Int8Table& table, const Digits& digits, size_t s) : table_(table) {
    const float rounding = float(table.width + 16) * 0x1p-23f;
    norm_ = digits.norms[s] * (1 + rounding);
    error_ = (digits.error_norms[s] + digits.norms[s] * rounding) * (1 + rounding);
  }
  float norm() const { return norm_; }
  float error() const { return error_; }
  float operator()(size_t v) const {
    return table_.residual_norms[v] * norm_ + table_.norms[v] * error_;
  }

 private:
  const Int8Table& table_;
  float norm_, error_;
};

class SplitDigits final : public Op {
 public:
  SplitDigits(const KernelTable& kernels, Rows& x, std::shared_ptr<Digits> out)
      : kernels_(kernels), x_(x), out_(std::move(out)) {}
  size_t num_tiles(const Step& step) const override { return step.num_logits; }
  void run_tile(const Step&, size_t s, bool) override {
    kernels_.split_digits(x_.row(s), x_.width, out_->high(s), out_->low(s), &out_->scales[s],
                          &out_->norms[s], &out_->error_norms[s]);
  }

 private:
  const KernelTable& kernels_;
  Rows& x_;
  std::shared_ptr<Digits> out_;
};

// Approximate logits: a tile is a block of 64 rows times all hidden states.
class Int8Head final : public Op {
 public:
  Int8Head(const KernelTable& kernels, std::shared_ptr<Digits> x, const Int8Table& table,
           std::shared_ptr<LowerBounds> bounds, Rows& logits)
      : kernels_(kernels),
        x_(std::move(x)),
        table_(table),
        bounds_(std::move(bounds)),
        logits_(logits) {}

  size_t num_tiles(const Step& step) const override {
    return step.num_logits ? num_int8_blocks(table_.num_rows) : 0;
  }

  void fetch_start(const Step&, size_t block) const override { fetch(codes_of(block)); }

  void run_tile(const Step& step, size_t block, bool follows) override {
    const size_t steps = num_steps(table_.width), block_bytes = steps * kInt8StepBytes;
    const int8_t* codes = codes_of(block);
    const size_t tile_rows = kernels_.tile_digits / 2;
    const size_t num_passes = (step.num_logits + tile_rows - 1) / tile_rows;
    int32_t sums[kMaxTileDigits * kInt8BlockRows];
    for (size_t s = 0, pass = 0; s < step.num_logits; s += tile_rows, ++pass) {
      const size_t left = step.num_logits - s, rows = tile_rows < left ? tile_rows : left;
      kernels_.int8_tile(codes, x_->high(s), x_->stride, steps, 2 * rows,
                         fetch_ahead(codes, block_bytes, pass, num_passes, follows), sums);
      for (size_t i = 0; i < rows; ++i) finish(block, s + i, sums + 2 * i * kInt8BlockRows);
    }
  }

 private:
  const int8_t* codes_of(size_t block) const {
    return table_.codes + block * num_steps(table_.width) * kInt8StepBytes;
  }

  // sums: over the high digits, then over the low ones, 64 each.
  void finish(size_t block, size_t s, const int32_t* sums) {
    const size_t first = block * kInt8BlockRows, left = table_.num_rows - first;
    const LogitBound bound(table_, *x_, s);
    const Int8Block rows = {sums,
                            sums + kInt8BlockRows,
                            table_.scales + first,
                            table_.sums + first,
                            table_.residual_norms + first,
                            table_.norms + first,
                            left < kInt8BlockRows ? left : kInt8BlockRows,
                            x_->scales[s],
                            bound.norm(),
                            bound.error()};
    bounds_->row(s)[block] = kernels_.int8_logits(rows, logits_.row(s) + first);
  }

  const KernelTable& kernels_;
  std::shared_ptr<Digits> x_;
  Int8Table table_;
  std::shared_ptr<LowerBounds> bounds_;
  Rows& logits_;
};

// Computes the candidates again, from the plain table and as the plain head does.
class RefineHead final : public Op {
 public:
  RefineHead(const KernelTable& kernels, Rows& x, std::shared_ptr<Digits> digits,
             const Int8Table& int8, const Table& table, std::shared_ptr<LowerBounds> bounds,
             Rows& logits)
      : kernels_(kernels),
        x_(x),
        digits_(std::move(digits)),
        int8_(int8),
        table_(table),
        bounds_(std::move(bounds)),
        logits_(logits) {}

  size_t num_tiles(const Step& step) const override { return step.num_logits * num_chunks(); }

  void run_tile(const Step&, size_t tile, bool) override {
    const size_t s = tile / num_chunks(), begin = tile % num_chunks() * kChunk;
    const size_t end = begin + kChunk < table_.num_rows ? begin + kChunk : table_.num_rows;
    const float* lower = bounds_->row(s);
    float least = lower[0];
    for (size_t i = 1; i < bounds_->num_blocks; ++i) least = lower[i] > least ? lower[i] : least;
    const LogitBound bound(int8_, *digits_, s);
    float* logits = logits_.row(s);
    for (size_t v = begin; v < end; ++v)
      if (logits[v] + bound(v) >= least) logits[v] = exact(s, v);
  }

 private:
  static constexpr size_t kChunk = 8192;
  size_t num_chunks() const { return (table_.num_rows + kChunk - 1) / kChunk; }

  float exact(size_t s, size_t v) {
    float logit;
    table_.multiply(kernels_, v, 1, x_.row(s), x_.stride, 1, &logit, 1);
    return logit;
  }

  const KernelTable& kernels_;
  Rows& x_;
  std::shared_ptr<Digits> digits_;
  Int8Table int8_;
  Table table_;
  std::shared_ptr<LowerBounds> bounds_;
  Rows& logits_;
};

template <class Values>
void int8_head(Program& p, size_t x, Array<const int8_t, 3> codes, Floats scales, Ints sums,
               Floats residual_norms, Floats norms, Values values, size_t out) {
  const Table table(values);
  const Int8Table int8(codes, scales, sums, residual_norms, norms, table.width);
  Rows &hidden = p.rows(x), &logits = p.rows(out);
  require(int8.num_rows == table.num_rows,
          "int8_head: the int8 table has another shape than the table");
  require(hidden.width == table.width, "int8_head: the input has another width than the table");
  require(logits.width == table.num_rows,
          "int8_head: the output is not as wide as the table has rows");
  const auto digits = std::make_shared<Digits>(p.max_logits(), table.width);
  const auto bounds =
      std::make_shared<LowerBounds>(p.max_logits(), num_int8_blocks(table.num_rows));
  p.record("split_digits", std::make_unique<SplitDigits>(p.kernels(), hidden, digits));
  p.record("int8_head", std::make_unique<Int8Head>(p.kernels(), digits, int8, bounds, logits));
  p.record("refine_head",
           std::make_unique<RefineHead>(p.kernels(), hidden, digits, int8, table, bounds, logits));
}

template <class Values>
void define(nb::class_<Program>& program) {
  program.def("int8_head", int8_head<Values>, "x"_a, array("codes"), array("scales"), array("sums"),
              array("residual_norms"), array("norms"), array("table"), "logits"_a);
}

}  // namespace

void define_int8_head(nb::class_<Program>& program) {
  define<Words>(program);
  define<Matrix>(program);
}
