// Checks a file of make_headers as HeaderChain does, with a thread for each processor. Its network
// has no changes of the difficulty, and no chain that takes 2 hashes a block can have them (256
// bits are too few for its target times two weeks); so Bitcoin's check of difficulty and time runs
// besides, over one period after the other.
//
// usage: check_headers FILE

#include <cstdio>
#include <string>

#include "twinchain/base/text.hpp"
#include "twinchain/bitcoin/difficulty.hpp"
#include "twinchain/ledger/header_chain.hpp"

namespace {

using namespace twinchain;

Status check_periods(const std::string& path, const bitcoin::DifficultyRule& rule) {
  auto file = real_fs().open(path, OpenMode::read);
  if (!file) return pass(file);
  Bytes period((std::size_t{rule.interval} - 1) * bitcoin::block_header_size);
  for (std::uint64_t at = 0;; at += period.size()) {
    auto size = (*file)->pread(period, at);
    if (!size) return pass(size);
    if (*size == 0) return {};
    bitcoin::DifficultyCheck check(rule, 1);
    ByteCursor cursor(ByteView(period).first(*size));
    while (cursor.remaining() > 0) {
      if (auto wrong = check.next(bitcoin::read_header(cursor))) {
        return fail(ExitCode::refuted, *wrong);
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto network = ledger::network_by_name("dir");
  if (argc != 2 || !network) {
    std::fputs("usage: check_headers FILE\n", stderr);
    return 2;
  }
  ledger::HeaderChainOptions options;
  options.network = *network;
  const auto chain = ledger::HeaderChain::open(real_fs(), argv[1], options);
  bitcoin::DifficultyRule rule;
  rule.easiest_bits = network->easiest_bits;
  const Status periods = chain ? check_periods(argv[1], rule) : Status();
  if (!chain || !periods) {
    const Error& error = chain ? periods.error() : chain.error();
    std::fprintf(stderr, "%s\n", error.message.c_str());
    return 1;
  }
  std::printf("%s\n", decimal(std::uint64_t{chain->tip().height}).c_str());
  return 0;
}
