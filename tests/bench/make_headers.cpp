// Writes a chain of block headers at a difficulty that takes 2 hashes each: the file that
// check_headers checks.
//
// usage: make_headers COUNT > FILE     (network dir: SHA-256d, easiest target, from its genesis)

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "twinchain/base/text.hpp"
#include "twinchain/ledger/dir_block.hpp"
#include "twinchain/ledger/network.hpp"
#include "twinchain/sys/fd.hpp"

int main(int argc, char** argv) {
  using namespace twinchain;
  const auto count = parse_decimal(argc == 2 ? argv[1] : "");
  const auto network = ledger::network_by_name("dir");
  if (!count || *count == 0 || !network) {
    std::fputs("usage: make_headers COUNT\n", stderr);
    return 2;
  }
  bitcoin::BlockHeader header = ledger::dir_genesis().header;
  Bytes out;
  for (std::uint64_t i = 0; i < *count; ++i) {
    if (i > 0) {
      header.previous = bitcoin::block_hash(header);
      store_le(header.merkle_root.data(), i);
      header.time_s += 600;
      header.nonce = 0;
      while (!network->check_proof_of_work(bitcoin::serialize(header))) ++header.nonce;
    }
    append(out, bitcoin::serialize(header));
  }
  return write_all(STDOUT_FILENO, out) ? 0 : 1;
}
