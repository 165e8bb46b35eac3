#include "twinchain/record/ndjson_template.hpp"

#include <algorithm>
#include <cstring>

namespace twinchain::record {
namespace {

std::uint64_t load_word(const char* at) {
  return load_le<std::uint64_t>(reinterpret_cast<const std::uint8_t*>(at));
}

/// The end of a string of printable ASCII without escapes that starts after its quote; nullptr
/// when it is anything else.
const char* plain_string_end(const char* at, const char* end) {
  for (; at < end; ++at) {
    const auto c = static_cast<unsigned char>(*at);
    if (c == '"') return at;
    if (c < 0x20 || c >= 0x80 || c == '\\') return nullptr;
  }
  return nullptr;
}

/// Whether a number of the lenient syntax is one of JSON too.
bool is_json_spelling(std::string_view number) {
  if (number.starts_with('-')) number.remove_prefix(1);
  const auto is_digit = [&number](std::size_t i) {
    return i < number.size() && number[i] >= '0' && number[i] <= '9';
  };
  if (!is_digit(0) || (number[0] == '0' && is_digit(1))) return false;
  const std::size_t point = number.find('.');
  return point == std::string_view::npos || is_digit(point + 1);
}

std::string_view number_token(const char* at, const char* end) {
  const char* stop = at;
  while (stop < end && ((*stop >= '0' && *stop <= '9') || *stop == '-' || *stop == '+' ||
                        *stop == '.' || *stop == 'e' || *stop == 'E')) {
    ++stop;
  }
  return {at, static_cast<std::size_t>(stop - at)};
}

/// A number that `next` follows.
[[gnu::always_inline]] inline bool match_number(const char*& at, const char* end, char next,
                                                double& number) {
  const char* const stop = at + find_within_16(at, next);
  const auto plain = parse_plain_f64<NumberSyntax::json>(at);
  if (plain.end == stop) [[likely]] {
    at = stop;
    number = plain.value;
    return true;
  }
  const std::string_view token = number_token(at, end);
  at += token.size();
  return parse_f64(token, number, NumberSyntax::json) == NumberFault::none;
}

}  // namespace

JsonTemplate::Literal::Literal(std::string_view from) : text(from) {
  for (std::size_t i = 0; i < std::min<std::size_t>(from.size(), 16); ++i) {
    const auto byte = static_cast<std::uint64_t>(static_cast<unsigned char>(from[i]));
    words[i / 8] |= byte << (8 * (i % 8));
    masks[i / 8] |= std::uint64_t{0xff} << (8 * (i % 8));
  }
}

inline bool JsonTemplate::Literal::match(const char*& at, const char* end) const {
  if (text.size() > static_cast<std::size_t>(end - at)) return false;
  if (((load_word(at) ^ words[0]) & masks[0]) != 0) return false;
  if (text.size() > 8) {
    if (((load_word(at + 8) ^ words[1]) & masks[1]) != 0) return false;
    if (text.size() > 16 && std::memcmp(at + 16, text.data() + 16, text.size() - 16) != 0) {
      return false;
    }
  }
  at += text.size();
  return true;
}

JsonTemplate::JsonTemplate(std::string_view row, const std::vector<JsonLeaf>& leaves,
                           const ChannelTable& channels)
    : tail_("") {
  std::size_t at = 0;
  for (const JsonLeaf& leaf : leaves) {
    const auto start = static_cast<std::size_t>(leaf.token.data() - row.data());
    Slot& slot = slots_.emplace_back(Slot{.before = Literal(row.substr(at, start - at))});
    slot.channel = leaf.channel;
    slot.is_time = leaf.is_time;
    slot.is_text = leaf.token.starts_with('"');
    if (!leaf.is_time) slot.type = channels.type(leaf.channel);
    at = start + leaf.token.size();
    slot.next = row[at];  // after a scalar comes at least the brace that ends the object
  }
  tail_ = Literal(row.substr(at));
  const auto is_dense = [this](const Slot& slot) {
    return slot.is_time || (slot.type == ValueType::f64 && slot.channel < dense_columns_);
  };
  dense_columns_ = static_cast<std::uint32_t>(
      std::count_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return !slot.is_time; }));
  if (!std::all_of(slots_.begin(), slots_.end(), is_dense)) dense_columns_ = 0;
}

