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
  }
  tail_ = Literal(row.substr(at));
}

bool JsonTemplate::match(std::string_view row, RowValues& values, std::string_view& time) const {
  const char* at = row.data();
  const char* const end = at + row.size();
  time = {};
  for (const Slot& slot : slots_) {
    if (!slot.before.match(at, end)) return false;
    if (slot.type == ValueType::f64 && !slot.is_time) [[likely]] {
      double number = 0;
      const char* stop = parse_plain_f64<NumberSyntax::json>(at, number);
      if (stop == nullptr) {
        const std::string_view token = number_token(at, end);
        if (parse_f64(token, number, NumberSyntax::json) != NumberFault::none) return false;
        stop = at + token.size();
      }
      values.values.emplace_back(slot.channel, number);
      at = stop;
      continue;
    }
    RowValue value;
    value.channel = slot.channel;
    value.type = slot.type;
    if (slot.is_text) {
      if (at == end || *at != '"') return false;
      const char* const stop = plain_string_end(at + 1, end);
      if (stop == nullptr) return false;
      value.text = std::string_view(at + 1, static_cast<std::size_t>(stop - at - 1));
      at = stop + 1;
    } else if (slot.type == ValueType::boolean) {
      value.i64 = *at == 't' ? 1 : 0;
      const std::string_view word = value.i64 != 0 ? "true" : "false";
      if (std::string_view(at, static_cast<std::size_t>(end - at)).substr(0, word.size()) != word) {
        return false;
      }
      at += word.size();
    } else {
      value.text = number_token(at, end);
      // A time is scanned by its reader, once.
      if (slot.is_time ? !is_json_spelling(value.text)
                       : convert_json_number(value.text, slot.type, value) != nullptr) {
        return false;
      }
      at += value.text.size();
    }
    if (slot.is_time) {
      time = value.text;
    } else {
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
