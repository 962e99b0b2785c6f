// Chooses the kernels: the best instruction set of this CPU, or the one asked for by name.
#pragma once
#include <string>
#include <vector>

#include "kernel_table.h"

// Of all instruction sets in this build, best first. The last is "scalar".
const std::vector<const KernelTable*>& all_kernels();

// Those that this CPU can run, in the same order; never empty.
std::vector<const KernelTable*> supported_kernels();

// The features that kernels need, as /proc/cpuinfo names them.
std::vector<std::string> needed_features(const KernelTable& kernels);

// "" means the best. Throws std::invalid_argument that names what is supported.
const KernelTable& choose_kernels(const std::string& isa);
