#include "twinchain/chain/evidence.hpp"

#include <algorithm>
#include <bit>

#include "twinchain/base/text.hpp"

namespace twinchain::chain {
namespace {

constexpr std::size_t max_receipt_size = std::size_t{1} << 20;

/// Reads the body; the first error stays, and everything read after it is empty.
class EvidenceReader {
 public:
  explicit EvidenceReader(ByteView body) : in_(body) {}

  Result<Evidence> read(const FrameHeader& header);

 private:
  void fail_at(std::string why) {
    if (why_.empty())
      why_ = "evidence: byte " + decimal(std::uint64_t{in_.offset()}) + " of the body: " + why;
  }
  [[nodiscard]] bool good() {
    if (why_.empty() && !in_.ok()) fail_at("ends too early");
    return why_.empty();
  }

  std::optional<SignedLink> link(const char* which);
  void hashes(std::vector<Hash256>& into, std::size_t count);
  void receipts(std::vector<Bytes>& into, std::size_t count);
  void cosignatures(std::vector<Cosignature>& into, std::size_t count);
  void check_numbers(const Evidence& evidence, std::size_t left, std::size_t right);
  void check_links(const Evidence& evidence, const FrameHeader& header);

  ByteCursor in_;
  std::string why_;
};

std::optional<SignedLink> EvidenceReader::link(const char* which) {
  const ByteView bytes = in_.read_view(link_body_size);
  if (!good()) return std::nullopt;
  auto parsed = parse_link_body(bytes);
  if (!parsed) {
    fail_at(std::string(which) + ": " + parsed.error().message);
    return std::nullopt;
  }
  return *parsed;
}

void EvidenceReader::hashes(std::vector<Hash256>& into, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const ByteView bytes = in_.read_view(32);
    if (!good()) return;
    std::copy(bytes.begin(), bytes.end(), into.emplace_back().begin());
  }
}

void EvidenceReader::receipts(std::vector<Bytes>& into, std::size_t count) {
  for (std::size_t i = 0; i < count && good(); ++i) {
    const auto size = in_.read_le<std::uint32_t>();
    if (size > max_receipt_size) return fail_at("a receipt is too large");
    const ByteView bytes = in_.read_view(size);
    if (good()) into.emplace_back(bytes.begin(), bytes.end());
  }
}

void EvidenceReader::cosignatures(std::vector<Cosignature>& into, std::size_t count) {
  for (std::size_t i = 0; i < count && good(); ++i) {
    const ByteView bytes = in_.read_view(cosignature_body_size);
    if (!good()) return;
    auto parsed = parse_cosignature_body(bytes);
    if (!parsed) return fail_at(parsed.error().message);
    into.push_back(*parsed);
  }
}

void EvidenceReader::check_numbers(const Evidence& evidence, std::size_t left, std::size_t right) {
  if (evidence.count == 0) return fail_at("no window is shown");
  if (evidence.count - 1 > UINT64_MAX - 1 - evidence.first) return fail_at("too many windows");
  const std::uint64_t head = evidence.head.link.number;
  if (head == UINT64_MAX || evidence.last() > head)
    return fail_at("the head is before the last window");
  const std::uint64_t begin = evidence.first > 0 ? evidence.first - 1 : 0;
  const std::uint64_t end = evidence.last() + (evidence.last() < head ? 2 : 1);
  if (left != left_hash_count(begin) || right != right_hash_count(end, head + 1)) {
    fail_at("not as many hashes as the range needs");
  }
}

void EvidenceReader::check_links(const Evidence& evidence, const FrameHeader& header) {
  const Link& head = evidence.head.link;
  if (header.type != FrameType::evidence || header.source != head.source ||
      header.sequence != evidence.first) {
    return fail_at("the frame header does not say what the body says");
  }
  const auto of_the_record = [&](const SignedLink& link) {
    return link.link.source == head.source && link.link.record == head.record;
  };
  if (evidence.before &&
      (!of_the_record(*evidence.before) || evidence.before->link.number != evidence.first - 1)) {
    return fail_at("the link before is not that of the window before");
  }
  if (evidence.after &&
      (!of_the_record(*evidence.after) || evidence.after->link.number != evidence.last() + 1)) {
    return fail_at("the link after is not that of the window after");
  }
  const SignedLink* previous = nullptr;
  for (const SignedLink& link : evidence.keys) {
    if (!of_the_record(link) || link.link.number >= head.number || link.link.epoch >= head.epoch ||
        (previous != nullptr && (link.link.epoch != previous->link.epoch + 1 ||
                                 link.link.number <= previous->link.number))) {
      return fail_at("the links of earlier keys are not in order");
    }
    previous = &link;
  }
  if (previous != nullptr && previous->link.epoch + 1 != head.epoch) {
    fail_at("the links of earlier keys do not reach the head's");
  }
}

Result<Evidence> EvidenceReader::read(const FrameHeader& header) {
  Evidence evidence;
  const auto version = in_.read_le<std::uint16_t>();
  if (good() && version != evidence_version) fail_at("unknown version");
  const std::size_t left = in_.read_le<std::uint8_t>();
  const std::size_t right = in_.read_le<std::uint8_t>();
  const std::size_t keys = in_.read_le<std::uint32_t>();
  evidence.first = in_.read_le<std::uint64_t>();
  evidence.count = in_.read_le<std::uint64_t>();
  const std::size_t receipt_count = in_.read_le<std::uint16_t>();
  const std::size_t cosignature_count = in_.read_le<std::uint16_t>();
  const std::size_t policy_size = in_.read_le<std::uint32_t>();
  if (good() &&
      (keys > max_evidence_keys || receipt_count > max_evidence_receipts ||
       cosignature_count > max_evidence_cosignatures || policy_size > max_evidence_policy_size)) {
    fail_at("larger than evidence may be");
  }
  if (auto head = link("head")) evidence.head = *head;
  if (good()) check_numbers(evidence, left, right);
  if (good() && evidence.first > 0) evidence.before = link("link before");
  if (good() && evidence.last() < evidence.head.link.number) evidence.after = link("link after");
  if (good()) hashes(evidence.proof.left, left);
  if (good()) hashes(evidence.proof.right, right);
  for (std::size_t i = 0; i < keys && good(); ++i) {
    if (auto found = link("link of an earlier key")) evidence.keys.push_back(*found);
  }
  if (good()) check_links(evidence, header);
  receipts(evidence.receipts, receipt_count);
  cosignatures(evidence.cosignatures, cosignature_count);
  if (good()) evidence.policy = as_text(in_.read_view(policy_size));
  if (good() && !in_.at_end()) fail_at("bytes follow the end");
  if (!good()) return fail(ExitCode::malformed, why_);
  return evidence;
}

}  // namespace

