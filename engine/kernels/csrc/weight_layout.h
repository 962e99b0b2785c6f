// The packed format of ternary weights; the only place that knows its constants.
//
// A matrix W [N, K] is cut into blocks of 80 output rows, and a block into steps of 4 inputs.
// One step of one block is 64 bytes, a cache line and a vector register:
//
//   byte 4r + i  (r < 16, i < 4)    81 d0 + 27 d1 + 9 d2 + 3 d3 + d4, where dj is the code of
//                                   row 80b + 16j + r at input 4s + i
//
// A code is w + 1, so 0, 1 or 2, and a byte at most 242. Rows past N and inputs past K hold the
// code 1, a weight of 0. Blocks follow each other, steps follow each other inside a block: a block
// is one stream of bytes.
#pragma once
#include <stddef.h>

constexpr size_t kBlockRows = 80;
constexpr size_t kRowsPerByte = 5;
constexpr size_t kStepInputs = 4;
constexpr size_t kStepBytes = 64;

// Sums of codes times inputs: 2 * 128 * K must stay below 2^31.
constexpr size_t kMaxInputs = 8388604;

// Int8 weights of the output head lie in blocks of 64 rows and the same steps, a byte each: four
// times 64 bytes, of rows 64b .. 64b+15, then the next 16, and so on; byte 4r + i as above.
constexpr size_t kInt8BlockRows = 64;
constexpr size_t kInt8StepBytes = 256;

// Unsigned digits times int8 weights: 255 * 127 * K must stay below 2^31.
constexpr size_t kMaxInt8Inputs = 66304;

// Rounds up to whole cache lines of floats or bytes; every buffer row is padded so.
constexpr size_t padded(size_t n) { return (n + 63) / 64 * 64; }
constexpr size_t num_blocks(size_t out_features) {
  return (out_features + kBlockRows - 1) / kBlockRows;
}
constexpr size_t num_int8_blocks(size_t out_features) {
  return (out_features + kInt8BlockRows - 1) / kInt8BlockRows;
}
constexpr size_t num_steps(size_t in_features) {
  return (in_features + kStepInputs - 1) / kStepInputs;
}
