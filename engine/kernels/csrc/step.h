// The batch of one step, as plain arrays; see engine/kernels/step.py for their meaning.
#pragma once
#include <stddef.h>
#include <stdint.h>

struct Step {
  size_t num_tokens, num_requests, num_logits, table_width;
  const int32_t* token_ids;     // [T]
  const int32_t* positions;     // [T]
  const int32_t* slots;         // [T]
  const int32_t* block_tables;  // [R, table_width]
  const int32_t* query_starts;  // [R + 1]
  const int32_t* logit_rows;    // [S]
};