std::size_t left_hash_count(std::uint64_t begin) {
  return static_cast<std::size_t>(std::popcount(begin));
}

std::size_t right_hash_count(std::uint64_t end, std::uint64_t tree_size) {
  std::size_t count = 0;
  for (std::uint64_t at = end; at < tree_size; ++count) {
    at += std::uint64_t{1} << largest_subtree_level(at, tree_size);
  }
  return count;
}

FrameHeader evidence_frame_header(const Evidence& evidence, std::int64_t window_start_ns,
                                  std::int64_t window_end_ns) {
  FrameHeader header;
  header.type = FrameType::evidence;
  header.source = evidence.head.link.source;
  header.sequence = evidence.first;
  header.window_start_ns = window_start_ns;
  header.window_end_ns = window_end_ns;
  return header;
}

Bytes encode_evidence_body(const Evidence& evidence) {
  Bytes out;
  append_le(out, evidence_version);
  append_le(out, static_cast<std::uint8_t>(evidence.proof.left.size()));
  append_le(out, static_cast<std::uint8_t>(evidence.proof.right.size()));
  append_le(out, static_cast<std::uint32_t>(evidence.keys.size()));
  append_le(out, evidence.first);
  append_le(out, evidence.count);
  append_le(out, static_cast<std::uint16_t>(evidence.receipts.size()));
  append_le(out, static_cast<std::uint16_t>(evidence.cosignatures.size()));
  append_le(out, static_cast<std::uint32_t>(evidence.policy.size()));
  append(out, encode_link_body(evidence.head));
  if (evidence.before) append(out, encode_link_body(*evidence.before));
  if (evidence.after) append(out, encode_link_body(*evidence.after));
  for (const Hash256& hash : evidence.proof.left) append(out, hash);
  for (const Hash256& hash : evidence.proof.right) append(out, hash);
  for (const SignedLink& link : evidence.keys) append(out, encode_link_body(link));
  for (const Bytes& receipt : evidence.receipts) {
    append_le(out, static_cast<std::uint32_t>(receipt.size()));
    append(out, receipt);
  }
  for (const Cosignature& cosignature : evidence.cosignatures) {
    append(out, encode_cosignature_body(cosignature));
  }
  append(out, as_bytes(evidence.policy));
  return out;
}

Result<Evidence> parse_evidence_frame(const FrameHeader& header, ByteView body) {
  return EvidenceReader(body).read(header);
}

}  // namespace twinchain::chain
