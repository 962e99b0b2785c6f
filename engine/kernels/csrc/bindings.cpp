// The only file that knows Python: checks types and contiguity, drops the GIL, calls.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "program.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

template <class T, size_t N>
using Array = nb::ndarray<T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
using Ints = Array<const int32_t, 1>;
using Floats = Array<const float, 1>;
using Words = Array<const uint16_t, 2>;  // bfloat16, viewed as integers
using Matrix = Array<const float, 2>;
using Logits = nb::ndarray<const float, nb::ndim<2>, nb::device::cpu>;  // contiguous rows

void require_rows(const Logits& logits, const char* message) {
  if (logits.shape(1) == 0 || logits.stride(1) != 1) throw nb::value_error(message);
}

std::vector<float> copy(Floats a) { return {a.data(), a.data() + a.size()}; }

Table table(Words a) { return {a.data(), true, a.shape(0), a.shape(1)}; }
Table table(Matrix a) { return {a.data(), false, a.shape(0), a.shape(1)}; }

TernaryWeight ternary_weight(Array<const uint8_t, 3> codes, Floats scales, size_t in_features) {
  const size_t out_features = scales.size();
  if (codes.shape(0) != num_blocks(out_features) || codes.shape(1) != num_steps(in_features) ||
      codes.shape(2) != kStepBytes)
    throw nb::value_error("ternary_matmul: the packed codes do not have the shape of the weight");
  return {codes.data(), copy(scales), out_features, in_features};
}

Int8Table int8_table(Array<const int8_t, 3> codes, Floats scales, Ints sums, Floats residual_norms,
                     Floats norms, size_t width) {
  const size_t num_rows = scales.size();
  if (codes.shape(0) != num_int8_blocks(num_rows) || codes.shape(1) != num_steps(width) ||
      codes.shape(2) != kInt8StepBytes || sums.size() != num_rows ||
      residual_norms.size() != num_rows || norms.size() != num_rows)
    throw nb::value_error("int8_head: the parts of the int8 table do not fit together");
  return {codes.data(), scales.data(), sums.data(), residual_norms.data(),
          norms.data(), num_rows,      width};
}

nb::object rows_view(nb::handle self, size_t index) {
  Rows& rows = nb::cast<Program&>(self).rows(index);
  const size_t shape[] = {rows.num_rows, rows.width};
  const int64_t strides[] = {int64_t(rows.stride), 1};
  return nb::cast(nb::ndarray<nb::numpy, float>(rows.data.get(), 2, shape, self, strides));
}

nb::tuple quantized_views(nb::handle self, size_t index) {
  QuantizedRows& rows = nb::cast<Program&>(self).quantized_rows(index);
  const size_t shape[] = {rows.num_rows, rows.width};
  const int64_t strides[] = {int64_t(rows.stride), 1};
  return nb::make_tuple(nb::ndarray<nb::numpy, int8_t>(rows.q.get(), 2, shape, self, strides),
                        nb::ndarray<nb::numpy, float>(rows.scales.data(), 1, shape, self),
                        nb::ndarray<nb::numpy, int32_t>(rows.sums.data(), 1, shape, self));
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

CacheType cache_type(const std::string& name) {
  if (name == "float16") return CacheType::kFloat16;
  if (name == "float32") return CacheType::kFloat32;
  if (name == "int8") return CacheType::kInt8;
  throw std::invalid_argument("unknown cache type '" + name + "'; known: float16, float32, int8");
}

// The operations on a vocabulary table, which is bfloat16 or float32.
template <class Values>
void define_table_operations(nb::class_<Program>& program) {
  program
      .def(
          "embed", [](Program& p, Values t, size_t out) { p.embed(table(t), out); },
          nb::arg("table").noconvert(), "out"_a)
      .def(
          "head", [](Program& p, size_t x, Values t, size_t out) { p.head(x, table(t), out); },
          "x"_a, nb::arg("table").noconvert(), "logits"_a)
      .def(
          "int8_head",
          [](Program& p, size_t x, Array<const int8_t, 3> codes, Floats scales, Ints sums,
             Floats residual_norms, Floats norms, Values t, size_t out) {
            p.int8_head(x, int8_table(codes, scales, sums, residual_norms, norms, t.shape(1)),
                        table(t), out);
          },
          "x"_a, nb::arg("codes").noconvert(), nb::arg("scales").noconvert(),
          nb::arg("sums").noconvert(), nb::arg("residual_norms").noconvert(),
          nb::arg("norms").noconvert(), nb::arg("table").noconvert(), "logits"_a);
}

}  // namespace

