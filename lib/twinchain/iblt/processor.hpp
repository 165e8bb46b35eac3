// Which instructions the processor has. Floor 2. Private to this module.
//
// The results of everything do not depend on it: all arithmetic is exact or rounds as IEEE 754
// says.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__)
#define TWINCHAIN_IBLT_WIDE 1

namespace twinchain::iblt {

/// AVX-512 with 64-bit multiplication and conversion: eight items in one instruction.
inline bool has_wide_registers() {
  static const bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512vl");
  return has;
}

}  // namespace twinchain::iblt
#endif
