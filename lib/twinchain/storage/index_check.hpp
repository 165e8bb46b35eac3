// Checks the structure of an LMDB 0.9 data file before LMDB is let near it. Floor 5.
//
// LMDB maps its file and follows page numbers and offsets in it without looking: a damaged or
// crafted file makes it read outside of the map. Here every page that a tree of the newest
// snapshot reaches is read with bounds in mind. Format: lmdb's mdb.c (MDB_page, MDB_node,
// MDB_meta), 64-bit little-endian hosts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "twinchain/base/result.hpp"

namespace twinchain::storage {

/// What is wrong with the file, in words; nothing when it is sound. Reads at most about
/// `max_bytes` of it: meta pages, then trees from their roots, as far as that goes. An Error is
/// one of the operating system's.
Result<std::optional<std::string>> check_lmdb_file(const std::string& path,
                                                   std::uint64_t max_bytes);

}  // namespace twinchain::storage
