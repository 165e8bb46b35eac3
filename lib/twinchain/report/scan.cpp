#include "twinchain/report/scan.hpp"

#include <algorithm>

#include "twinchain/base/text.hpp"
#include "twinchain/chain/slice.hpp"
#include "twinchain/crypto/merkle.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/record/column_reader.hpp"
#include "twinchain/sys/fd.hpp"

namespace twinchain::report {
namespace {

/// Roots that wait for their link: hashchain puts it right behind the data, a store may have some
/// thousand frames between them.
constexpr std::size_t max_waiting_roots = 65'536;
constexpr std::size_t max_chains = 64;

bool is_numeric(const record::Channel& channel) {
  return channel.type != record::ValueType::string;
}

/// Values of a decoded column with their times, for which the column is responsible as little as
/// any other input.
void add_values(Signal& signal, const record::Column& column,
                const std::vector<std::int64_t>& times_ns, const ScanOptions& options) {
  const std::size_t size = column.size();
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t row = column.rows.empty() ? i : column.rows[i];
    if (row >= times_ns.size()) return;
    const std::int64_t time_ns = times_ns[row];
    if (options.from_ns && time_ns < *options.from_ns) continue;
    if (options.to_ns && time_ns > *options.to_ns) continue;
    switch (column.type) {
      case record::ValueType::f64:
        signal.add(time_ns, column.f64[i]);
        break;
      case record::ValueType::i64:
        signal.add(time_ns, static_cast<double>(column.i64[i]));
        break;
      case record::ValueType::boolean:
        signal.add(time_ns, column.boolean[i] != 0 ? 1 : 0);
        break;
      case record::ValueType::string:
        return;
    }
  }
}

}  // namespace

Scanner::Scanner(ScanOptions options) : options_(std::move(options)) {}

Status Scanner::read(const std::string& name, int fd, bool end_required,
                     const std::function<bool(std::uint64_t)>& progress) {
  ScannedInput& input = scan_.inputs.emplace_back();
  input.name = name;
  Sha256 hash;
  const auto source = [&](std::span<std::uint8_t> into) -> Result<std::size_t> {
    if (!progress(input.size_bytes)) return fail(ExitCode::system, "interrupted");
    auto size = read_some(fd, into);
    if (!size) return size;
    hash.update(into.first(*size));
    input.size_bytes += *size;
    return size;
  };
  StreamReader::Options how;
  how.end_required = end_required;
  StreamReader reader(source, how);
  bool reading = true;
  while (reading) {
    auto event = reader.next();
    if (!event) {
      if (event.error().code != ExitCode::malformed) return pass(event);
      // No twin stream: verify says so, too. All of its bytes are hashed nevertheless.
      ++scan_.damaged_places;
      break;
    }
    switch (event->kind) {
      case StreamEventKind::frame:
        ++scan_.frames;
        take(event->frame);
        reader.recycle(std::move(event->frame.body));
        break;
      case StreamEventKind::damage:
      case StreamEventKind::truncated:
        ++scan_.damaged_places;
        break;
      case StreamEventKind::end:
        break;
      case StreamEventKind::stopped:
      case StreamEventKind::finished:
        reading = false;
        break;
    }
  }
  std::array<std::uint8_t, 65'536> rest{};
  while (true) {
    auto size = source(rest);
    if (!size) return pass(size);
    if (*size == 0) break;
  }
  input.sha256 = hash.finish();
  return {};
}

Scan Scanner::finish() {
  for (auto& [id, source] : scan_.sources) check_evidence(source);
  for (const std::string& name : options_.channels) {
    const bool known =
        std::any_of(scan_.sources.begin(), scan_.sources.end(), [&](const auto& one) {
          const auto& channels = one.second.schema.channels;
          return std::any_of(channels.begin(), channels.end(),
                             [&](const record::Channel& channel) { return channel.name == name; });
        });
    if (!known) scan_.missing_channels.push_back(name);
  }
  return std::move(scan_);
}

ScannedSource* Scanner::source_of(const Id128& id) {
  const auto found = scan_.sources.find(id);
  if (found != scan_.sources.end()) return &found->second;
  if (scan_.sources.size() >= max_sources) {
    ++scan_.more_source_frames;
    return nullptr;
  }
  ScannedSource& source = scan_.sources[id];
  source.id = id;
  return &source;
}

