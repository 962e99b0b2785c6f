#include "dispatch.h"

#include <stdexcept>

#include "cpu_features.h"

std::vector<const KernelTable*> supported_kernels() {
  [[maybe_unused]] const CpuFeatures cpu = cpu_features();
  std::vector<const KernelTable*> tables;
#ifdef HAVE_AVX512VBMI
  if (cpu.avx512vbmi) tables.push_back(&avx512vbmi_kernels);
#endif
#ifdef HAVE_AVX512VNNI
  if (cpu.avx512vnni) tables.push_back(&avx512vnni_kernels);
#endif
#ifdef HAVE_AVXVNNI
  if (cpu.avxvnni) tables.push_back(&avxvnni_kernels);
#endif
#ifdef HAVE_AVX2
  if (cpu.avx2) tables.push_back(&avx2_kernels);
#endif
  tables.push_back(&scalar_kernels);
  return tables;
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
