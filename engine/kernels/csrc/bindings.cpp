// The extension module: programs, their buffers, and running them. The methods that record an
// operation are in its file in ops/.
#include <nanobind/stl/map.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "ops/arrays.h"
#include "program.h"

// operation_list.inc has OPERATION(name) for each add_operation line of CMakeLists.txt.
#define OPERATION(name) void define_##name(nb::class_<Program>&);
#include "operation_list.inc"
#undef OPERATION

namespace {

using Logits = nb::ndarray<const float, nb::ndim<2>, nb::device::cpu>;  // contiguous rows

void require_rows(const Logits& logits, const char* message) {
  if (logits.shape(1) == 0 || logits.stride(1) != 1) throw nb::value_error(message);
}

template <class T, size_t N>
using View = nb::ndarray<nb::numpy, T, nb::ndim<N>>;  // of a program's memory, which it keeps alive

View<float, 2> rows_view(nb::handle self, size_t index) {
  Rows& rows = nb::cast<Program&>(self).rows(index);
  return {rows.data.get(), {rows.num_rows, rows.width}, self, {int64_t(rows.stride), 1}};
}

std::tuple<View<int8_t, 2>, View<float, 1>, View<int32_t, 1>> quantized_views(nb::handle self,
                                                                              size_t index) {
  QuantizedRows& rows = nb::cast<Program&>(self).quantized_rows(index);
  return {{rows.q.get(), {rows.num_rows, rows.width}, self, {int64_t(rows.stride), 1}},
          {rows.scales.data(), {rows.num_rows}, self},
          {rows.sums.data(), {rows.num_rows}, self}};
}

void run(Program& program, Ints token_ids, Ints positions, Ints slots,
         Array<const int32_t, 2> block_tables, Ints query_starts, Ints logit_rows) {
  const size_t num_tokens = token_ids.size(), num_requests = block_tables.shape(0);
  if (positions.size() != num_tokens || slots.size() != num_tokens ||
      query_starts.size() != num_requests + 1)
    throw nb::value_error("step: arrays differ in length");
  const Step step = {
      num_tokens,          num_requests,     logit_rows.size(), block_tables.shape(1),
      token_ids.data(),    positions.data(), slots.data(),      block_tables.data(),
      query_starts.data(), logit_rows.data()};
  nb::gil_scoped_release unlock;
  program.run(step);
}

void sample(Program& program, Logits logits, Floats temperature, Ints top_k, Floats top_p,
            Floats min_p, Array<const double, 1> uniform, Array<int32_t, 1> tokens,
            Array<float, 1> logprobs) {
  const size_t n = logits.shape(0);
  for (size_t size : {temperature.size(), top_k.size(), top_p.size(), min_p.size(), uniform.size(),
                      tokens.size(), logprobs.size()})
    if (size != n) throw nb::value_error("sample: arrays differ in length");
  require_rows(logits, "sample: logits must be contiguous rows");
  std::vector<SamplingRow> rows(n);
  std::vector<SampledToken> out(n);
  for (size_t i = 0; i < n; ++i)
    rows[i] = {temperature.data()[i], top_k.data()[i], top_p.data()[i], min_p.data()[i],
               uniform.data()[i]};
  {
    nb::gil_scoped_release unlock;
    program.sample(logits.data(), size_t(logits.stride(0)), logits.shape(1), rows, out.data());
  }
  for (size_t i = 0; i < n; ++i)
    tokens.data()[i] = out[i].token, logprobs.data()[i] = out[i].logprob;
}

void logprobs(Program& program, Logits logits, Ints tokens, Array<float, 1> out,
              Array<int32_t, 2> top_tokens, Array<float, 2> top_logprobs) {
  const size_t n = logits.shape(0), count = top_tokens.shape(1);
  if (tokens.size() != n || out.size() != n || top_tokens.shape(0) != n ||
      top_logprobs.shape(0) != n || top_logprobs.shape(1) != count)
    throw nb::value_error("logprobs: arrays differ in length");
  require_rows(logits, "logprobs: logits must be contiguous rows");
  const std::vector<int32_t> ids(tokens.data(), tokens.data() + n);
  std::vector<TokenLogprob> top(n * count);
  {
    nb::gil_scoped_release unlock;
    program.logprobs(logits.data(), size_t(logits.stride(0)), logits.shape(1), ids, count,
                     out.data(), top.data());
  }
  for (size_t i = 0; i < n * count; ++i)
    top_tokens.data()[i] = top[i].token, top_logprobs.data()[i] = top[i].logprob;
}

std::vector<std::string> supported_isas() {
  std::vector<std::string> names;
  for (const KernelTable* kernels : supported_kernels()) names.push_back(kernels->isa);
  return names;
}

// Of all instruction sets in this build, best first: the CPU features that each needs.
std::vector<std::pair<std::string, std::vector<std::string>>> known_isas() {
  std::vector<std::pair<std::string, std::vector<std::string>>> isas;
  for (const KernelTable* kernels : all_kernels())
    isas.emplace_back(kernels->isa, needed_features(*kernels));
  return isas;
}

}  // namespace

NB_MODULE(_native, m) {
  m.def("supported_isas", supported_isas);
  m.def("known_isas", known_isas);
  m.attr("CACHE_TOKENS") = kCacheTokens;

  nb::class_<Program> program(m, "Program");
  program
      .def(
          "__init__",
          [](Program* self, const std::string& isa, int num_threads, size_t max_tokens,
             size_t max_logits) {
            if (num_threads < 1) throw nb::value_error("num_threads must be at least 1");
            new (self) Program(isa, num_threads, max_tokens, max_logits);
          },
          "isa"_a, "num_threads"_a, "max_tokens"_a, "max_logits"_a)
      .def_prop_ro("isa", [](const Program& p) { return p.kernels().isa; })
      .def_prop_ro("num_threads", &Program::num_threads)
      .def_prop_ro("num_held_up", &Program::num_held_up)
      .def_prop_ro("scratch_bytes", &Program::scratch_bytes)
      .def_prop_ro("seconds", [](const Program& p) { return p.seconds(); })
      .def("add_rows", &Program::add_rows, "width"_a)
      .def("add_quantized_rows", &Program::add_quantized_rows, "width"_a)
      .def("rows_view", rows_view, "index"_a)
      .def("quantized_views", quantized_views, "index"_a)
      .def("run", run, array("token_ids"), array("positions"), array("slots"),
           array("block_tables"), array("query_starts"), array("logit_rows"))
      .def("sample", sample, array("logits"), array("temperature"), array("top_k"), array("top_p"),
           array("min_p"), array("uniform"), array("tokens"), array("logprobs"))
      .def("logprobs", logprobs, array("logits"), array("tokens"), array("logprobs"),
           array("top_tokens"), array("top_logprobs"));

#define OPERATION(name) define_##name(program);
#include "operation_list.inc"
#undef OPERATION
}