void Scanner::take(Frame& frame) {
  ScannedSource* source = source_of(frame.header.source);
  if (source == nullptr) return;
  ++source->frames_by_type[static_cast<std::uint16_t>(frame.header.type)];
  switch (frame.header.type) {
    case FrameType::schema:
      take_schema(*source, frame);
      break;
    case FrameType::data:
    case FrameType::slice:
      take_data(*source, frame);
      break;
    case FrameType::link:
      take_link(*source, frame);
      break;
    case FrameType::anchor:
      take_anchor(*source, frame.header.sequence, frame.body.view());
      break;
    case FrameType::evidence:
      take_evidence(*source, frame);
      break;
    default:
      break;
  }
}

void Scanner::take_schema(ScannedSource& source, const Frame& frame) {
  auto schema = record::parse_schema_frame(frame.header, frame.body.view());
  if (!schema) {
    ++scan_.unreadable_frames;
    return;
  }
  source.schema = std::move(*schema);
  choose_signals(source);
}

void Scanner::choose_signals(ScannedSource& source) {
  const auto& channels = source.schema.channels;
  const std::size_t limit = options_.channels.empty() ? default_signals : max_signals;
  for (std::uint32_t i = 0; i < channels.size(); ++i) {
    if (source.signals.size() >= limit || signal_count_ >= max_signals) return;
    if (source.signals.contains(i)) continue;
    const bool asked_for = std::find(options_.channels.begin(), options_.channels.end(),
                                     channels[i].name) != options_.channels.end();
    if (!options_.channels.empty() && !asked_for) continue;
    if (!is_numeric(channels[i])) {
      if (asked_for) source.text_channels.insert(channels[i].name);
      continue;
    }
    source.signals.emplace(i, Signal(channels[i]));
    ++signal_count_;
  }
}

void Scanner::take_data(ScannedSource& source, const Frame& frame) {
  const ByteView body = frame.body.view();
  if (frame.header.type == FrameType::slice) {
    auto slice = chain::check_slice(frame.header, body);
    if (!slice) {
      ++scan_.unreadable_frames;
      return;
    }
    std::vector<record::Leaf> leaves;
    leaves.reserve(slice->shown.size());
    for (const chain::ShownLeaf& shown : slice->shown) leaves.push_back(shown.leaf);
    remember_root(source, frame.header.sequence, slice->root);
    take_window(source, frame.header, slice->header);
    take_signals(source, slice->header, leaves);
    return;
  }
  auto leaves = record::parse_leaves(body, false);
  auto data = leaves ? record::parse_data_header(leaves->front().payload)
                     : Result<record::DataHeader>(pass(leaves));
  if (!data) {
    ++scan_.unreadable_frames;
    return;
  }
  remember_root(source, frame.header.sequence,
                record::leaves_root(record::body_seed(body), *leaves));
  take_window(source, frame.header, *data);
  take_signals(source, *data, *leaves);
}

void Scanner::remember_root(const ScannedSource& source, std::uint64_t number,
                            const Hash256& root) {
  if (roots_.size() >= max_waiting_roots) roots_.erase(roots_.begin());
  roots_[{source.id, number}] = root;
}

void Scanner::take_window(ScannedSource& source, const FrameHeader& header,
                          const record::DataHeader& data) {
  ++source.windows;
  source.rows += data.rows;
  const std::int64_t start_ns = header.window_start_ns;
  const std::int64_t end_ns = std::max(start_ns, header.window_end_ns);
  source.window_start_ns = std::min(start_ns, source.window_start_ns.value_or(start_ns));
  source.window_end_ns = std::max(end_ns, source.window_end_ns.value_or(end_ns));
  // The end is not of the window: what begins there is the next one.
  source.coverage.each_in(start_ns, end_ns > start_ns ? end_ns - 1 : end_ns, [&](Coverage& bucket) {
    (data.rows > 0 ? bucket.rows : bucket.silent) = true;
  });
  if ((data.flags & record::window_first_after_start) != 0) {
    ++source.start_count;
    ++source.starts.at(start_ns).count;
  }
}

void Scanner::take_signals(ScannedSource& source, const record::DataHeader& data,
                           std::span<const record::Leaf> leaves) {
  if (source.signals.empty() || data.rows == 0) return;
  if (options_.from_ns && data.last_event_ns < *options_.from_ns) return;
  if (options_.to_ns && data.first_event_ns > *options_.to_ns) return;
  std::vector<std::int64_t> times_ns;
  for (const record::Leaf& leaf : leaves) {
    if (leaf.type != record::LeafType::time_column) continue;
    auto times = record::decode_time_column(leaf.payload);
    if (!times) {
      ++scan_.undecodable_columns;
      return;
    }
    times_ns = std::move(*times);
  }
  for (const record::Leaf& leaf : leaves) {
    if (leaf.type != record::LeafType::value_column) continue;
    const auto channel = record::value_column_channel(leaf.payload);
    const auto signal = channel ? source.signals.find(*channel) : source.signals.end();
    if (signal == source.signals.end()) continue;
    auto column = record::decode_value_column(leaf.payload);
    if (!column) {
      ++scan_.undecodable_columns;
      continue;
    }
    add_values(signal->second, *column, times_ns, options_);
  }
}

