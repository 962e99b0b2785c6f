// The table of an instruction set, from the functions that its file holds. Included last, like
// row-inl.h.
#pragma once
#include "tiles/attention-inl.h"
#include "tiles/exp-inl.h"
#include "tiles/head-inl.h"
#include "tiles/row-inl.h"

// See KernelTable for the arguments.
constexpr KernelTable make_table(const char* isa, uint32_t needs, size_t tile_tokens,
                                 size_t tile_digits) {
  return {
      isa,
      needs,
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
