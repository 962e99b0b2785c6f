// Keys and values of all tokens, in blocks.
#pragma once
#include <stdint.h>

#include <vector>

#include "kernel_table.h"
#include "memory.h"

// What the cache holds.
enum class CacheType { kFloat16, kFloat32, kInt8 };

// Keys and values of all layers, in blocks of kCacheTokens tokens. Of a block, each KV head has
// its keys as [D, kCacheTokens] and its values as [kCacheTokens, D].
//
// int8 keeps four elements that are summed side by side: keys as [D / 4, kCacheTokens, 4], D padded
// to whole fours, and values as [kCacheTokens / 4, D, 4]. A scale for each token and
// head, [kCacheTokens], goes with keys and values alike.
struct KVCache {
  struct Part {
    Reserved<uint8_t> elements;
    Reserved<float> scales;
  };

  KVCache(CacheType type, size_t num_layers, size_t num_blocks, size_t num_kv_heads,
          size_t head_size)
      : type(type),
        element_size(type == CacheType::kInt8      ? 1
                     : type == CacheType::kFloat16 ? 2
                                                   : 4),
        num_blocks(num_blocks),
        num_kv_heads(num_kv_heads),
        head_size(head_size),
        head_stride((type == CacheType::kInt8 ? (head_size + 3) / 4 * 4 : head_size) *
                    kCacheTokens),
        block_stride(num_kv_heads * head_stride),
        scale_stride(type == CacheType::kInt8 ? num_kv_heads * kCacheTokens : 0) {
    for (size_t i = 0; i < num_layers; ++i) {
      keys.push_back(part());
      values.push_back(part());
    }
  }

  size_t bytes() const {
    return 2 * keys.size() * num_blocks *
           (block_stride * element_size + scale_stride * sizeof(float));
  }

  // Where a token's key or value begins, of a block's KV head.
  void* key_at(Part& part, size_t block, size_t head, size_t token) {
    return at(part, block, head, type == CacheType::kInt8 ? token * 4 : token);
  }
  void* value_at(Part& part, size_t block, size_t head, size_t token) {
    const size_t group = token / 4 * 4;
    return at(part, block, head,
              type == CacheType::kInt8 ? group * head_size + token - group : token * head_size);
  }

  // The element `offset` of a block's KV head.
  void* at(Part& part, size_t block, size_t head, size_t offset) {
    return part.elements.get() +
           (block * block_stride + head * head_stride + offset) * element_size;
  }
  float* scale_at(Part& part, size_t block, size_t head, size_t token) {
    return part.scales.get() + block * scale_stride +
           (scale_stride ? head * kCacheTokens + token : 0);
  }

  CacheType type;
  size_t element_size, num_blocks, num_kv_heads, head_size, head_stride, block_stride, scale_stride;
  std::vector<Part> keys, values;

 private:
  Part part() const {
    constexpr size_t kOverread = 64;  // of a vector that begins with the last values
    return {reserved<uint8_t>(num_blocks * block_stride * element_size + kOverread),
            reserved<float>(num_blocks * scale_stride)};
  }
};
