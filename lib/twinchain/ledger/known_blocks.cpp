#include "twinchain/ledger/known_blocks.hpp"

#include <fcntl.h>

#include "twinchain/base/text.hpp"
#include "twinchain/bitcoin/header.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/ledger/timestamp_ledger.hpp"
#include "twinchain/sys/fd.hpp"

namespace twinchain::ledger {
namespace {

/// The network whose genesis is the first header of the file.
Result<Network> network_of_genesis(const std::string& path) {
  auto fd = open_file(path, O_RDONLY);
  if (!fd) return pass(fd);
  bitcoin::BlockHeaderBytes first{};
  auto size = read_full(fd->get(), first);
  if (!size) return pass(size);
  const Hash256 hash = sha256d(first);
  for (const Network& network : networks()) {
    if (*size == first.size() && network.genesis() == hash) return network;
  }
  return fail(ExitCode::usage,
              escape(path) + " does not begin with the first block of a known network",
              "--network NAME --first-height N --checkpoint HASH say where it begins; --network "
              "FILE: of which network it is, with the parameters that mnode genesis made");
}

}  // namespace

Status KnownBlocks::open_headers(Fs& fs, const KnownBlocksOptions& options) {
  HeaderChainOptions how;
  how.first_height = options.first_height;
  how.first_hash = options.first_hash;
  if (options.made_network) {
    how.network = options.made_network->network;
    how.rule = options.made_network->rule(options.first_height);
  } else if (options.network.empty()) {
    auto network = network_of_genesis(options.headers_path);
    if (!network) return pass(network);
    how.network = *network;
  } else {
    const auto network = network_by_name(options.network);
    if (!network || network->is_timestamps()) {
      return fail(ExitCode::usage, "--network: unknown network " + escape(options.network));
    }
    how.network = *network;
  }
  auto headers = HeaderChain::open(fs, options.headers_path, how);
  if (!headers) return pass(headers);
  headers_ = std::move(*headers);
  headers_trust_ = "by the " + std::string(how.network.name) + " headers of " +
                   escape(options.headers_path) + " up to block " +
                   decimal(std::uint64_t{headers_->tip().height});
  if (how.network.is_made()) {
    headers_trust_ += ": a forger would need " + bitcoin::work_text(headers_->work()) + " hashes";
  }
  if (how.first_height > 0 && !how.first_hash) {
    headers_trust_ += ", of which the first is believed";
  }
  return {};
}

Result<KnownBlocks> KnownBlocks::open(Fs& fs, const KnownBlocksOptions& options) {
  KnownBlocks blocks;
  for (const std::string& url : options.urls) {
    if (url.starts_with("tsa:")) {
      return fail(ExitCode::usage, "an authority cannot be asked for its time-stamps afterwards",
                  "--tsa-ca FILE names the certificates that are believed");
    }
    auto opened = options.open_ledger ? options.open_ledger(url, options.ledger)
                                      : open_ledger(url, options.ledger, false);
    if (!opened) return pass(opened);
    blocks.ledgers_.push_back({std::move(*opened), std::nullopt});
  }
  for (const std::string& path : options.timestamp_certificates) {
    auto trust = read_timestamp_trust(path);
    if (!trust) return pass(trust);
    blocks.authorities_.push_back({std::move(*trust), path});
  }
  if (!options.headers_path.empty()) TWINCHAIN_TRY(blocks.open_headers(fs, options));
  return blocks;
}

Result<std::string> KnownBlocks::authority(ByteView token) const {
  std::optional<Error> first;
  for (const Authorities& one : authorities_) {
    auto facts = one.trust.check(token);
    if (facts) return "by the certificates of " + escape(one.path) + ", at the time-stamp's time";
    if (!first) first = std::move(facts.error());
  }
  if (first) return std::unexpected(std::move(*first));
  return fail(ExitCode::unproven, "no certificates to check time-stamps with were given");
}

Status KnownBlocks::find_network(Source& source) {
  if (source.network) return {};
  auto tip = source.ledger->tip();
  if (!tip) return pass(tip);
  source.network = tip->network;
  return {};
}

std::optional<std::string> KnownBlocks::network_name(std::uint32_t network) const {
  if (const auto built_in = network_by_magic(network)) return built_in->name;
  if (headers_ && headers_->tip().network.magic == network) return headers_->tip().network.name;
  for (const Source& source : ledgers_) {
    if (source.network && source.network->magic == network) return source.network->name;
  }
  return std::nullopt;
}

Result<OtsBlock> KnownBlocks::at(std::string_view network, std::uint32_t height) {
  const std::uint32_t magic = network_by_name(network)->magic;
  std::optional<Error> away;
  bool known = false;
  if (headers_ && headers_->tip().network.magic == magic) {
    known = true;
    auto header = headers_->header_at(height);
    if (!header) return pass(header);
    if (*header) {
      return OtsBlock{**header, headers_->tip().height - height + 1, headers_trust_};
    }
  }
  for (Source& source : ledgers_) {
    if (auto asked = find_network(source); !asked) {
      away = std::move(asked.error());
      continue;
    }
    if (source.network->magic != magic) continue;
    known = true;
    auto header = source.ledger->headers(height, 1);
    auto place = header && !header->empty()
                     ? source.ledger->position(bitcoin::block_hash(header->front()))
                     : Result<BlockPosition>();
    if (!header || !place) {
      away = std::move(!header ? header.error() : place.error());
      continue;
    }
    // A reorganisation in between leaves a block that is not of the best chain.
    if (place->on_best_chain && place->height == height) {
      return OtsBlock{header->front(), place->depth, source.ledger->trust_statement()};
    }
  }
  if (away) return std::unexpected(std::move(*away));
  const std::string name(network);
  return fail(ExitCode::unproven, known ? "the " + name + " headers at hand do not go there"
                                        : "no headers and no ledger of " + name + " were given");
}

Result<std::optional<KnownBlock>> KnownBlocks::find(std::uint32_t network,
                                                    const Hash256& block_hash) {
  const auto place = [](const BlockPosition& position, std::string trust) {
    return std::optional(KnownBlock{position, std::move(trust)});
  };
  if (headers_ && headers_->tip().network.magic == network) {
    auto position = headers_->position(block_hash);
    if (!position) return pass(position);
    return place(*position, headers_trust_);
  }
  std::optional<Error> away;
  std::optional<KnownBlock> elsewhere;
  for (Source& source : ledgers_) {
    if (auto known = find_network(source); !known) {
      away = std::move(known.error());
      continue;
    }
    if (source.network->magic != network) continue;
    auto position = source.ledger->position(block_hash);
    if (!position) {
      away = std::move(position.error());
      continue;
    }
    // Of two ledgers of one network the one that has the block counts: the other may be behind.
    auto found = place(*position, source.ledger->trust_statement());
    if (found->position.on_best_chain) return found;
    elsewhere = std::move(found);
  }
  if (elsewhere && !away) return elsewhere;
  if (away) return std::unexpected(std::move(*away));
  return std::optional<KnownBlock>();
}

}  // namespace twinchain::ledger
