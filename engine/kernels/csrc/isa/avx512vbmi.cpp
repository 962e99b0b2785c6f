// Kernels for AVX-512 with VNNI and VBMI: as avx512vnni, but remainders are looked up.
#include <immintrin.h>

#include "kernel_table.h"
#include "weight_layout.h"

namespace {

// i mod `modulus` for i from `first`, 64 entries: a register for a lookup.
template <int modulus, int first>
struct alignas(64) Table {
  uint8_t entries[64];
  constexpr Table() : entries() {
    for (int i = 0; i < 64; ++i) entries[i] = uint8_t((first + i) % modulus);
  }
  __m512i load() const { return _mm512_load_si512(entries); }
};
constexpr Table<27, 0> kModulo27;
constexpr Table<27, 64> kModulo27From64;
constexpr Table<9, 0> kModulo9;
constexpr Table<3, 0> kModulo3;

// mod 81 by subtractions that wrap below zero, and minima; that is below 128, and mod 27 below 64.
struct Remainders {
  void of(__m512i bytes, __m512i* t) const {
    const __m512i once = _mm512_sub_epi8(bytes, _mm512_set1_epi8(81));
    const __m512i twice = _mm512_sub_epi8(bytes, _mm512_set1_epi8(char(162)));
    t[0] = bytes;
    t[1] = _mm512_min_epu8(bytes, _mm512_min_epu8(once, twice));
    t[2] = _mm512_permutex2var_epi8(kModulo27.load(), t[1], kModulo27From64.load());
    t[3] = _mm512_permutexvar_epi8(t[2], kModulo9.load());
    t[4] = _mm512_permutexvar_epi8(t[2], kModulo3.load());
  }
};

#include "isa/avx512_lanes.h"
#include "isa/avx512_products.h"
#include "isa/make_table.h"

}  // namespace

extern const KernelTable avx512vbmi_kernels =
    make_table("avx512vbmi", kAvx512Set | kAvx512Vbmi, 5, 6);
