#include "cpu_features.h"

#include <stdint.h>

#if defined(__x86_64__)
#include <cpuid.h>

namespace {

struct Leaf {
  uint32_t a = 0, b = 0, c = 0, d = 0;
};

Leaf leaf(uint32_t number, uint32_t subleaf = 0) {
  Leaf l;
  // Leaves zeros where there is no such leaf.
  __get_cpuid_count(number, subleaf, &l.a, &l.b, &l.c, &l.d);
  return l;
}

bool has(uint32_t reg, int bit) { return reg >> bit & 1; }

// Register states that the operating system saves and restores (XCR0).
uint64_t saved_states() {
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
}

}  // namespace

CpuFeatures cpu_features() {
  const Leaf one = leaf(1), seven = leaf(7), seven_one = leaf(7, 1);
  const bool osxsave = has(one.c, 27);
  const uint64_t states = osxsave ? saved_states() : 0;
  const bool ymm = (states & 0x06) == 0x06;  // XMM and YMM
  const bool zmm = (states & 0xe6) == 0xe6;  // and masks, ZMM0-15, ZMM16-31
  CpuFeatures found;
  found.avx2 = ymm && has(seven.b, 5) && has(one.c, 12) && has(one.c, 29);
  found.avxvnni = found.avx2 && has(seven_one.a, 4);
  found.avx512vnni = found.avx2 && zmm && has(seven.b, 16) && has(seven.b, 17) &&
                     has(seven.b, 30) && has(seven.b, 31) && has(seven.c, 11);
  found.avx512vbmi = found.avx512vnni && has(seven.c, 1);
  return found;
}

#else

CpuFeatures cpu_features() { return {}; }

#endif
