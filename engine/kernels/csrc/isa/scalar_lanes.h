// Vectors of one float: plain C++. Included in an ISA file's namespace, see row-inl.h.
#pragma once
#include "isa/half.h"

struct Lanes {
  using Float = float;
  static constexpr size_t num_registers = 16;
  static constexpr size_t width = 1;

  static Float load(const float* p) { return *p; }
  static void store(float* p, Float v) { *p = v; }
  static Float set(float v) { return v; }
  static Float add(Float a, Float b) { return a + b; }
  static Float sub(Float a, Float b) { return a - b; }
  static Float mul(Float a, Float b) { return a * b; }
  static Float div(Float a, Float b) { return a / b; }
  static Float fma(Float a, Float b, Float c) { return a * b + c; }
  static Float max(Float a, Float b) { return a > b ? a : b; }
  static Float abs(Float v) { return __builtin_fabsf(v); }
  static Float round(Float v) { return __builtin_rintf(v); }
  static Float scale_by_power_of_two(Float p, Float n) {
    return p * bits_to_float(uint32_t(int32_t(n) + 127) << 23);
  }
  static float sum(Float v) { return v; }
  static float largest(Float v) { return v; }

  static void add_squares(const float* x, size_t n, double* lanes) {
    for (size_t i = 0; i < n; i += 32)
      for (size_t j = 0; j < 32; ++j) lanes[j] += double(x[i + j]) * double(x[i + j]);
  }
  static void store_int8(int8_t* p, Float v) {
    *p = v == v ? int8_t(__builtin_lrintf(v)) : int8_t(0);
  }
  static int32_t sum_int8(const int8_t* p, size_t n) {
    int32_t sum = 0;
    for (size_t i = 0; i < n; ++i) sum += p[i];
    return sum;
  }
  static Float difference(const int32_t* a, int32_t b) { return float(*a - b); }
  static Float without_offset(const int32_t* a, const int32_t* b) { return float(*a - 128 * *b); }
  static Float load_half(const uint16_t* p) { return portable_from_half(*p); }
  static Float load_bfloat(const uint16_t* p) { return bits_to_float(uint32_t(*p) << 16); }
  static float from_half(uint16_t h) { return portable_from_half(h); }
  static void store_half(uint16_t* p, Float v) { *p = portable_half(v); }
  static uint16_t half(float v) { return portable_half(v); }
};
