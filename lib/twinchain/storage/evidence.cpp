#include "twinchain/storage/evidence.hpp"

#include <algorithm>

#include "twinchain/base/text.hpp"
#include "twinchain/crypto/merkle.hpp"

namespace twinchain::storage {
namespace {

constexpr std::size_t receipts_at_once = 64;

std::unexpected<Error> contradiction(std::uint64_t number) {
  return fail(ExitCode::refuted,
              "the links of the store do not give the history root of link " + decimal(number),
              "verify(1) of the store says what is wrong");
}

class EvidenceMaker {
 public:
  EvidenceMaker(Catalog& catalog, const Id128& source) : catalog_(catalog), source_(source) {}

  Result<chain::Evidence> make(std::uint64_t first, std::uint64_t last);
  Result<std::vector<Hash256>> consistency(std::uint64_t old_size, std::uint64_t new_size);
  Result<chain::SignedLink> link(std::uint64_t number);

 private:
  Result<std::uint64_t> choose_head(std::uint64_t last);
  Status add_bodies(chain::Evidence& evidence);
  Status add_keys(chain::Evidence& evidence);
  Result<chain::SignedLink> last_link_of_epoch(std::uint32_t epoch, std::uint64_t from,
                                               std::uint64_t to);
  Hash256 subtree(unsigned level, std::uint64_t index);
  Hash256 subtree_of_links(unsigned level, std::uint64_t index);
  Status prove(chain::Evidence& evidence);
  [[nodiscard]] Hash256 whole_root(std::uint64_t size);

