// Kernels for AVX-512 with VNNI: vectors of 16 floats, vpdpbusd for the products.
#include <immintrin.h>

#include "kernel_table.h"
#include "weight_layout.h"

namespace {

// A remainder from the one before: with two subtractions that wrap below zero, and minima.
struct Remainders {
  static __m512i modulo(__m512i t, int power) {
    const __m512i once = _mm512_sub_epi8(t, _mm512_set1_epi8(char(power)));
    const __m512i twice = _mm512_sub_epi8(t, _mm512_set1_epi8(char(2 * power)));
    return _mm512_min_epu8(t, _mm512_min_epu8(once, twice));
  }
  void of(__m512i bytes, __m512i* t) const {
    t[0] = bytes;
    t[1] = modulo(t[0], 81);
    t[2] = modulo(t[1], 27);
    t[3] = modulo(t[2], 9);
    t[4] = modulo(t[3], 3);
  }
};

#include "isa/avx512_lanes.h"
#include "isa/avx512_products.h"
#include "isa/make_table.h"

}  // namespace

extern const KernelTable avx512vnni_kernels = make_table("avx512vnni", kAvx512Set, 5, 6);
