#include "twinchain/record/window_builder.hpp"

#include <algorithm>

#include "twinchain/base/crc32c.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/record/column_kernels.hpp"

namespace twinchain::record {
namespace {

constexpr std::size_t longest_name_bytes = 0xffff;
/// Fixed part of a REJECT body and of one entry of it.
constexpr std::size_t reject_body_head_size = 4;
constexpr std::size_t reject_entry_head_size = 22;
constexpr std::string_view cut_note = " (text cut)";

std::size_t encoded_size(const Channel& channel) {
  return 8 + channel.name.size() + channel.unit.size() + channel.label.size();
}

}  // namespace

WindowBuilder::WindowBuilder(Schema schema)
    : schema_(std::move(schema)), source_(source_id(schema_.source_name)) {
  schema_size_ = encode_schema(schema_).size();
  for (const Channel& channel : schema_.channels) add_slot(channel);
  grow_names();
}
WindowBuilder::~WindowBuilder() = default;
WindowBuilder::WindowBuilder(WindowBuilder&&) noexcept = default;

void WindowBuilder::add_slot(const Channel& channel) {
  Slot& slot = slots_.emplace_back();
  slot.type = channel.type;
  details_.emplace_back();
  touched_.push_back(0);
}

std::size_t WindowBuilder::name_position(std::string_view name) const {
  const std::size_t mask = names_.size() - 1;
  std::size_t at = std::hash<std::string_view>{}(name)&mask;
  while (names_[at] != 0 && schema_.channels[names_[at] - 1].name != name) at = (at + 1) & mask;
  return at;
}

void WindowBuilder::grow_names() {
  const std::size_t wanted = std::bit_ceil(2 * schema_.channels.size() + 16);
  if (names_.size() >= wanted) return;
  names_.assign(wanted, 0);
  for (std::uint32_t i = 0; i < schema_.channels.size(); ++i) {
    names_[name_position(schema_.channels[i].name)] = i + 1;
  }
}

Result<std::uint32_t> WindowBuilder::channel(std::string_view name, ValueType type,
                                             std::string_view unit) {
  std::size_t at = name_position(name);
  if (names_[at] != 0) return names_[at] - 1;
  if (name.empty()) return fail(ExitCode::malformed, "a channel has no name");
  if (name.size() > longest_name_bytes || unit.size() > longest_name_bytes) {
    return fail(ExitCode::malformed, "name or unit of channel " + escape(name) + " is too long");
  }
  if (schema_.channels.size() >= max_channels) {
    return fail(ExitCode::malformed,
                "more than " + decimal(std::uint64_t{max_channels}) + " channels");
  }
  Channel added{std::string(name), type, std::string(unit), {}};
  if (schema_size_ + encoded_size(added) > max_body_size) {
    return fail(ExitCode::malformed, "names and units of all channels do not fit into one frame");
  }
  schema_size_ += encoded_size(added);
  add_slot(added);
  const auto index = static_cast<std::uint32_t>(schema_.channels.size());
  schema_.channels.push_back(std::move(added));
  names_[at] = index + 1;
  grow_names();
  schema_written_ = false;
  return index;
}

void WindowBuilder::set_time_note(std::string_view note) {
  note = note.substr(0, longest_name_bytes);
  if (note == schema_.time_note) return;
  schema_size_ = schema_size_ - schema_.time_note.size() + note.size();
  schema_.time_note = note;
  schema_written_ = false;
}

void WindowBuilder::reserve(Slot& slot, std::size_t count) {
  if (count <= slot.capacity) return;
  // Small at first: many channels may have a value or two.
  const std::size_t capacity = std::max({count, 2 * std::size_t{slot.capacity}, std::size_t{8}});
  std::unique_ptr<std::uint64_t[]> words(new std::uint64_t[capacity]);
  std::copy_n(slot.words.get(), slot.count, words.get());
  slot.words = std::move(words);
  slot.capacity = static_cast<std::uint32_t>(capacity);
}

void WindowBuilder::make_sparse(Slot& slot, Details& details) {
  details.rows.resize(slot.count);
  for (std::uint32_t row = 0; row < slot.count; ++row) details.rows[row] = row;
  raw_size_ += std::uint64_t{4} * slot.count;
  slot.fast_limit = 0;
}

bool WindowBuilder::put_word_slow(std::uint32_t channel, std::uint64_t word) {
  Slot& slot = slots_[channel];
  if (slot.next_row == row_ + 1) return false;
  Details& details = details_[channel];
  reserve(slot, std::size_t{slot.count} + 1);
  if (slot.count != row_ || !details.rows.empty()) {
    if (details.rows.empty()) make_sparse(slot, details);
    details.rows.push_back(row_);
    extra_bytes_ += 4;
  } else if (slot.type != ValueType::string) {
    slot.fast_limit = slot.capacity;
  }
  slot.words[slot.count++] = word;
  slot.next_row = row_ + 1;
  touched_[touched_count_++] = channel;
  return true;
}

void WindowBuilder::put_string(std::uint32_t channel, std::string_view bytes) {
  if (slots_[channel].type != ValueType::string) return;
  Bytes& text = details_[channel].text;
  if (!put_word_slow(channel, text.size() + bytes.size())) return;
  append(text, bytes);
  extra_bytes_ += 8 + bytes.size();
}

void WindowBuilder::cancel_row() {
  for (std::uint32_t i = 0; i < touched_count_; ++i) {
    Slot& slot = slots_[touched_[i]];
    Details& details = details_[touched_[i]];
    --slot.count;
    if (details.rows.empty()) {
      slot.next_row = slot.count;
    } else {
      details.rows.pop_back();
      slot.next_row = details.rows.empty() ? 0 : details.rows.back() + 1;
    }
    if (slot.type == ValueType::string) {
      details.text.resize(slot.count == 0 ? 0 : slot.words[slot.count - 1]);
    }
  }
  touched_count_ = 0;
  extra_bytes_ = 0;
}

// --- Late, out of order, duplicate --------------------------------------------------------------

void WindowBuilder::check_time() {
  if (row_ == 0) {
    first_event_ns_ = row_time_ns_;
    last_event_ns_ = row_time_ns_;
  }
  first_event_ns_ = std::min(first_event_ns_, row_time_ns_);
  last_event_ns_ = std::max(last_event_ns_, row_time_ns_);
  if (row_time_ns_ < newest_closed_ns_) ++counters_.late;
  if (row_time_ns_ < last_time_ns_) ++counters_.out_of_order;
  if (row_time_ns_ == last_time_ns_ && !is_arrival(row_time_ns_) && same_as_row_before()) {
    ++counters_.duplicate;
  }
}

bool WindowBuilder::same_word_as_before(std::uint32_t channel) const {
  const Slot& slot = slots_[channel];
  const Details& details = details_[channel];
  if (slot.count < 2) return false;
  if (!details.rows.empty() && details.rows[slot.count - 2] + 1 != row_) return false;
  const std::uint64_t before = slot.words[slot.count - 2];
  const std::uint64_t now = slot.words[slot.count - 1];
  if (slot.type != ValueType::string) return before == now;
  const std::uint64_t begin = slot.count < 3 ? 0 : slot.words[slot.count - 3];
  const std::string_view text = as_text(details.text);
  return text.substr(begin, before - begin) == text.substr(before, now - before);
}

bool WindowBuilder::same_as_row_before() const {
  if (row_ == 0) return !last_row_.empty() && row_bytes(row_) == last_row_;
  if (touched_count_ != previous_touched_count_) return false;
  return std::all_of(touched_.begin(), touched_.begin() + touched_count_,
                     [this](std::uint32_t channel) { return same_word_as_before(channel); });
}

/// Time and values of the newest row, for a comparison across windows.
Bytes WindowBuilder::row_bytes(std::uint32_t row) const {
  Bytes out;
  append_le(out, row_time_ns_);
  for (std::uint32_t channel = 0; channel < slots_.size(); ++channel) {
    const Slot& slot = slots_[channel];
    if (slot.next_row != row + 1 || slot.count == 0) continue;
    const std::uint64_t word = slot.words[slot.count - 1];
    append_le(out, channel);
    if (slot.type == ValueType::string) {
      const std::uint64_t begin = slot.count < 2 ? 0 : slot.words[slot.count - 2];
      append_le(out, word - begin);
      append(out, ByteView(details_[channel].text).subspan(begin, word - begin));
    } else {
      append_le(out, word);
    }
  }
  return out;
}

// --- Raw rows -----------------------------------------------------------------------------------

bool WindowBuilder::same_f64_row_as_before(const std::uint8_t* row, std::uint32_t columns) const {
  if (row_ == 0) {
    Bytes bytes;
    append_le(bytes, last_time_ns_);
    for (std::uint32_t column = 0; column < columns; ++column) {
      append_le(bytes, column);
      append(bytes, ByteView(row + 8 * std::size_t{column}, 8));
    }
    return bytes == last_row_;
  }
  if (previous_touched_count_ != columns) return false;
  for (std::uint32_t column = 0; column < columns; ++column) {
    const Slot& slot = slots_[column];
    if (slot.next_row != row_ ||
        slot.words[slot.count - 1] != load_le<std::uint64_t>(row + 8 * std::size_t{column})) {
      return false;
    }
  }
  return true;
}

void WindowBuilder::count_f64_rows(ByteView rows, std::uint32_t columns,
                                   std::span<const std::int64_t> event_times_ns) {
  if (row_ == 0) {
    first_event_ns_ = event_times_ns[0];
    last_event_ns_ = event_times_ns[0];
  }
  const std::size_t row_size = 8 * std::size_t{columns};
  std::int64_t before = last_time_ns_;
  for (std::size_t i = 0; i < event_times_ns.size(); ++i) {
    const std::int64_t now = event_times_ns[i];
    first_event_ns_ = std::min(first_event_ns_, now);
    last_event_ns_ = std::max(last_event_ns_, now);
    if (now < newest_closed_ns_) ++counters_.late;
    if (now < before) ++counters_.out_of_order;
    if (now == before && !is_arrival(now)) {
      const std::uint8_t* row = rows.data() + i * row_size;
      const bool same = i == 0 ? same_f64_row_as_before(row, columns)
                               : std::memcmp(row, row - row_size, row_size) == 0;
      if (same) ++counters_.duplicate;
    }
    before = now;
  }
}

void WindowBuilder::reserve_f64_rows(std::uint32_t columns, std::uint32_t count) {
  for (std::uint32_t column = 0; column < columns; ++column) {
    Slot& slot = slots_[column];
    Details& details = details_[column];
    reserve(slot, std::size_t{slot.count} + count);
    if (slot.count != row_ || !details.rows.empty()) {
      if (details.rows.empty()) make_sparse(slot, details);
      for (std::uint32_t i = 0; i < count; ++i) details.rows.push_back(row_ + i);
      raw_size_ += std::uint64_t{4} * count;
    } else {
      slot.fast_limit = slot.capacity;
    }
  }
}

void WindowBuilder::append_f64_rows(ByteView rows, std::uint32_t columns,
                                    std::span<const std::int64_t> event_times_ns) {
  const auto count = static_cast<std::uint32_t>(event_times_ns.size());
  if (count == 0 || columns == 0 || columns > slots_.size() || rows.size() / 8 / columns < count ||
      std::any_of(
          slots_.begin(), slots_.begin() + columns,
          [](const Slot& slot) { return slot.type != ValueType::f64; })) {
    return;
  }
  count_f64_rows(rows, columns, event_times_ns);
  reserve_f64_rows(columns, count);
  constexpr std::uint32_t lanes = 8;
  for (std::uint32_t first = 0; first < columns; first += lanes) {
    const std::uint32_t width = std::min(lanes, columns - first);
    std::array<std::uint64_t*, lanes> to{};
    for (std::uint32_t i = 0; i < width; ++i) {
      Slot& slot = slots_[first + i];
      to[i] = slot.words.get() + slot.count;
      slot.count += count;
      slot.next_row = row_ + count;
    }
    transpose_words(rows.data() + 8 * std::size_t{first}, 8 * std::size_t{columns}, count,
                    std::span(to).first(width));
  }
  times_.insert(times_.end(), event_times_ns.begin(), event_times_ns.end());
  last_time_ns_ = event_times_ns.back();
  row_time_ns_ = last_time_ns_;
  touched_count_ = 0;
  previous_touched_count_ = columns;
  row_ += count;
  samples_ += std::uint64_t{count} * columns;
  raw_size_ += std::uint64_t{count} * 8 * (std::uint64_t{columns} + 1);
}

// --- Rejects ------------------------------------------------------------------------------------

void WindowBuilder::reject(Reject reject) {
  ++counters_.rejected;
  if (reject.reason.size() > longest_name_bytes) reject.reason.resize(longest_name_bytes);
  constexpr std::size_t heads = reject_body_head_size + reject_entry_head_size;
  if (heads + reject.reason.size() + reject.text.size() > max_body_size) {
    reject.reason.resize(std::min(reject.reason.size(), longest_name_bytes - cut_note.size()));
    reject.reason += cut_note;
    reject.text.resize(max_body_size - heads - reject.reason.size());
  }
  const std::size_t size = reject_entry_head_size + reject.reason.size() + reject.text.size();
  if (reject_bodies_.empty() || reject_bodies_.back().size() + size > max_body_size) {
    reject_bodies_.emplace_back(reject_body_head_size, std::uint8_t{0});
    reject_counts_.push_back(0);
  }
  append_reject(reject_bodies_.back(), reject);
  ++reject_counts_.back();
  raw_size_ += size;
  reject_size_ += size;
}

std::uint64_t WindowBuilder::held_bytes() const {
  std::uint64_t size = 8 * times_.capacity();
  for (const Slot& slot : slots_) size += 8 * std::uint64_t{slot.capacity};
  for (const Details& details : details_) {
    size += 4 * details.rows.capacity() + details.text.capacity();
  }
  for (const Bytes& body : reject_bodies_) size += body.capacity();
  return size;
}

// --- Closing ------------------------------------------------------------------------------------

Status WindowBuilder::write_schema(const FrameHeader& base, const FrameSink& sink) {
  const Bytes body = encode_schema(schema_);
  FrameHeader header = base;
  header.type = FrameType::schema;
  set_body(header, body);
  schema_digest_ = frame_digest(header, body);
  TWINCHAIN_TRY(sink(header, body));
  schema_written_ = true;
  return {};
}

Status WindowBuilder::write_rejects(const FrameHeader& base, const FrameSink& sink,
                                    DataHeader& header) {
  if (reject_bodies_.empty()) return {};
  Sha256 digests;
  for (std::size_t i = 0; i < reject_bodies_.size(); ++i) {
    Bytes& body = reject_bodies_[i];
    store_le(body.data(), reject_counts_[i]);
    FrameHeader frame = base;
    frame.type = FrameType::reject;
    set_body(frame, body);
    digests.update(frame_digest(frame, body));
    TWINCHAIN_TRY(sink(frame, body));
  }
  header.reject_frames = static_cast<std::uint32_t>(reject_bodies_.size());
  header.reject_digest = digests.finish();
  return {};
}

Status WindowBuilder::write_data(const FrameHeader& base, const FrameSink& sink,
                                 DataHeader& header) {
  body_.clear();
  body_.append(random_array<sizeof(Seed)>());
  header.channel_count = static_cast<std::uint32_t>(
      std::count_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.count > 0; }));
  Bytes header_leaf;
  append_leaf(header_leaf, LeafType::header, encode_data_header(header));
  body_.append(header_leaf);

  const auto add_leaf = [this](LeafType type, const auto& encode) {
    const std::size_t head = body_.size();
    body_.resize_uninitialized(head + leaf_head_size);
    encode();
    store_le(body_.data() + head, static_cast<std::uint16_t>(type));
    store_le(body_.data() + head + 2, std::uint16_t{0});
    const ByteView payload = body_.view().subspan(head + leaf_head_size);
    store_le(body_.data() + head + 4, static_cast<std::uint32_t>(payload.size()));
    store_le(body_.data() + head + 8, crc32c(payload));
  };
  if (row_ > 0) add_leaf(LeafType::time_column, [&] { encoder_.encode_times(times_, body_); });
  for (std::uint32_t channel = 0; channel < slots_.size(); ++channel) {
    const Slot& slot = slots_[channel];
    if (slot.count == 0) continue;
    Details& details = details_[channel];
    ColumnInput column;
    column.channel = channel;
    column.type = slot.type;
    column.words = {slot.words.get(), slot.count};
    column.text = details.text;
    // A channel that only stopped early has no list yet; a list of all rows is none.
    if (slot.count != row_) {
      if (details.rows.empty()) make_sparse(slots_[channel], details);
      column.rows = details.rows;
    }
    add_leaf(LeafType::value_column,
             [&] { encoder_.encode_values(column, details.memory, body_); });
  }
  if (body_.size() > max_body_size) {
    return fail(ExitCode::bug, "a window of " + decimal(raw_size_) + " bytes does not fit a frame");
  }
  FrameHeader frame = base;
  frame.type = FrameType::data;
  set_body(frame, body_.view());
  return sink(frame, body_.view());
}

