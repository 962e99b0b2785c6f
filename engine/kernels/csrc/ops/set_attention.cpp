// Allocates what attention needs, before its operations are recorded: cache and rotary tables.
#include <nanobind/stl/string.h>

#include "ops/arrays.h"
#include "ops/shared_attention.h"
#include "program.h"

namespace {

CacheType cache_type(const std::string& name) {
  if (name == "float16") return CacheType::kFloat16;
  if (name == "float32") return CacheType::kFloat32;
  if (name == "int8") return CacheType::kInt8;
  throw std::invalid_argument("unknown cache type '" + name + "'; known: float16, float32, int8");
}

void set_attention(Program& p, size_t num_heads, size_t num_kv_heads, size_t head_size,
                   size_t num_layers, size_t num_blocks, const std::string& cache, Matrix cos,
                   Matrix sin) {
  const CacheType type = cache_type(cache);
  require(cos.shape(1) * 2 == head_size && sin.shape(1) * 2 == head_size &&
              cos.shape(0) == sin.shape(0),
          "set_attention: rotary tables must be [positions, head_size / 2]");
  require(num_kv_heads > 0 && num_heads % num_kv_heads == 0 && head_size % 2 == 0,
          "attention: heads must be a multiple of KV heads, and the head size even");
  require(type != CacheType::kInt8 || head_size <= kMaxInt8HeadSize,
          "attention: heads are too large for exact int32 sums of an int8 cache; use float16");
  const auto shared = std::make_shared<SharedAttention>(
      p.kernels(), AttentionShape{num_heads, num_kv_heads, head_size}, type, num_layers, num_blocks,
      cos.data(), sin.data(), cos.shape(0), p.max_tokens(), p.num_threads());
  p.set_attention(shared);
  p.before_each_step([shared](const Step& step) {
    shared->check(step);
    shared->plan.build(step);
  });
}

size_t kv_cache_bytes(const Program& p) {
  return p.has_attention() ? p.attention().cache.bytes() : 0;
}

}  // namespace

void define_set_attention(nb::class_<Program>& program) {
  program
      .def("set_attention", set_attention, "num_heads"_a, "num_kv_heads"_a, "head_size"_a,
           "num_layers"_a, "num_blocks"_a, "cache_type"_a, array("cos"), array("sin"))
      .def_prop_ro("kv_cache_bytes", kv_cache_bytes);
}