/// Any scalar but a number of an f64 channel; `text` of a string or time.
bool JsonTemplate::Slot::match_other(const char*& at, const char* end, RowValue& value,
                                     std::string_view& text) const {
  if (is_text) {
    if (at == end || *at != '"') return false;
    const char* const stop = plain_string_end(at + 1, end);
    if (stop == nullptr) return false;
    text = std::string_view(at + 1, static_cast<std::size_t>(stop - at - 1));
    value.set_text(text);
    at = stop + 1;
    return true;
  }
  const std::string_view rest(at, static_cast<std::size_t>(end - at));
  if (type == ValueType::boolean && !is_time) {
    const bool truth = rest.starts_with("true");
    if (!truth && !rest.starts_with("false")) return false;
    value.set_bool(truth);
    at += truth ? 4 : 5;
    return true;
  }
  text = number_token(at, end);
  if (text.empty()) return false;
  at += text.size();
  // A time is scanned by its reader, once.
  return is_time ? is_json_spelling(text) : convert_json_number(text, type, value) == nullptr;
}

bool JsonTemplate::match_dense(std::string_view row, double* values, std::string_view& time) const {
  const char* at = row.data();
  const char* const end = at + row.size();
  for (const Slot& slot : slots_) {
    if (!slot.before.match(at, end)) return false;
    if (slot.is_time) [[unlikely]] {
      RowValue unused;
      if (!slot.match_other(at, end, unused, time)) return false;
    } else if (!match_number(at, end, slot.next, values[slot.channel])) {
      return false;
    }
  }
  return tail_.match(at, end) && at == end;
}

bool JsonTemplate::match(std::string_view row, RowValues& values, std::string_view& time) const {
  const char* at = row.data();
  const char* const end = at + row.size();
  time = {};
  for (const Slot& slot : slots_) {
    if (!slot.before.match(at, end)) return false;
    if (slot.type == ValueType::f64 && !slot.is_time) [[likely]] {
      double number = 0;
      if (!match_number(at, end, slot.next, number)) return false;
      values.values.emplace_back(slot.channel, number);
      continue;
    }
    RowValue value;
    std::string_view text;
    if (!slot.match_other(at, end, value, text)) return false;
    if (slot.is_time) {
      time = text;
    } else {
      value.channel = slot.channel;
      values.values.push_back(value);
    }
  }
  return tail_.match(at, end) && at == end;
}

bool JsonTemplates::match(std::string_view row, RowValues& values, std::string_view& time) {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const std::size_t which = (last_ + i) % entries_.size();
    if (entries_[which].shape.match(row, values, time)) {
      last_ = which;
      ++entries_[which].hits;
      return true;
    }
    values.values.clear();
  }
  return false;
}

void JsonTemplates::learn(std::string_view row, const std::vector<JsonLeaf>& leaves,
                          const ChannelTable& channels) {
  if (leaves.size() > max_leaves) return;
  if (pause_ > 0) {
    --pause_;
    return;
  }
  if (std::any_of(leaves.begin(), leaves.end(), [](const JsonLeaf& leaf) {
        return leaf.channel == no_channel && !leaf.is_time;
      })) {
    return;  // its channels have no number yet
  }
  Entry entry{JsonTemplate(row, leaves, channels)};
  if (entries_.size() < max_templates) {
    last_ = entries_.size();
    entries_.push_back(std::move(entry));
    return;
  }
  next_pause_ = entries_[victim_].hits < 16 ? std::min(2 * next_pause_, 1024U) : 1;
  pause_ = next_pause_;
  entries_[victim_] = std::move(entry);
  last_ = victim_;
  victim_ = (victim_ + 1) % max_templates;
}

void JsonTemplates::clear() {
  *this = {};
}

}  // namespace twinchain::record
