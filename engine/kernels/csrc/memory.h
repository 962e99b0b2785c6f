// Zeroed memory, from the heap or from the system itself.
#pragma once
#include <stdlib.h>
#include <sys/mman.h>

#include <memory>
#include <new>

struct FreeMemory {
  void operator()(void* p) const { free(p); }
};
template <class T>
using Memory = std::unique_ptr<T[], FreeMemory>;

// For what is written soon.
template <class T>
Memory<T> zeroed(size_t count) {
  T* memory = static_cast<T*>(calloc(count ? count : 1, sizeof(T)));
  if (!memory) throw std::bad_alloc();
  return Memory<T>(memory);
}

struct Unmap {
  size_t size;
  void operator()(void* p) const { munmap(p, size); }
};
template <class T>
using Reserved = std::unique_ptr<T[], Unmap>;

// Memory that becomes resident page by page, when it is touched. From the heap it might be
// resident at once: calloc clears memory that it has had before. Whether pages are huge is the
// system's choice; where it gives them unasked, a touch makes 2 MB resident.
template <class T>
Reserved<T> reserved(size_t count) {
  const size_t size = (count ? count : 1) * sizeof(T);
  void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) throw std::bad_alloc();
  return Reserved<T>(static_cast<T*>(p), {size});
}
