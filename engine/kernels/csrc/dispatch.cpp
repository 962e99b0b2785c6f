#include "dispatch.h"

#include <stdexcept>

// isa_list.inc has ISA(name) for each add_isa line of CMakeLists.txt, in their order.
#define ISA(name) extern const KernelTable name##_kernels;
#include "isa_list.inc"
#undef ISA

const std::vector<const KernelTable*>& all_kernels() {
#define ISA(name) &name##_kernels,
  static const std::vector<const KernelTable*> all = {
#include "isa_list.inc"
  };
#undef ISA
  return all;
}

std::vector<const KernelTable*> supported_kernels() {
  const uint32_t features = cpu_features();
  std::vector<const KernelTable*> supported;
  for (const KernelTable* kernels : all_kernels())
    if ((kernels->needs & ~features) == 0) supported.push_back(kernels);
  return supported;
}

std::vector<std::string> needed_features(const KernelTable& kernels) {
  std::vector<std::string> names;
  for (unsigned bit = 0; bit < 32; ++bit)
    if (kernels.needs >> bit & 1) names.push_back(cpu_feature_name(bit));
  return names;
}

const KernelTable& choose_kernels(const std::string& isa) {
  std::string names;
  for (const KernelTable* table : supported_kernels()) {
    if (isa.empty() || isa == table->isa) return *table;
    names += names.empty() ? table->isa : std::string(", ") + table->isa;
  }
  throw std::invalid_argument("instruction set '" + isa +
                              "' is not supported here; supported: " + names);
}
