// Which chain a block belongs to. Floor 4.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace twinchain::ledger {

enum class ProofOfWork { sha256d, scrypt_1024_1_1 };

/// Bitcoin-family networks are named by their P2P message-start bytes, read as a little-endian
/// u32; `dir:` ledgers have one of their own.
struct Network {
  std::uint32_t magic;
  std::string_view name;   ///< "bitcoin", "litecoin-regtest", "dir", ...
  ProofOfWork proof_of_work;
  bool trivial;            ///< difficulty that anyone can meet: regtest and dir
};

std::optional<Network> network_by_magic(std::uint32_t magic);
std::optional<Network> network_by_name(std::string_view name);

}  // namespace twinchain::ledger
