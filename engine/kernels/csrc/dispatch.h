// Chooses the kernels: the best instruction set of this CPU, or the one asked for by name.
#pragma once
#include <string>
#include <vector>

#include "kernel_table.h"

// Best first; the last is "scalar", so never empty.
std::vector<const KernelTable*> supported_kernels();

// "" means the best. Throws std::invalid_argument that names what is supported.
const KernelTable& choose_kernels(const std::string& isa);
