// What this CPU and operating system can run, asked of the CPU itself.
//
// __builtin_cpu_supports would do, but answers false in builds by zig (no libgcc start-up code).
#pragma once

struct CpuFeatures {
  bool avx2;        // AVX2, FMA and F16C
  bool avxvnni;     // and AVX-VNNI, in 256 bits
  bool avx512vnni;  // AVX-512 F, BW, DQ, VL and VNNI
  bool avx512vbmi;  // and VBMI
};

CpuFeatures cpu_features();
