// The table of an instruction set, from the functions that its file holds. Included last, like
// row_kernels.h.
#pragma once
#include "attention_kernels.h"
#include "exp_kernels.h"
#include "head_kernels.h"
#include "row_kernels.h"

// tile_tokens, tile_digits: see KernelTable.
constexpr KernelTable make_table(const char* isa, size_t tile_tokens, size_t tile_digits) {
  return {
      isa,
      tile_tokens,
      tile_digits,
      kTileQueries,
      ternary_tile,
      scale_sums,
      gate_sums,
      rms_norm,
      rms_norm_quantize,
      rotate,
      store_half,
      store_int8,
      split_row,
      attend<HalfCache>,
      attend<FloatCache>,
      attend<Int8Cache>,
      merge_attention,
      head_bfloat,
      head_float,
      int8_tile,
      int8_logits,
      split_digits,
      largest,
      sum_exp,
      exp_row,
      read_bytes,
      multiply_add,
  };
}
