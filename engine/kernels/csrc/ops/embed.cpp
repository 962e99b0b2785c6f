// Looks up the rows of the vocabulary table by token id.
#include <string.h>

#include "ops/table.h"
#include "program.h"

namespace {

class Embed final : public Op {
 public:
  Embed(const Table& table, Rows& out) : table_(table), out_(out) {}
  size_t num_tiles(const Step& step) const override { return step.num_tokens; }
  void run_tile(const Step& step, size_t t, bool) override {
    const size_t token = size_t(step.token_ids[t]);
    float* y = out_.row(t);
    if (!table_.is_bfloat) {
      memcpy(y, table_.float_row(token), table_.width * sizeof(float));
      return;
    }
    const uint16_t* row = table_.bfloat_row(token);
    for (size_t i = 0; i < table_.width; ++i) {
      const uint32_t bits = uint32_t(row[i]) << 16;
      memcpy(y + i, &bits, sizeof bits);
    }
  }

 private:
  Table table_;
  Rows& out_;
};

template <class Values>
void embed(Program& p, Values values, size_t out) {
  const Table table(values);
  require(p.rows(out).width == table.width, "embed: the output has another width than the table");
  p.before_each_step([num_rows = table.num_rows](const Step& step) {
    for (size_t t = 0; t < step.num_tokens; ++t)
      require(step.token_ids[t] >= 0 && size_t(step.token_ids[t]) < num_rows,
              "step: token id out of range");
  });
  p.record("embed", std::make_unique<Embed>(table, p.rows(out)));
}

}  // namespace

void define_embed(nb::class_<Program>& program) {
  program.def("embed", embed<Words>, array("table"), "out"_a);
  program.def("embed", embed<Matrix>, array("table"), "out"_a);
}
