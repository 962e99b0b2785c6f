// The numpy arrays that operations are given. Contiguous, and never converted: weights are kept
// by reference.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <vector>

namespace nb = nanobind;
using namespace nb::literals;

template <class T, size_t N>
using Array = nb::ndarray<T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
using Ints = Array<const int32_t, 1>;
using Floats = Array<const float, 1>;
using Words = Array<const uint16_t, 2>;  // bfloat16, viewed as integers
using Matrix = Array<const float, 2>;
using TernaryCodes = Array<const uint8_t, 3>;

// The argument of a method that takes an array.
inline auto array(const char* name) { return nb::arg(name).noconvert(); }

inline std::vector<float> copy(Floats a) { return {a.data(), a.data() + a.size()}; }
