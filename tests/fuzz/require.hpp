// What must hold in a fuzz target; libFuzzer keeps the input that breaks it.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <source_location>

/// Says which one did not hold: the signal's stack trace has no line where calls were merged.
inline void require(bool condition, std::source_location where = std::source_location::current()) {
  if (condition) return;
  std::fprintf(stderr, "%s:%u: does not hold\n", where.file_name(), where.line());
  std::abort();
}
