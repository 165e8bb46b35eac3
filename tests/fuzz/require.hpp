// What must hold in a fuzz target; libFuzzer keeps the input that breaks it.
#pragma once

#include <cstdlib>

inline void require(bool condition) {
  if (!condition) std::abort();
}