Status WindowBuilder::close(const WindowEnd& end, const FrameSink& sink) {
  if (raw_size_ - reject_size_ > max_window_size || row_ > max_window_rows) {
    return fail(ExitCode::bug, "a window of " + decimal(raw_size_) + " bytes is too large");
  }
  FrameHeader base;
  base.source = source_;
  base.sequence = end.sequence;
  base.window_start_ns = end.start_ns;
  base.window_end_ns = end.end_ns;
  DataHeader header;
  header.source = source_;
  header.sequence = end.sequence;
  header.window_start_ns = end.start_ns;
  header.window_end_ns = end.end_ns;
  header.flags = end.flags;
  header.rows = row_;
  header.samples = samples_;
  header.first_event_ns = row_ > 0 ? first_event_ns_ : 0;
  header.last_event_ns = row_ > 0 ? last_event_ns_ : 0;
  header.closed_wall_ns = end.wall_ns;
  header.closed_monotonic_ns = end.monotonic_ns;
  header.boot_id = end.boot_id;
  header.declared_rate_mhz = end.declared_rate_mhz;
  header.late_rows = counters_.late;
  header.duplicate_rows = counters_.duplicate;
  header.out_of_order_rows = counters_.out_of_order;
  header.rejected_rows = counters_.rejected;
  if (!schema_written_) TWINCHAIN_TRY(write_schema(base, sink));
  header.schema_digest = schema_digest_;
  TWINCHAIN_TRY(write_rejects(base, sink, header));
  TWINCHAIN_TRY(write_data(base, sink, header));
  clear();
  return {};
}