  Catalog& catalog_;
  Id128 source_;
  bool use_kept_roots_ = true;
  Status failed_;  ///< the first error of a subtree
};

Result<chain::SignedLink> EvidenceMaker::link(std::uint64_t number) {
  auto entry = catalog_.find({source_, FrameType::link, number, 0});
  if (!entry) return pass(entry);
  if (!*entry) {
    return fail(ExitCode::loss, "link " + decimal(number) + " is not in the store");
  }
  auto frame = catalog_.fetch(**entry);
  if (!frame) return pass(frame);
  if (!*frame) return fail(ExitCode::loss, "link " + decimal(number) + " is not in the store");
  auto parsed = chain::parse_link_frame((*frame)->header, (*frame)->body.view());
  catalog_.fetcher().recycle(std::move((*frame)->body));
  return parsed;
}

/// Beyond the last window, so that the one after it is proven too, and as close to it as an anchor
/// is: that bounds its time best.
Result<std::uint64_t> EvidenceMaker::choose_head(std::uint64_t last) {
  for (const std::uint64_t from : {last + 1, last}) {
    auto anchors = catalog_.entries({source_, FrameType::anchor, from, 0},
                                    {source_, FrameType::anchor, UINT64_MAX, UINT32_MAX}, 1);
    if (!anchors) return pass(anchors);
    if (!anchors->empty()) return anchors->front().key.sequence;
  }
  auto newest = catalog_.last_at_most({source_, FrameType::link, UINT64_MAX, UINT32_MAX});
  if (!newest) return pass(newest);
  if (!*newest || (*newest)->key.sequence < last) {
    return fail(ExitCode::unproven, "window " + decimal(last) + " is not sealed",
                "hashchain(1) seals; windows that are sealed can be chosen with --sequence");
  }
  return (*newest)->key.sequence;
}

Hash256 EvidenceMaker::subtree_of_links(unsigned level, std::uint64_t index) {
  const std::uint64_t first = index << level;
  const std::uint64_t count = std::uint64_t{1} << level;
  auto links = catalog_.entries({source_, FrameType::link, first, 0},
                                {source_, FrameType::link, first + (count - 1), UINT32_MAX}, count);
  std::vector<Hash256> leaves;
  leaves.reserve(count);
  if (links) {
    for (const FrameEntry& entry : *links) {
      if (entry.history_leaf && entry.key.sequence == first + leaves.size()) {
        leaves.push_back(*entry.history_leaf);
      }
    }
  }
  if (leaves.size() == count) return merkle_root(leaves);
  if (failed_) {
    failed_ = links ? fail(ExitCode::loss, "link " + decimal(first + leaves.size()) +
                                               " is not in the store, the proof needs it")
                    : Status(std::unexpected(links.error()));
  }
  return {};
}

Hash256 EvidenceMaker::subtree(unsigned level, std::uint64_t index) {
  if (!failed_) return {};
  if (use_kept_roots_ &&
      std::ranges::find(Index::history_levels, level) != Index::history_levels.end()) {
    auto kept = catalog_.history_root(source_, level, index);
    if (!kept) failed_ = pass(kept);
    if (kept && *kept) return **kept;
  }
  if (level <= Index::history_levels.front()) return subtree_of_links(level, index);
  const Hash256 left = subtree(level - 1, 2 * index);
  return merkle_node(left, subtree(level - 1, 2 * index + 1));
}

Hash256 EvidenceMaker::whole_root(std::uint64_t size) {
  MerkleFrontier tree;
  while (tree.size() < size && failed_) {
    const unsigned level = largest_subtree_level(tree.size(), size);
    tree.append_subtree(level, subtree(level, tree.size() >> level));
  }
  return tree.root();
}

Result<std::vector<Hash256>> EvidenceMaker::consistency(std::uint64_t old_size,
                                                        std::uint64_t new_size) {
  auto old_head = link(old_size - 1);
  if (!old_head) return pass(old_head);
  auto new_head = link(new_size - 1);
  if (!new_head) return pass(new_head);
  for (const bool kept : {true, false}) {
    use_kept_roots_ = kept;
    failed_ = {};
    auto proof = consistency_proof(old_size, new_size, [this](unsigned level, std::uint64_t index) {
      return subtree(level, index);
    });
    TWINCHAIN_TRY(Status(failed_));
    if (verify_consistency(old_size, new_size, proof, old_head->link.history_root,
                           new_head->link.history_root)) {
      return proof;
    }
  }
  return contradiction(new_size - 1);
}

/// The kept roots follow from the links, but a file of the store may have been changed: what is
/// given out is checked against the head first, and made from the links when that fails.
Status EvidenceMaker::prove(chain::Evidence& evidence) {
  const std::uint64_t size = evidence.tree_size();
  for (const bool kept : {true, false}) {
    use_kept_roots_ = kept;
    failed_ = {};
    if (whole_root(size) != evidence.head.link.history_root && failed_) continue;
    TWINCHAIN_TRY(Status(failed_));
    evidence.proof =
        range_proof(evidence.proven_first(), evidence.proven_end() - evidence.proven_first(), size,
                    [this](unsigned level, std::uint64_t index) { return subtree(level, index); });
    return failed_;
  }
  return contradiction(evidence.head.link.number);
}

Status EvidenceMaker::add_bodies(chain::Evidence& evidence) {
  const std::uint64_t head = evidence.head.link.number;
  for (const FrameType type : {FrameType::anchor, FrameType::cosignature}) {
    auto found = catalog_.entries({source_, type, head, 0}, {source_, type, head, UINT32_MAX},
                                  type == FrameType::anchor ? chain::max_evidence_receipts
                                                            : chain::max_evidence_cosignatures);
    if (!found) return pass(found);
    for (const FrameEntry& entry : *found) {
      auto frame = catalog_.fetch(entry);
      if (!frame) return pass(frame);
      if (!*frame) continue;
      const ByteView body = (*frame)->body.view();
      if (type == FrameType::anchor) {
        evidence.receipts.emplace_back(body.begin(), body.end());
      } else {
        auto cosignature = chain::parse_cosignature_body(body);
        if (!cosignature) return pass(cosignature);
        evidence.cosignatures.push_back(*cosignature);
      }
    }
  }
  return {};
}

/// Epochs only grow along a chain.
Result<chain::SignedLink> EvidenceMaker::last_link_of_epoch(std::uint32_t epoch, std::uint64_t from,
                                                            std::uint64_t to) {
  while (from < to) {
    const std::uint64_t middle = from + (to - from + 1) / 2;
    auto found = link(middle);
    if (!found) return found;
    if (found->link.epoch <= epoch) {
      from = middle;
    } else {
      to = middle - 1;
    }
  }
  return link(from);
}

Status EvidenceMaker::add_keys(chain::Evidence& evidence) {
  const chain::Link& head = evidence.head.link;
  if (head.epoch == 0) return {};
  auto first = link(0);
  if (!first) return pass(first);
  std::uint64_t from = 0;
  for (std::uint32_t epoch = first->link.epoch; epoch < head.epoch; ++epoch) {
    if (evidence.keys.size() >= chain::max_evidence_keys) {
      return fail(ExitCode::usage, "more than " + decimal(std::uint64_t{chain::max_evidence_keys}) +
                                       " signing keys");
    }
    auto last = last_link_of_epoch(epoch, from, head.number);
    if (!last) return pass(last);
    from = last->link.number;
    evidence.keys.push_back(*last);
  }
  return {};
}

Result<chain::Evidence> EvidenceMaker::make(std::uint64_t first, std::uint64_t last) {
  auto head = choose_head(last);
  if (!head) return pass(head);
  chain::Evidence evidence;
  evidence.first = first;
  evidence.count = last - first + 1;
  auto head_link = link(*head);
  if (!head_link) return pass(head_link);
  evidence.head = *head_link;
  if (first > 0) {
    auto before = link(first - 1);
    if (!before) return pass(before);
    evidence.before = *before;
  }
  if (last < *head) {
    auto after = link(last + 1);
    if (!after) return pass(after);
    evidence.after = *after;
  }
  TWINCHAIN_TRY(prove(evidence));
  TWINCHAIN_TRY(add_keys(evidence));
  TWINCHAIN_TRY(add_bodies(evidence));
  return evidence;
}

/// The first and the last number that the request means.
struct ChosenWindows {
  bool any = false;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::int64_t start_ns = 0;   ///< of the first
  std::int64_t end_ns = 0;     ///< of the last
  std::uint64_t unsealed = 0;  ///< frames of windows that have no link yet

