// The output head: logits = x times the transposed table, for the selected rows.
#include "ops/table.h"
#include "program.h"

namespace {

class Head final : public Op {
 public:
  Head(const KernelTable& kernels, Rows& x, const Table& table, Rows& logits)
      : kernels_(kernels), x_(x), table_(table), logits_(logits) {}

  size_t num_tiles(const Step& step) const override {
    return step.num_logits ? (table_.num_rows + kTileRows - 1) / kTileRows : 0;
  }

  void run_tile(const Step& step, size_t tile, bool) override {
    const size_t end =
        (tile + 1) * kTileRows < table_.num_rows ? (tile + 1) * kTileRows : table_.num_rows;
    for (size_t v = tile * kTileRows; v < end; v += kHeadTileRows) {
      const size_t rows = v + kHeadTileRows < end ? kHeadTileRows : end - v;
      table_.multiply(kernels_, v, rows, x_.row(0), x_.stride, step.num_logits, logits_.row(0) + v,
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

template <class Values>
void head(Program& p, size_t x, Values values, size_t logits) {
  const Table table(values);
  require(p.rows(x).width == table.width, "head: the input has another width than the table");
  require(p.rows(logits).width == table.num_rows,
          "head: the output is not as wide as the table has rows");
  p.record("head", std::make_unique<Head>(p.kernels(), p.rows(x), table, p.rows(logits)));
}

}  // namespace

void define_head(nb::class_<Program>& program) {
  program.def("head", head<Words>, "x"_a, array("table"), "logits"_a);
  program.def("head", head<Matrix>, "x"_a, array("table"), "logits"_a);
}
