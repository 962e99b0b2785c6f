// silu(gate) * up of each row [gate, up], rounded to int8. The row is overwritten.
#include "ops/arrays.h"
#include "program.h"

namespace {

class SiluGateQuantize final : public Op {
 public:
  SiluGateQuantize(const KernelTable& kernels, Rows& gate_up, QuantizedRows& out)
      : kernels_(kernels), gate_up_(gate_up), out_(out) {}
  size_t num_tiles(const Step& step) const override { return step.num_tokens; }
  void run_tile(const Step&, size_t t, bool) override {
    float* gate = gate_up_.row(t);
    kernels_.silu_gate(gate, gate + out_.width, out_.width, gate);
    kernels_.quantize(gate, out_.width, out_.group, out_.row(t));
  }

 private:
  const KernelTable& kernels_;
  Rows& gate_up_;
  QuantizedRows& out_;
};

void silu_gate_quantize(Program& p, size_t gate_up, size_t out) {
  require(p.rows(gate_up).width == 2 * p.quantized_rows(out).width,
          "silu_gate_quantize: the input is not twice as wide as the output");
  p.record("silu_gate_quantize",
           std::make_unique<SiluGateQuantize>(p.kernels(), p.rows(gate_up), p.quantized_rows(out)));
}

}  // namespace

void define_silu_gate_quantize(nb::class_<Program>& program) {
  program.def("silu_gate_quantize", silu_gate_quantize, "gate_up"_a, "out"_a);
}
