// Vectors of 32 bytes: what the files of 256-bit instruction sets have in common before their
// products. Included in an ISA file's namespace.
#pragma once

inline __m256i repeat_inputs(const void* x) {
  int32_t inputs;
  __builtin_memcpy(&inputs, x, sizeof inputs);
  return _mm256_set1_epi32(inputs);
}

// t mod power, for t below 3 * power: subtractions wrap below zero, and the least is the answer.
inline __m256i modulo(__m256i t, int power) {
  const __m256i once = _mm256_sub_epi8(t, _mm256_set1_epi8(char(power)));
  const __m256i twice = _mm256_sub_epi8(t, _mm256_set1_epi8(char(2 * power)));
  return _mm256_min_epu8(t, _mm256_min_epu8(once, twice));
}

uint64_t read_bytes(const uint8_t* x, size_t n) {
  __m256i even = _mm256_setzero_si256(), odd = even;
  for (size_t i = 0; i < n; i += 64) {
    even = _mm256_xor_si256(even, _mm256_loadu_si256((const __m256i*)(x + i)));
    odd = _mm256_xor_si256(odd, _mm256_loadu_si256((const __m256i*)(x + i + 32)));
  }
  uint64_t words[4];
  _mm256_storeu_si256((__m256i*)words, _mm256_xor_si256(even, odd));
  return words[0] ^ words[1] ^ words[2] ^ words[3];
}
