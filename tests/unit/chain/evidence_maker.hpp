// Makes evidence bundles of small records in memory, for tests and for the fuzz target.
#pragma once

#include "stream_maker.hpp"
#include "twinchain/chain/evidence.hpp"
#include "twinchain/chain/evidence_check.hpp"
#include "twinchain/chain/slice.hpp"

namespace twinchain::chain::testing {

inline std::vector<SignedLink> links_of(const StreamMaker& maker) {
  std::vector<SignedLink> links;
  for (const MadeFrame& frame : maker.frames) {
    if (frame.header.type == FrameType::link) links.push_back(parse_link_body(frame.body).value());
  }
  return links;
}

inline std::vector<Hash256> history_leaves(const std::vector<SignedLink>& links) {
  std::vector<Hash256> leaves;
  leaves.reserve(links.size());
  for (const SignedLink& link : links) leaves.push_back(merkle_leaf(link.link.frame_root));
  return leaves;
}

/// Of windows [first, last], proven by link `head`, with the receipts and counter-signatures that
/// the maker's stream has for it.
inline Evidence evidence_of(const StreamMaker& maker, std::uint64_t first, std::uint64_t last,
                            std::uint64_t head) {
  const std::vector<SignedLink> links = links_of(maker);
  Evidence evidence;
  evidence.first = first;
  evidence.count = last - first + 1;
  evidence.head = links.at(head);
  if (first > 0) evidence.before = links.at(first - 1);
  if (last < head) evidence.after = links.at(last + 1);
  const std::vector<Hash256> leaves = history_leaves(links);
  evidence.proof =
      range_proof(evidence.proven_first(), evidence.proven_end() - evidence.proven_first(),
                  head + 1, subtrees_of(std::span(leaves).first(head + 1)));
  for (std::size_t i = 0; i < head; ++i) {
    if (links[i].link.epoch != links[i + 1].link.epoch) evidence.keys.push_back(links[i]);
  }
  for (const MadeFrame& frame : maker.frames) {
    if (frame.header.sequence != head) continue;
    if (frame.header.type == FrameType::anchor) evidence.receipts.push_back(frame.body);
    if (frame.header.type == FrameType::cosignature) {
      evidence.cosignatures.push_back(parse_cosignature_body(frame.body).value());
    }
  }
  return evidence;
}

/// EVIDENCE, SCHEMA and the slices with these channels.
inline Frames bundle_of(const StreamMaker& maker, const Evidence& evidence,
                        const std::vector<std::uint32_t>& channels) {
  Frames slices;
  for (const MadeFrame& frame : maker.frames) {
    const std::uint64_t number = frame.header.sequence;
    if (frame.header.type == FrameType::schema) slices.push_back(frame);
    if (frame.header.type != FrameType::data || number < evidence.first ||
        number > evidence.last()) {
      continue;
    }
    Slice slice = make_slice(frame.header, frame.body, channels).value();
    slices.push_back({slice.header, std::move(slice.body)});
  }
  const std::vector<SignedLink> links = links_of(maker);
  const FrameHeader header =
      evidence_frame_header(evidence, links.at(evidence.first).link.window_start_ns,
                            links.at(evidence.last()).link.window_end_ns);
  Frames frames{made(header, encode_evidence_body(evidence))};
  frames.insert(frames.end(), slices.begin(), slices.end());
  return frames;
}

inline AuditReport check_bundle(ByteView bytes, EvidenceOptions options) {
  EvidenceCheck check(std::move(options));
  StreamReader reader(bytes_source(bytes), {});
  if (!check.read("test", reader)) std::abort();
  return check.finish();
}

}  // namespace twinchain::chain::testing
