#include "cpu_features.h"

namespace {

enum Register { kA, kB, kC };
enum Saved : uint64_t {  // bits of XCR0: register states that the system saves and restores
  kYmm = 0x06,           // XMM and YMM
  kZmm = 0xe6,           // and masks, ZMM0-15, ZMM16-31
};

// Where CPUID tells of a feature.
struct Place {
  CpuFeature feature;
  const char* name;
  uint32_t leaf, subleaf;
  Register reg;
  int bit;
  uint64_t state;
};

constexpr Place kPlaces[] = {
    {kAvx2, "avx2", 7, 0, kB, 5, kYmm},
    {kFma, "fma", 1, 0, kC, 12, kYmm},
    {kF16c, "f16c", 1, 0, kC, 29, kYmm},
    {kAvxVnni, "avx_vnni", 7, 1, kA, 4, kYmm},
    {kAvx512F, "avx512f", 7, 0, kB, 16, kZmm},
    {kAvx512Bw, "avx512bw", 7, 0, kB, 30, kZmm},
    {kAvx512Dq, "avx512dq", 7, 0, kB, 17, kZmm},
    {kAvx512Vl, "avx512vl", 7, 0, kB, 31, kZmm},
    {kAvx512Vnni, "avx512_vnni", 7, 0, kC, 11, kZmm},
    {kAvx512Vbmi, "avx512vbmi", 7, 0, kC, 1, kZmm},
};

}  // namespace

const char* cpu_feature_name(unsigned bit) {
  for (const Place& place : kPlaces)
    if (place.feature == 1u << bit) return place.name;
  return nullptr;
}

#if defined(__x86_64__)
#include <cpuid.h>

namespace {

// Zeros where there is no such leaf.
bool cpu_says(const Place& place) {
  uint32_t a = 0, b = 0, c = 0, d = 0;
  __get_cpuid_count(place.leaf, place.subleaf, &a, &b, &c, &d);
  const uint32_t value = place.reg == kA ? a : place.reg == kB ? b : c;
  return value >> place.bit & 1;
}

uint64_t saved_states() {
  constexpr Place kOsxsave = {CpuFeature(0), "osxsave", 1, 0, kC, 27, 0};
  if (!cpu_says(kOsxsave)) return 0;
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
}

}  // namespace

uint32_t cpu_features() {
  const uint64_t states = saved_states();
  uint32_t found = 0;
  for (const Place& place : kPlaces)
    if ((states & place.state) == place.state && cpu_says(place)) found |= place.feature;
  return found;
}

#else

uint32_t cpu_features() { return 0; }

#endif
