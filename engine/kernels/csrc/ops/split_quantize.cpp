// Rounds rows that give logits to numbers of 15 bits, as two int8 digits with a scale each:
// x ~ high * high_scale + low * low_scale. By groups, like the weights of a ternary head.
#include <math.h>

#include <algorithm>

#include "ops/arrays.h"
#include "program.h"

namespace {

constexpr float kLargest = 127 * 128 + 63;  // high is at most 127, low from -64 to 63

class SplitQuantize final : public Op {
 public:
  SplitQuantize(Rows& x, QuantizedRows& high, QuantizedRows& low) : x_(x), high_(high), low_(low) {}
  size_t num_tiles(const Step& step) const override { return step.num_logits; }
  void run_tile(const Step&, size_t t, bool) override {
    QuantizedRow high = high_.row(t), low = low_.row(t);
    const float* x = x_.row(t);
    for (size_t i = 0, group = 0; i < x_.width; i += high_.group, ++group)
      split(x + i, std::min(high_.group, x_.width - i),
            {high.q + i, high.scale + group, high.sum + group},
            {low.q + i, low.scale + group, low.sum + group});
  }

 private:
  static void split(const float* x, size_t n, QuantizedRow high, QuantizedRow low) {
    float largest = 1e-30f, poison = 0.0f;  // NaN where the row is not finite
    for (size_t i = 0; i < n; ++i) {
      largest = std::max(largest, fabsf(x[i]));
      poison += x[i] * 0.0f;
    }
    int32_t high_sum = 0, low_sum = 0;
    for (size_t i = 0; i < n; ++i) {
      const float scaled = x[i] * (kLargest / largest);
      const long number = scaled == scaled ? lrintf(scaled) : 0;
      const long digit = (number + 64 + (128 << 7)) / 128 - 128;  // rounded down from the middle
      high.q[i] = int8_t(digit), high_sum += int8_t(digit);
      low.q[i] = int8_t(number - 128 * digit), low_sum += int8_t(number - 128 * digit);
    }
    *high.sum = high_sum, *low.sum = low_sum;
    *low.scale = largest / kLargest + poison;
    *high.scale = 128 * *low.scale;
  }

  Rows& x_;
  QuantizedRows &high_, &low_;
};

void split_quantize(Program& p, size_t x, size_t high, size_t low) {
  const size_t width = p.rows(x).width;
  require(p.quantized_rows(high).width == width && p.quantized_rows(low).width == width &&
              p.quantized_rows(high).group == p.quantized_rows(low).group,
          "split_quantize: input and outputs differ in width or groups");
  p.record("split_quantize", std::make_unique<SplitQuantize>(p.rows(x), p.quantized_rows(high),
                                                             p.quantized_rows(low)));
}

}  // namespace

void define_split_quantize(nb::class_<Program>& program) {
  program.def("split_quantize", split_quantize, "x"_a, "high"_a, "low"_a);
}