void WindowBuilder::clear() {
  if (row_ > 0) {
    row_time_ns_ = last_time_ns_;
    last_row_ = row_bytes(row_ - 1);
    newest_closed_ns_ = std::max(newest_closed_ns_, last_event_ns_);
  }
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    Details& details = details_[i];
    // Memory that this window did not need is given back, so that channels which are busy in
    // turns do not hold a window each.
    if (slot.capacity > 4 * std::max(slot.count, 8U)) {
      slot.words.reset();
      slot.capacity = 0;
    }
    if (details.rows.capacity() > 4 * std::max<std::size_t>(details.rows.size(), 8)) {
      details.rows = {};
    }
    if (details.text.capacity() > 4 * std::max<std::size_t>(details.text.size(), 64)) {
      details.text = {};
    }
    details.rows.clear();
    details.text.clear();
    slot.count = 0;
    slot.next_row = 0;
    slot.fast_limit = slot.type == ValueType::string ? 0 : slot.capacity;
  }
  times_.clear();
  row_ = 0;
  touched_count_ = 0;
  previous_touched_count_ = 0;
  raw_size_ = 0;
  samples_ = 0;
  extra_bytes_ = 0;
  counters_ = {};
  reject_size_ = 0;
  reject_bodies_.clear();
  reject_counts_.clear();
}

}  // namespace twinchain::record
