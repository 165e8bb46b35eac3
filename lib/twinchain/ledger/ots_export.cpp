#include "twinchain/ledger/ots_export.hpp"

#include <algorithm>
#include <deque>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/bitcoin/script.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/stream/reader.hpp"

namespace twinchain::ledger {
namespace {

/// LINK frames that wait for their anchor: 400 bytes each.
constexpr std::size_t max_links_remembered = 50'000;
/// A LINK frame's body is the link and its signature (twin-stream(5)).
constexpr std::size_t max_link_body_size = 4096;

/// Operations one after the other, from the first to the attestation.
class Path {
 public:
  void append(ByteView bytes) { add(OtsOperation::append, bytes); }
  void prepend(ByteView bytes) { add(OtsOperation::prepend, bytes); }
  void sha256() { add(OtsOperation::sha256, {}); }

  std::vector<OtsItem> end(OtsAttestation attestation) && {
    OtsItem last;
    last.is_attestation = true;
    last.attestation = std::move(attestation);
    std::vector<OtsItem> items{std::move(last)};
    for (auto at = operations_.rbegin(); at != operations_.rend(); ++at) {
      at->next = std::move(items);
      items.clear();
      items.push_back(std::move(*at));
    }
    return items;
  }

 private:
  void add(OtsOperation operation, ByteView argument) {
    if (argument.empty() && operation != OtsOperation::sha256) return;
    OtsItem item;
    item.operation = operation;
    item.argument.assign(argument.begin(), argument.end());
    operations_.push_back(std::move(item));
  }
  std::vector<OtsItem> operations_;
};

/// From the link hash to what the transaction carries. The receipt was checked.
void add_fleet(const Receipt& receipt, Path& path) {
  if (receipt.fleet_size == 1) return;
  constexpr std::uint8_t leaf = 0;
  constexpr std::uint8_t node = 1;
  path.prepend(ByteView(&leaf, 1));
  path.sha256();
  // RFC 9162 section 2.1.3.2, as check_receipt() goes.
  std::uint64_t position = receipt.fleet_index;
  std::uint64_t last = receipt.fleet_size - 1;
  for (const Hash256& sibling : receipt.fleet_path) {
    if ((position & 1) != 0 || position == last) {
      path.prepend(sibling);
      while ((position & 1) == 0 && position != 0) {
        position >>= 1;
        last >>= 1;
      }
    } else {
      path.append(sibling);
    }
    path.prepend(ByteView(&node, 1));
    path.sha256();
    position >>= 1;
    last >>= 1;
  }
  std::array<std::uint8_t, 9> head{2};
  store_le(&head[1], receipt.fleet_size);
  path.prepend(head);
  path.sha256();
}

/// What the transaction's data output carries behind the tag.
Hash256 carried_hash(const Receipt& receipt) {
  Bytes message(receipt.link_hash.begin(), receipt.link_hash.end());
  Path fleet;
  add_fleet(receipt, fleet);
  OtsProof proof;
  proof.digest = message;
  proof.items = std::move(fleet).end({});
  Hash256 hash{};
  for_each_attestation(proof, [&hash](const OtsAttestation&, ByteView carried) {
    std::copy(carried.begin(), carried.end(), hash.begin());
  });
  return hash;
}

/// An anchor's frame and how well it fits.
struct Candidate {
  FrameHeader header;
  Receipt receipt;
  bool exportable = false;
  [[nodiscard]] bool worse_than(const Candidate& other) const {
    if (exportable != other.exportable) return !exportable;
    return header.sequence < other.header.sequence;
  }
};

class AnchorFinder {
 public:
  AnchorFinder(const AnchorChoice& choice, const std::function<void(const std::string&)>& tell)
      : choice_(choice), tell_(tell) {}

  Result<ChosenAnchor> run(int fd) {
    StreamReader reader(fd);
    while (true) {
      auto event = reader.next();
      if (!event) return pass(event);
      if (event->kind == StreamEventKind::finished) break;
      if (event->kind == StreamEventKind::damage || event->kind == StreamEventKind::truncated) {
        tell_("byte " + decimal(event->offset) + " of the input: " + event->message);
      }
      if (event->kind != StreamEventKind::frame) continue;
      take(event->frame);
      if (several_sources_) {
        return fail(ExitCode::usage, "there are anchors of several sources",
                    "--source says of which");
      }
      reader.recycle(std::move(event->frame.body));
    }
    if (!best_) return fail(ExitCode::unproven, "there is no such anchor in the input");
    ChosenAnchor chosen{best_->header, std::move(best_->receipt), std::move(link_body_)};
    return chosen;
  }