void Scanner::take_link(ScannedSource& source, const Frame& frame) {
  const auto parsed = chain::parse_link_frame(frame.header, frame.body.view());
  if (!parsed) {
    ++scan_.unreadable_frames;
    return;
  }
  const chain::Link& link = parsed->link;
  const ScannedLink here{link.number, chain::link_hash(link), link.wall_ns};
  if (const auto root = roots_.find({source.id, link.number}); root != roots_.end()) {
    ++(root->second == link.frame_root ? source.windows_alike : source.windows_unlike);
    roots_.erase(root);
  }
  auto chain = std::find_if(source.chains.begin(), source.chains.end(),
                            [&](const ScannedChain& one) { return one.record == link.record; });
  if (chain == source.chains.end()) {
    if (source.chains.size() >= max_chains) return;
    source.chains.push_back({link.record, 1, here, here});
    return;
  }
  ++chain->links;
  if (link.number < chain->first.number) chain->first = here;
  if (link.number <= chain->last.number) return;
  // Where links are missing nothing is known of the one before: verify says that they are.
  if (link.number == chain->last.number + 1 && link.previous != chain->last.hash) {
    ++source.broken_links;
  }
  chain->last = here;
}

void Scanner::take_evidence(ScannedSource& source, const Frame& frame) {
  // A bundle may follow another one.
  check_evidence(source);
  auto evidence = chain::parse_evidence_frame(frame.header, frame.body.view());
  if (!evidence) {
    ++scan_.unreadable_frames;
    return;
  }
  const chain::Link& head = evidence->head.link;
  const ScannedLink link{head.number, chain::link_hash(head), head.wall_ns};
  if (source.chains.size() < max_chains) source.chains.push_back({head.record, 1, link, link});
  for (const Bytes& receipt : evidence->receipts) take_anchor(source, head.number, receipt);
  source.evidence = std::move(*evidence);
}

/// A bundle has no link for each window, but one proof for all of them.
void Scanner::check_evidence(ScannedSource& source) {
  if (!source.evidence) return;
  const chain::Evidence evidence = std::move(*source.evidence);
  source.evidence.reset();
  if (evidence.count > max_waiting_roots) return;
  std::vector<Hash256> leaves;
  if (evidence.before) leaves.push_back(merkle_leaf(evidence.before->link.frame_root));
  for (std::uint64_t number = evidence.first; number <= evidence.last(); ++number) {
    const auto root = roots_.find({source.id, number});
    // Verify knows whether one is missing, and of the number of frames it is seen here.
    if (root == roots_.end()) return;
    leaves.push_back(merkle_leaf(root->second));
    roots_.erase(root);
  }
  if (evidence.after) leaves.push_back(merkle_leaf(evidence.after->link.frame_root));
  const bool proven = verify_range(evidence.proven_first(), leaves, evidence.tree_size(),
                                   evidence.proof, evidence.head.link.history_root);
  (proven ? source.windows_alike : source.windows_unlike) += evidence.count;
}

void Scanner::take_anchor(ScannedSource& source, std::uint64_t link, ByteView body) {
  auto receipt = ledger::parse_receipt(body);
  if (!receipt) {
    ++scan_.unreadable_frames;
    return;
  }
  ++source.anchor_count;
  std::optional<std::int64_t> time_s;
  if (receipt->timestamp_token.empty()) {
    // Bitcoin's header: the time is at 68.
    time_s = load_le<std::uint32_t>(receipt->block_header.data() + 68);
  } else if (const auto facts = ledger::check_receipt(*receipt)) {
    time_s = facts->time_s;
  }
  if (time_s) ++source.anchors.at(*time_s * 1'000'000'000).count;
  ScannedAnchor anchor{link, std::move(*receipt)};
  if (source.first_anchors.size() < edge_anchors) {
    source.first_anchors.push_back(std::move(anchor));
    return;
  }
  source.last_anchors.push_back(std::move(anchor));
  if (source.last_anchors.size() > edge_anchors) source.last_anchors.pop_front();
}

}  // namespace twinchain::report