NB_MODULE(_native, m) {
  m.def("supported_isas", supported_isas);
  m.def("known_isas", known_isas);
  m.attr("CACHE_TOKENS") = kCacheTokens;

  nb::class_<Program> program(m, "Program");
  define_table_operations<Words>(program);
  define_table_operations<Matrix>(program);
  program
      .def(
          "__init__",
          [](Program* self, const std::string& isa, int num_threads, size_t max_tokens,
             size_t max_logits) {
            if (num_threads < 1) throw nb::value_error("num_threads must be at least 1");
            new (self) Program(isa, num_threads, {max_tokens, max_logits});
          },
          "isa"_a, "num_threads"_a, "max_tokens"_a, "max_logits"_a)
      .def_prop_ro("isa", [](const Program& p) { return p.kernels().isa; })
      .def_prop_ro("num_threads", &Program::num_threads)
      .def_prop_ro("kv_cache_bytes", &Program::kv_cache_bytes)
      .def_prop_ro("scratch_bytes", &Program::scratch_bytes)
      .def_prop_ro("seconds", [](const Program& p) { return p.seconds(); })
      .def("add_rows", &Program::add_rows, "width"_a)
      .def("add_quantized_rows", &Program::add_quantized_rows, "width"_a)
      .def(
          "rows_view", [](nb::handle self, size_t i) { return rows_view(self, i); }, "index"_a)
      .def(
          "quantized_views", [](nb::handle self, size_t i) { return quantized_views(self, i); },
          "index"_a)
      .def(
          "set_attention",
          [](Program& p, size_t heads, size_t kv_heads, size_t head_size, size_t layers,
             size_t blocks, const std::string& cache, Matrix cos, Matrix sin) {
            if (cos.shape(1) * 2 != head_size || sin.shape(1) * 2 != head_size ||
                cos.shape(0) != sin.shape(0))
              throw nb::value_error(
                  "set_attention: rotary tables must be [positions, head_size / 2]");
            p.set_attention({heads, kv_heads, head_size}, cache_type(cache), layers, blocks,
                            cos.data(), sin.data(), cos.shape(0));
          },
          "num_heads"_a, "num_kv_heads"_a, "head_size"_a, "num_layers"_a, "num_blocks"_a,
          "cache_type"_a, nb::arg("cos").noconvert(), nb::arg("sin").noconvert())
      .def(
          "rms_norm_quantize",
          [](Program& p, size_t x, Floats w, float eps, size_t out) {
            p.rms_norm_quantize(x, copy(w), eps, out);
          },
          "x"_a, nb::arg("weight").noconvert(), "eps"_a, "out"_a)
      .def(
          "select_rms_norm",
          [](Program& p, size_t x, Floats w, float eps, size_t out) {
            p.select_rms_norm(x, copy(w), eps, out);
          },
          "x"_a, nb::arg("weight").noconvert(), "eps"_a, "out"_a)
      .def(
          "ternary_matmul",
          [](Program& p, size_t x, Array<const uint8_t, 3> codes, Floats scales, size_t in_features,
             size_t out, bool accumulate) {
            p.ternary_matmul(x, ternary_weight(codes, scales, in_features), out, accumulate);
          },
          "x"_a, nb::arg("codes").noconvert(), nb::arg("row_scales").noconvert(), "in_features"_a,
          "out"_a, "accumulate"_a)
      .def(
          "gated_matmul",
          [](Program& p, size_t x, Array<const uint8_t, 3> gate, Floats gate_scales,
             Array<const uint8_t, 3> up, Floats up_scales, size_t in_features, size_t out) {
            p.gated_matmul(x, ternary_weight(gate, gate_scales, in_features),
                           ternary_weight(up, up_scales, in_features), out);
          },
          "x"_a, nb::arg("gate").noconvert(), nb::arg("gate_scales").noconvert(),
          nb::arg("up").noconvert(), nb::arg("up_scales").noconvert(), "in_features"_a, "out"_a)
      .def("rotate_and_store", &Program::rotate_and_store, "qkv"_a, "layer"_a)
      .def("attention", &Program::attention, "qkv"_a, "layer"_a, "out"_a)
      .def(
          "read_probe",
          [](Program& p, Array<const uint8_t, 1> data) { p.read_probe(data.data(), data.size()); },
          nb::arg("data").noconvert())
      .def("multiply_add_probe", &Program::multiply_add_probe, "rounds"_a)
      .def("run", run, nb::arg("token_ids").noconvert(), nb::arg("positions").noconvert(),
           nb::arg("slots").noconvert(), nb::arg("block_tables").noconvert(),
           nb::arg("query_starts").noconvert(), nb::arg("logit_rows").noconvert())
      .def("sample", sample, nb::arg("logits").noconvert(), nb::arg("temperature").noconvert(),
           nb::arg("top_k").noconvert(), nb::arg("top_p").noconvert(), nb::arg("min_p").noconvert(),
           nb::arg("uniform").noconvert(), nb::arg("tokens").noconvert(),
           nb::arg("logprobs").noconvert())
      .def("logprobs", logprobs, nb::arg("logits").noconvert(), nb::arg("tokens").noconvert(),
           nb::arg("logprobs").noconvert(), nb::arg("top_tokens").noconvert(),
           nb::arg("top_logprobs").noconvert());
}
