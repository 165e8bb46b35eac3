// What a record looks like: one pass over its streams, in bounded memory. Floor 5.
//
// This is for drawing, and proves nothing: that is verify's work. What it does check, because
// otherwise a page could show one record under the verdict on another, is that the data drawn are
// those that the links seal and that the links lead to the head that the verdict names.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "twinchain/chain/evidence.hpp"
#include "twinchain/chain/link.hpp"
#include "twinchain/ledger/receipt.hpp"
#include "twinchain/record/data_frame.hpp"
#include "twinchain/record/schema.hpp"
#include "twinchain/report/signal.hpp"
#include "twinchain/stream/reader.hpp"

namespace twinchain::report {

struct ScanOptions {
  /// Signals are drawn within this range of event times, both ends included; else all of them.
  std::optional<std::int64_t> from_ns;
  std::optional<std::int64_t> to_ns;
  /// Names; empty: the first numeric ones.
  std::vector<std::string> channels;
};

/// Limits of what is kept, so that memory and page stay bounded.
inline constexpr std::size_t max_signals = 24;
inline constexpr std::size_t default_signals = 6;
inline constexpr std::size_t max_sources = 64;
inline constexpr std::size_t edge_anchors = 12;
inline constexpr std::size_t coverage_buckets = 2048;

/// What was there in a stretch of time.
struct Coverage {
  bool rows = false;
  bool silent = false;  ///< a window without a row
  void merge(const Coverage& later) {
    rows = rows || later.rows;
    silent = silent || later.silent;
  }
};
struct Marks {
  std::uint64_t count = 0;
  void merge(const Marks& later) { count += later.count; }
};

struct ScannedInput {
  std::string name;
  std::uint64_t size_bytes = 0;
  Hash256 sha256{};
};

struct ScannedLink {
  std::uint64_t number = 0;
  Hash256 hash{};
  std::int64_t wall_ns = 0;
};

/// One chain of a source.
struct ScannedChain {
  Id128 record{};
  std::uint64_t links = 0;
  ScannedLink first;
  ScannedLink last;
};

struct ScannedAnchor {
  std::uint64_t link = 0;
  ledger::Receipt receipt;
};

struct ScannedSource {
  Id128 id{};
  record::Schema schema;  ///< the newest; empty when there was none
  std::map<std::uint16_t, std::uint64_t> frames_by_type;
  std::uint64_t windows = 0;
  std::uint64_t rows = 0;
  std::optional<std::int64_t> window_start_ns;
  std::optional<std::int64_t> window_end_ns;
  TimeBuckets<Coverage> coverage{coverage_buckets};
  TimeBuckets<Marks> starts{coverage_buckets};   ///< of the recorder
  TimeBuckets<Marks> anchors{coverage_buckets};  ///< times of their blocks
  std::uint64_t start_count = 0;
  std::uint64_t anchor_count = 0;
  std::vector<ScannedAnchor> first_anchors;
  std::deque<ScannedAnchor> last_anchors;
  std::vector<ScannedChain> chains;
  /// Of a bundle: what proves the windows that follow it.
  std::optional<chain::Evidence> evidence;
  std::map<std::uint32_t, Signal> signals;  ///< by channel
  std::set<std::string> text_channels;      ///< that were asked for and hold text
  /// Windows whose content is, and is not, what their link seals.
  std::uint64_t windows_alike = 0;
  std::uint64_t windows_unlike = 0;
  std::uint64_t broken_links = 0;  ///< not the one that the link before leads to
};

struct Scan {
  std::vector<ScannedInput> inputs;
  std::map<Id128, ScannedSource> sources;
  std::uint64_t more_source_frames = 0;  ///< of sources beyond the limit
  std::uint64_t frames = 0;
  std::uint64_t damaged_places = 0;
  std::uint64_t unreadable_frames = 0;    ///< of a known type, whose structure is wrong
  std::uint64_t undecodable_columns = 0;  ///< which verify does not look into
  /// Channels of the options that no source has.
  std::vector<std::string> missing_channels;
};

/// Not thread-safe.
class Scanner {
 public:
  explicit Scanner(ScanOptions options);

  /// Reads an input to its end and hashes it. What is wrong with its content is counted; an error
  /// is one of the operating system's, or ExitCode::system when `progress` (called with the bytes
  /// read) says false. `end_required`: not for the segments of a store.
  Status read(const std::string& name, int fd, bool end_required,
              const std::function<bool(std::uint64_t)>& progress);
  Scan finish();

 private:
  void take(Frame& frame);
  void take_schema(ScannedSource& source, const Frame& frame);
  void take_data(ScannedSource& source, const Frame& frame);
  void take_link(ScannedSource& source, const Frame& frame);
  void take_anchor(ScannedSource& source, std::uint64_t link, ByteView body);
  void take_evidence(ScannedSource& source, const Frame& frame);
  void check_evidence(ScannedSource& source);
  void take_window(ScannedSource& source, const FrameHeader& header,
                   const record::DataHeader& data);
  void take_signals(ScannedSource& source, const record::DataHeader& data,
                    std::span<const record::Leaf> leaves);
  void choose_signals(ScannedSource& source);
  void remember_root(const ScannedSource& source, std::uint64_t number, const Hash256& root);
  ScannedSource* source_of(const Id128& id);

  ScanOptions options_;
  Scan scan_;
  std::size_t signal_count_ = 0;
  /// Frame roots whose link has not come yet.
  std::map<std::pair<Id128, std::uint64_t>, Hash256> roots_;
};

}  // namespace twinchain::report
