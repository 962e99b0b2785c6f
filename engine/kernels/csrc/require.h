// How operations refuse what does not fit together: a ValueError in Python.
#pragma once
#include <stdexcept>

inline void require(bool holds, const char* message) {
  if (!holds) throw std::invalid_argument(message);
}