  void take(const FrameEntry& entry, const std::optional<std::uint64_t>& newest_link) {
    const std::uint64_t number = entry.key.sequence;
    if (!newest_link || number > *newest_link) {
      ++unsealed;
      return;
    }
    if (!any || number < first) {
      first = number;
      start_ns = entry.window_start_ns;
    }
    if (!any || number > last) {
      last = number;
      end_ns = entry.window_end_ns;
    }
    any = true;
  }
};

bool overlaps(const TimeRange& range, const FrameEntry& entry) {
  return range.overlaps_window(entry.window_start_ns, entry.window_end_ns) ||
         (entry.has_events && range.overlaps_events(entry.first_event_ns, entry.last_event_ns));
}

Status choose_in_block(Catalog& catalog, const EvidenceRequest& request, std::uint64_t number,
                       const std::optional<std::uint64_t>& newest_link, ChosenWindows& chosen) {
  const std::uint64_t block_first = number * Block::sequences;
  const std::uint64_t from = std::max(request.first_sequence, block_first);
  const std::uint64_t to = std::min(request.last_sequence, block_first + (Block::sequences - 1));
  for (const FrameType type : {FrameType::data, FrameType::slice, FrameType::link}) {
    FrameKey at{request.source, type, from, 0};
    while (true) {
      auto found = catalog.entries(at, {request.source, type, to, UINT32_MAX}, Block::sequences);
      if (!found) return pass(found);
      for (const FrameEntry& entry : *found) {
        if (overlaps(request.range, entry)) chosen.take(entry, newest_link);
      }
      if (found->size() < Block::sequences) break;
      at = found->back().key;
      if (++at.ordinal == 0) ++at.sequence;
    }
  }
  return {};
}

Result<ChosenWindows> choose_windows(Catalog& catalog, const EvidenceRequest& request) {
  ChosenWindows chosen;
  auto newest = catalog.last_at_most({request.source, FrameType::link, UINT64_MAX, UINT32_MAX});
  if (!newest) return pass(newest);
  std::optional<std::uint64_t> newest_link;
  if (*newest) newest_link = (*newest)->key.sequence;
  std::uint64_t at = Block::number_of(request.first_sequence);
  const std::uint64_t last = Block::number_of(request.last_sequence);
  while (at <= last) {
    auto found = catalog.next_block(request.source, at);
    if (!found) return pass(found);
    if (!*found || (*found)->number > last) break;
    at = (*found)->number;
    if ((*found)->block.overlaps(request.range)) {
      TWINCHAIN_TRY(choose_in_block(catalog, request, at, newest_link, chosen));
    }
    if (at == UINT64_MAX) break;
    ++at;
  }
  return chosen;
}

}  // namespace

Result<chain::Evidence> make_evidence(Catalog& catalog, const Id128& source, std::uint64_t first,
                                      std::uint64_t last) {
  return EvidenceMaker(catalog, source).make(first, last);
}

Result<std::vector<Hash256>> make_consistency_proof(Catalog& catalog, const Id128& source,
                                                    std::uint64_t old_size,
                                                    std::uint64_t new_size) {
  return EvidenceMaker(catalog, source).consistency(old_size, new_size);
}

Result<std::optional<Id128>> source_of_link(Catalog& catalog, std::uint64_t number,
                                            const Hash256& link_hash) {
  auto source = catalog.next_source(std::nullopt);
  while (source && *source) {
    auto found = EvidenceMaker(catalog, **source).link(number);
    if (found && chain::link_hash(found->link) == link_hash) return *source;
    source = catalog.next_source(*source);
  }
  return source;
}

Result<std::optional<EvidenceResult>> write_evidence(Catalog& catalog,
                                                     const EvidenceRequest& request,
                                                     StreamWriter& output, const ErrorSink& error) {
  if (request.policy.size() > chain::max_evidence_policy_size) {
    return fail(ExitCode::usage, "the policy is larger than evidence may be");
  }
  auto chosen = choose_windows(catalog, request);
  if (!chosen) return pass(chosen);
  if (!chosen->any && chosen->unsealed > 0) {
    return fail(ExitCode::unproven, "the windows in that range are not sealed yet",
                "hashchain(1) seals");
  }
  if (!chosen->any) return std::optional<EvidenceResult>{};
  auto evidence = make_evidence(catalog, request.source, chosen->first, chosen->last);
  if (!evidence) return pass(evidence);
  evidence->policy = request.policy;
  EvidenceResult result;
  result.first = chosen->first;
  result.last = chosen->last;
  result.unsealed_frames = chosen->unsealed;
  result.head = evidence->head.link.number;
  result.anchored = !evidence->receipts.empty();
  const Bytes body = chain::encode_evidence_body(*evidence);
  result.proof_bytes = frame_header_size + body.size();
  const std::uint64_t before = output.frames();
  TWINCHAIN_TRY(output.write(
      chain::evidence_frame_header(*evidence, chosen->start_ns, chosen->end_ns), body));
  GetRequest slices;
  slices.first_sequence = chosen->first;
  slices.last_sequence = chosen->last;
  slices.channels = request.channels;
  slices.slices = true;
  slices.types = {FrameType::schema, FrameType::data, FrameType::slice, FrameType::reject};
  auto got = get_source(catalog, request.source, slices, output, error);
  if (!got) return pass(got);
  result.frames = *got;
  result.frames.frames = output.frames() - before;
  return std::optional(result);
}

}  // namespace twinchain::storage
