// What is proven, once all windows of a bundle have been seen.
#include <algorithm>
#include <array>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/chain/evidence_state.hpp"
#include "twinchain/crypto/merkle_proof.hpp"
#include "twinchain/stream/writer.hpp"

namespace twinchain::chain {
namespace {

/// What the other audit finds because it has the head alone.
bool is_of_the_head_alone(FindingKind kind) {
  return kind == FindingKind::dropped_data || kind == FindingKind::cut ||
         kind == FindingKind::history_unknown || kind == FindingKind::no_key;
}

}  // namespace

void append_lost_windows(MerkleFrontier& tree, std::uint64_t count) {
  static const std::array<Hash256, 64> roots = [] {
    std::array<Hash256, 64> all{};
    all[0] = merkle_leaf(Hash256{});
    for (std::size_t level = 1; level < all.size(); ++level) {
      all[level] = merkle_node(all[level - 1], all[level - 1]);
    }
    return all;
  }();
  while (count > 0) {
    const unsigned level = largest_subtree_level(tree.size(), tree.size() + count);
    tree.append_subtree(level, roots[level]);
    count -= std::uint64_t{1} << level;
  }
}

void EvidenceCheck::State::check_edges() {
  const Evidence& proof = bundle->evidence;
  const auto other_than_head = [&](const SignedLink& link) {
    return link.link.number == proof.head.link.number &&
           encode_link_body(link) != encode_link_body(proof.head);
  };
  if (proof.after && other_than_head(*proof.after)) {
    add(finding(FindingKind::fork, Severity::refuted,
                "there are two links with the number of the head"));
  }
  const auto follows = [](const SignedLink& link, const SignedLink& next) {
    return next.link.number != link.link.number + 1 || next.link.previous == link_hash(link.link);
  };
  if ((proof.before && !follows(*proof.before, proof.head)) ||
      (proof.after && !follows(*proof.after, proof.head))) {
    add(finding(FindingKind::broken_chain, Severity::refuted,
                "the head does not follow the link before it"));
  }
  if (proof.after && bundle->next == proof.last() + 1 && bundle->window_end_ns) {
    note_gap(*bundle->window_end_ns, proof.after->link.window_start_ns, proof.last() + 1);
  }
}

void EvidenceCheck::State::check_root() {
  const Evidence& proof = bundle->evidence;
  MerkleFrontier& tree = bundle->tree;
  if (bundle->next <= proof.last()) {
    const std::uint64_t missing = proof.last() + 1 - bundle->next;
    if (bundle->lost_windows == 0) bundle->first_lost = bundle->next;
    bundle->lost_windows += missing;
    append_lost_windows(tree, missing);
  }
  if (proof.after) tree.append(merkle_leaf(proof.after->link.frame_root));
  for (const Hash256& hash : proof.proof.right) {
    tree.append_subtree(largest_subtree_level(tree.size(), proof.tree_size()), hash);
  }
  const bool proven = tree.root() == proof.head.link.history_root;
  bundle->report.history_computed = proven;
  if (bundle->damaged) {
    return add(finding(FindingKind::damaged_frame, Severity::malformed,
                       "frames of the bundle are damaged, so that none of its windows is proven"));
  }
  if (!proven) {
    std::string message =
        "the windows shown are not those that link " + decimal(proof.head.link.number) + " seals";
    if (bundle->lost_windows > 0) {
      message += "; of windows " + decimal(bundle->first_lost) + " and later " +
                 decimal(bundle->lost_windows) + " are not here";
    }
    return add(finding(FindingKind::altered_content, Severity::refuted, std::move(message)));
  }
  Accounting& sums = bundle->report.accounting;
  sums.lost_windows = bundle->lost_windows;
  if (bundle->lost_windows > 0) {
    Finding made = finding(FindingKind::lost_window, Severity::loss,
                           decimal(bundle->lost_windows) +
                               " windows were lost before they were sealed, as the record says");
    made.first_sequence = bundle->first_lost;
    add(std::move(made));
  }
  if (sums.hidden_leaves > 0) {
    add(finding(
        FindingKind::withheld_channels, Severity::note,
        decimal(sums.hidden_leaves) + " columns are withheld, what is shown is what was sealed"));
  }
  const auto& least = options.audit.policy.least_rows;
  if (least && static_cast<double>(sums.rows_of_rated_windows) < *least * sums.expected_rows) {
    add(finding(FindingKind::rows_missing, Severity::refuted,
                decimal(sums.rows_of_rated_windows) +
                    " rows are fewer than the policy asks for of what the rate promises"));
  }
}

void EvidenceCheck::State::check_signatures() {
  const Evidence& proof = bundle->evidence;
  std::vector<const SignedLink*> links{&proof.head};
  if (proof.before) links.push_back(&*proof.before);
  if (proof.after) links.push_back(&*proof.after);
  for (const SignedLink& link : proof.keys) links.push_back(&link);
  for (const SignedLink* link : links) {
    if (verify_link_signature(*link)) continue;
    Finding made =
        finding(FindingKind::bad_signature, Severity::refuted,
                "the signature of link " + decimal(link->link.number) + " is not that of its key");
    made.first_sequence = made.last_sequence = link->link.number;
    add(std::move(made));
  }
  // Each key is the one that the link before it has named.
  for (std::size_t i = 0; i < proof.keys.size(); ++i) {
    const Link& next = i + 1 < proof.keys.size() ? proof.keys[i + 1].link : proof.head.link;
    if (proof.keys[i].link.next_key_hash == sha256(ByteView(next.key))) continue;
    add(finding(FindingKind::key_not_committed, Severity::refuted,
                "the key of epoch " + decimal(std::uint64_t{next.epoch}) +
                    " is not the one that the epoch before has named"));
  }
  // The neighbours are signed with keys of the chain of keys.
  for (const auto* neighbour : {&proof.before, &proof.after}) {
    if (!*neighbour) continue;
    const Link& link = (*neighbour)->link;
    const auto same_key = [&](const SignedLink& other) {
      return other.link.epoch == link.epoch && other.link.key == link.key;
    };
    if (same_key(proof.head) || std::ranges::any_of(proof.keys, same_key)) continue;
    add(finding(FindingKind::unknown_key, Severity::refuted,
                "link " + decimal(link.number) + " beside the windows is signed with another key"));
  }
}

void EvidenceCheck::State::check_policy() {
  const std::string& text = bundle->evidence.policy;
  if (text.empty() || text == options.policy_text) return;
  add(finding(FindingKind::policy_differs, Severity::unproven,
              options.policy_text ? "the bundle asks for another policy than the one given"
                                  : "the bundle brings a policy that nobody has signed, sha256 " +
                                        to_hex(sha256(as_bytes(text)))));
}

/// The keys that may sign the head: those trusted, and with a trusted key of an earlier epoch its
/// successors, which the links of those epochs name.
std::vector<TrustedKey> EvidenceCheck::State::keys_of_head() {
  std::vector<TrustedKey> keys = options.audit.policy.signers;
  std::optional<std::string> name;
  for (const SignedLink& link : bundle->evidence.keys) {
    for (const TrustedKey& trusted : keys) {
      if (trusted.key == link.link.key && (!trusted.epoch || *trusted.epoch == link.link.epoch)) {
        name = trusted.name;
      }
    }
    if (!name || !verify_link_signature(link)) continue;
    TrustedKey successor;
    successor.name = *name;
    successor.key = link.link.key;
    successor.epoch = link.link.epoch;
    successor.next_key_hash = link.link.next_key_hash;
    keys.push_back(std::move(successor));
  }
  return keys;
}

/// The newest block that was known when the window before those shown was sealed: they were sealed
/// after it.
std::optional<BlockBound> EvidenceCheck::State::beacon_before() {
  const Beacon& beacon = bundle->report.first_beacon;
  if (beacon.network == 0) return std::nullopt;
  BlockBound bound;
  bound.network = beacon.network;
  bound.height = beacon.height;
  bound.block_hash = beacon.block_hash;
  if (options.audit.network_name) bound.network_name = options.audit.network_name(beacon.network);
  if (!options.audit.ledger_given || !options.audit.find_block) return bound;
  // A ledger that is away is told of with the anchors.
  auto place = options.audit.find_block(beacon.network, beacon.block_hash);
  if (!place || !*place) return bound;
  if (!(*place)->on_best_chain || (*place)->height != beacon.height) {
    add(finding(FindingKind::beacon_not_on_chain,
                options.audit.policy.refuse_clock_findings ? Severity::refuted : Severity::note,
                "the newest block that the link before knew is not on the best chain"));
    return std::nullopt;
  }
  bound.time_s = (*place)->time_s;
  bound.confirmed = true;
  bundle->report.first_beacon_place = **place;
  return bound;
}

/// Signer, anchors and counter-signatures are those of a record of which the head is all that is
/// here; so the same rules hold for both.
void EvidenceCheck::State::audit_head() {
  const Evidence& proof = bundle->evidence;
  const FrameHeader link_header = link_frame_header(proof.head.link);
  Bytes stream(stream_preamble.begin(), stream_preamble.end());
  std::uint64_t frames = 0;
  const auto append_frame = [&](FrameHeader header, ByteView body) {
    append(stream, encode_frame(header, body));
    ++frames;
  };
  append_frame(link_header, encode_link_body(proof.head));
  for (const Bytes& receipt : proof.receipts) {
    FrameHeader header = link_header;
    header.type = FrameType::anchor;
    append_frame(header, receipt);
  }
  for (const Cosignature& cosignature : proof.cosignatures) {
    append_frame(cosignature_frame_header(proof.head.link), encode_cosignature_body(cosignature));
  }
  append(stream, encode_end_frame(frames, stream.size() - preamble_size));

  AuditOptions how = options.audit;
  how.policy.signers = keys_of_head();
  how.policy.least_rows.reset();
  how.head.reset();
  how.partial = true;
  how.threads = 0;
  how.dropped_below = {{proof.head.link.source, UINT64_MAX}};
  Audit audit(std::move(how));
  std::size_t at = 0;
  StreamReader reader(
      [&](std::span<std::uint8_t> into) -> Result<std::size_t> {
        const std::size_t size = std::min(into.size(), stream.size() - at);
        std::copy_n(stream.begin() + static_cast<std::ptrdiff_t>(at), size, into.begin());
        at += size;
        return size;
      },
      {});
  // Reading from memory does not fail.
  (void)audit.read("head", reader, InputKind::stream);
  AuditReport of_head = audit.finish();
  for (const Finding& found : of_head.findings.all()) {
    if (is_of_the_head_alone(found.kind)) continue;
    Finding made = found;
    made.input = bundle->input;
    made.offset = bundle->offset;
    made.size_bytes = 0;
    add(std::move(made));
  }
  if (options.audit.policy.signers.empty()) {
    add(finding(FindingKind::no_key, Severity::unproven, "no key was given that is trusted"));
  }
  if (of_head.records.empty()) return;
  RecordReport& about = bundle->report;
  RecordReport& head = of_head.records.front();
  about.signers = std::move(head.signers);
  about.anchors = std::move(head.anchors);
  if (about.anchors.covered_to) about.anchors.covered_to = about.last_link;
  about.cosigners = std::move(head.cosigners);
  TimeRun run{about.first_link, about.last_link, std::nullopt, std::nullopt};
  if (!head.time_bounds.empty()) run.not_after = head.time_bounds.back().not_after;
  run.not_before = beacon_before();
  if (run.not_before || run.not_after) about.time_bounds.push_back(std::move(run));
}

}  // namespace twinchain::chain
