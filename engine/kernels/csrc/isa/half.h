// float16 in plain integer arithmetic, for machines without conversion instructions.
// Included like row-inl.h.
#pragma once

inline float bits_to_float(uint32_t bits) {
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

inline uint32_t float_to_bits(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return bits;
}

// Exact: the exponent is rebased by a multiplication, which also normalises subnormals.
inline float portable_from_half(uint16_t h) {
  const uint32_t sign = uint32_t(h & 0x8000) << 16, rest = h & 0x7fff;
  if (rest >= 0x7c00) return bits_to_float(sign | 0x7f800000 | (rest & 0x3ff) << 13);
  const float magnitude = bits_to_float(rest << 13) * 0x1p112f;
  return bits_to_float(sign | float_to_bits(magnitude));
}

// Rounds half to even; too large becomes infinity, NaN stays NaN.
inline uint16_t portable_half(float value) {
  const uint32_t bits = float_to_bits(value), sign = bits >> 16 & 0x8000;
  const uint32_t rest = bits & 0x7fffffff;
  if (rest > 0x7f800000) return uint16_t(sign | 0x7e00);
  if (rest >= 0x477ff000) return uint16_t(sign | 0x7c00);
  if (rest < 0x38800000) {  // subnormal: let the float adder round at 2^-24
    const float shifted = bits_to_float(rest) + 0.5f;
    return uint16_t(sign | (float_to_bits(shifted) - 0x3f000000));
  }
  const uint32_t rounded = rest + 0xfff + (rest >> 13 & 1);
  return uint16_t(sign | (rounded - 0x38000000) >> 13);
}
