// The part of an audit that a frame allows by itself: done on worker threads. Floor 4, internal.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "twinchain/chain/cosignature.hpp"
#include "twinchain/chain/link.hpp"
#include "twinchain/record/data_frame.hpp"
#include "twinchain/stream/reader.hpp"

namespace twinchain::chain {

/// An event of the stream with all that could be said of it alone.
struct CheckedFrame {
  StreamEvent event;
  std::uint32_t input = 0;
  const StreamReader* reader = nullptr;  ///< of a deferred body

  /// A deferred body is not what its header says: nothing else is filled.
  bool unsound = false;

  /// Structure of the body, when its type is known.
  std::optional<Error> error;
  /// In which the frame header and the sealed or signed content differ.
  bool other_source = false;
  bool other_sequence = false;
  bool other_window = false;

  /// Root of DATA and SLICE, digest of SCHEMA and REJECT, hash of LINK.
  Hash256 hash{};
  std::optional<record::DataHeader> data;  ///< DATA, SLICE
  std::uint32_t leaf_count = 0;            ///< DATA, SLICE
  std::uint32_t shown_leaves = 0;          ///< SLICE
  std::optional<SignedLink> link;
  std::optional<Cosignature> cosignature;
  bool signature_ok = false;  ///< of link or cosignature
  /// SCHEMA.
  std::string source_name;
  std::shared_ptr<std::vector<std::string>> channels;

  [[nodiscard]] const FrameHeader& header() const { return event.frame.header; }
  [[nodiscard]] bool is_frame() const { return event.kind == StreamEventKind::frame; }
  /// Whose frame it is: what is sealed or signed counts, not the frame header.
  [[nodiscard]] Id128 source() const;
  [[nodiscard]] std::uint64_t sequence() const;
};

/// Fills the members that follow `input`. Thread-safe.
void check_frame(CheckedFrame& frame);

/// A slice's header leaf, before check_slice() compares it with the frame header.
Result<record::DataHeader> slice_data_header(ByteView body);

/// Where in a DATA body the damage is, as far as the CRCs of its leaves tell.
struct DamagePlace {
  /// Channels, as names or "channel 7"; "(time)" and "(header)" for the other leaves.
  std::vector<std::string> channels;
  std::size_t columns = 0;  ///< value columns that were seen
  /// For the message: "in bytes 1024 to 2047 of the frame", "in its seed", …
  std::string text;
  /// The first and last byte of the damaged leaf in the body, when it is one.
  std::optional<std::size_t> first_byte;
  std::size_t last_byte = 0;
};
DamagePlace find_damage(ByteView body, const std::vector<std::string>* channel_names);
/// The same for the columns that a SLICE body shows; empty when its structure is damaged.
DamagePlace find_slice_damage(const record::DataHeader& data, const FrameHeader& header,
                              ByteView body, const std::vector<std::string>* channel_names);

}  // namespace twinchain::chain