 private:
  void take(const Frame& frame) {
    const FrameHeader& header = frame.header;
    if (choice_.source && header.source != *choice_.source) return;
    if (choice_.sequence && header.sequence != *choice_.sequence) return;
    if (header.type == FrameType::link && frame.body.size() <= max_link_body_size) {
      const ByteView body = frame.body.view();
      links_.emplace_back(body.begin(), body.end());
      if (links_.size() > max_links_remembered) links_.pop_front();
    }
    if (header.type != FrameType::anchor) return;
    auto receipt = parse_receipt(frame.body.view());
    if (!receipt)
      return tell_("byte " + decimal(frame.offset) + " of the input: " + receipt.error().message);
    if (source_ && *source_ != header.source) several_sources_ = true;
    source_ = header.source;
    Candidate candidate{header, std::move(*receipt), false};
    const auto network = network_by_magic(candidate.receipt.network_magic);
    candidate.exportable =
        network && (choice_.timestamp ? network->is_timestamps() : ots_has_network(*network));
    if (best_ && candidate.worse_than(*best_)) return;
    link_body_ = link_of(candidate.receipt.link_hash);
    best_ = std::move(candidate);
  }

  /// The LINK frame whose first bytes have that hash. The newest ones are looked at first.
  [[nodiscard]] Bytes link_of(const Hash256& hash) const {
    constexpr std::size_t link_size = 312;
    for (auto at = links_.rbegin(); at != links_.rend(); ++at) {
      if (at->size() > link_size && sha256(ByteView(*at).first(link_size)) == hash) return *at;
    }
    return {};
  }

  const AnchorChoice& choice_;
  const std::function<void(const std::string&)>& tell_;
  std::deque<Bytes> links_;
  std::optional<Candidate> best_;
  Bytes link_body_;
  std::optional<Id128> source_;
  bool several_sources_ = false;
};

}  // namespace

bool ots_has_network(const Network& network) {
  return network.name == "bitcoin" || network.name == "litecoin";
}

Result<Bytes> token_of_receipt(const Receipt& receipt) {
  auto facts = check_receipt(receipt);
  if (!facts) return pass(facts);
  if (receipt.timestamp_token.empty()) {
    return fail(ExitCode::usage, "that anchor is not by a time-stamp authority");
  }
  if (receipt.fleet_size > 1) {
    return fail(ExitCode::usage, "the time-stamp is of a fleet, not of that link alone",
                "other programs cannot lead from a link to its fleet");
  }
  return receipt.timestamp_token;
}

Result<OtsProof> ots_of_receipt(const Receipt& receipt) {
  const auto network = network_by_magic(receipt.network_magic);
  if (network && !ots_has_network(*network)) {
    return fail(ExitCode::usage,
                "OpenTimestamps has no attestation for " + std::string(network->name),
                "only anchors in the main networks of bitcoin and litecoin can be exported");
  }
  auto facts = check_receipt(receipt);
  if (!facts) return pass(facts);
  if (receipt.transaction.size() > max_ots_message_bytes) {
    return fail(ExitCode::usage, "the transaction has " +
                                     decimal(std::uint64_t{receipt.transaction.size()}) +
                                     " bytes; OpenTimestamps allows " +
                                     decimal(std::uint64_t{max_ots_message_bytes}));
  }
  const Hash256 carried = carried_hash(receipt);
  const Bytes script = bitcoin::op_return_script(anchor_payload(carried));
  const ByteView transaction = receipt.transaction;
  const auto found =
      std::search(transaction.begin(), transaction.end(), script.begin(), script.end());
  if (found == transaction.end()) return fail(ExitCode::bug, "ots: the data output is not there");
  const auto at =
      static_cast<std::size_t>(found - transaction.begin()) + script.size() - carried.size();

  OtsProof proof;
  proof.digest.assign(receipt.link_hash.begin(), receipt.link_hash.end());
  Path path;
  add_fleet(receipt, path);
  path.prepend(transaction.first(at));
  path.append(transaction.subspan(at + carried.size()));
  path.sha256();
  path.sha256();
  for (std::size_t level = 0; level < receipt.transaction_branch.size(); ++level) {
    const bool right = (receipt.transaction_index >> level & 1) != 0;
    const Hash256& sibling = receipt.transaction_branch[level];
    right ? path.prepend(sibling) : path.append(sibling);
    path.sha256();
    path.sha256();
  }
  const auto kind = facts->network.name == "bitcoin" ? OtsAttestation::Kind::bitcoin
                                                     : OtsAttestation::Kind::litecoin;
  proof.items = std::move(path).end(ots_block_attestation(kind, facts->height));
  return proof;
}

Result<ChosenAnchor> find_anchor(int fd, const AnchorChoice& choice,
                                 const std::function<void(const std::string&)>& tell) {
  return AnchorFinder(choice, tell).run(fd);
}

}  // namespace twinchain::ledger
