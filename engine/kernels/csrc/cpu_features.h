// What this CPU and operating system can run, asked of the CPU itself.
//
// __builtin_cpu_supports would do, but answers false in builds by zig (no libgcc start-up code).
#pragma once
#include <stdint.h>

// Bits of a mask. A new one also gets a line in cpu_features.cpp.
enum CpuFeature : uint32_t {
  kAvx2 = 1 << 0,
  kFma = 1 << 1,
  kF16c = 1 << 2,
  kAvxVnni = 1 << 3,
  kAvx512F = 1 << 4,
  kAvx512Bw = 1 << 5,
  kAvx512Dq = 1 << 6,
  kAvx512Vl = 1 << 7,
  kAvx512Vnni = 1 << 8,
  kAvx512Vbmi = 1 << 9,
};

// What the files of 256 and of 512 bits have in common.
constexpr uint32_t kAvx2Set = kAvx2 | kFma | kF16c;
constexpr uint32_t kAvx512Set =
    kAvx2Set | kAvx512F | kAvx512Bw | kAvx512Dq | kAvx512Vl | kAvx512Vnni;

// The features of this CPU whose registers the operating system saves.
uint32_t cpu_features();

// A feature's name in /proc/cpuinfo; `bit` counts from 0.
const char* cpu_feature_name(unsigned bit);
