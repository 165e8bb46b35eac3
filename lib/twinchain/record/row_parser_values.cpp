#include "twinchain/record/row_parser_values.hpp"

#include <algorithm>
#include <cstring>

#include "twinchain/base/text.hpp"

namespace twinchain::record {
namespace {

constexpr std::size_t first_block_size = 4096;
constexpr std::size_t longest_name_bytes = 0xffff;
constexpr std::size_t most_added_name_bytes = std::size_t{4} << 20;

bool parse_bool(std::string_view text, bool& value) {
  if (text == "true" || text == "True" || text == "TRUE") {
    value = true;
    return true;
  }
  if (text == "false" || text == "False" || text == "FALSE") {
    value = false;
    return true;
  }
  return false;
}

const char* convert_number(std::string_view text, ValueType type, NumberSyntax syntax,
                           RowValue& value) {
  NumberFault fault = NumberFault::none;
  if (type == ValueType::f64) {
    double number = 0;
    fault = parse_f64(text, number, syntax);
    value.set_f64(number);
  } else {
    std::int64_t number = 0;
    fault = parse_i64(text, number, syntax);
    value.set_i64(number);
  }
  return fault == NumberFault::none ? nullptr : describe(fault);
}

NumberFault infer(std::string_view text, NumberSyntax syntax, RowValue& value) {
  InferredNumber number;
  const NumberFault fault = infer_number(text, number, syntax);
  if (number.type == ValueType::i64) {
    value.set_i64(number.i64);
  } else {
    value.set_f64(number.f64);
  }
  return fault;
}

}  // namespace

char* TextArena::allocate(std::size_t size) {
  if (blocks_.empty() || block_size_ - used_ < size) {
    const std::size_t wanted = std::max({size, first_block_size, 2 * block_size_});
    blocks_.emplace_back(new char[wanted]);
    block_size_ = wanted;
    used_ = 0;
  }
  char* const at = blocks_.back().get() + used_;
  used_ += size;
  return at;
}

std::string_view TextArena::copy(std::string_view text) {
  if (text.empty()) return {};
  char* const at = allocate(text.size());
  std::memcpy(at, text.data(), text.size());
  return {at, text.size()};
}

void TextArena::clear() {
  used_ = 0;
  if (blocks_.size() <= 1) return;
  // One block of the size that a row has needed, unless that was an outlier.
  if (block_size_ <= std::size_t{64} * first_block_size) {
    std::swap(blocks_.front(), blocks_.back());
    blocks_.resize(1);
  } else {
    blocks_.clear();
    block_size_ = 0;
  }
}

bool RowValues::allow_name(std::size_t size) {
  added_name_bytes += size;
  if (size == 0) {
    fault = "a name is empty";
  } else if (size > longest_name_bytes) {
    fault = "a name is longer than " + decimal(std::uint64_t{longest_name_bytes}) + " bytes";
  } else if (added_name_bytes > most_added_name_bytes) {
    fault = "the names of its new channels are too long";
  } else {
    return true;
  }
  return false;
}

ChannelTable::ChannelTable(const std::optional<Schema>& declared) {
  if (!declared) return;
  for (const Channel& channel : declared->channels) declared_.emplace(channel.name, channel);
}

bool ChannelTable::attach(WindowBuilder& builder) {
  const bool another = builder_ != &builder || builder.schema().channels.size() < entries_.size();
  if (another) {
    builder_ = &builder;
    entries_.clear();
    names_.clear();
  }
  learn();
  return another;
}

void ChannelTable::learn() {
  const std::vector<Channel>& channels = builder_->schema().channels;
  while (entries_.size() < channels.size()) {
    const Channel& channel = channels[entries_.size()];
    names_.emplace(channel.name, static_cast<std::uint32_t>(entries_.size()));
    entries_.push_back({channel.type, 0});
  }
}

std::uint32_t ChannelTable::find(std::string_view name) {
  const auto found = names_.find(name);
  return found == names_.end() ? no_channel : found->second;
}

const Channel* ChannelTable::declared(std::string_view name) const {
  const auto found = declared_.find(name);
  return found == declared_.end() ? nullptr : &found->second;
}

Result<std::uint32_t> ChannelTable::add(std::string_view name, ValueType type,
                                        std::string_view unit) {
  auto channel = builder_->channel(name, type, unit);
  if (channel) learn();
  return channel;
}

const char* convert_text(std::string_view text, ValueType type, RowValue& value) {
  if (type == ValueType::string) {
    value.set_text(text);
    return nullptr;
  }
  text = trim_blanks(text);
  if (type == ValueType::boolean) {
    bool truth = false;
    if (!parse_bool(text, truth)) return type_fault(type);
    value.set_bool(truth);
    return nullptr;
  }
  return convert_number(text, type, NumberSyntax::text, value);
}

const char* infer_text(std::string_view text, RowValue& value) {
  const std::string_view trimmed = trim_blanks(text);
  const NumberFault fault = infer(trimmed, NumberSyntax::text, value);
  if (fault == NumberFault::none) return nullptr;
  if (fault != NumberFault::not_a_number && fault != NumberFault::beyond_i64) {
    return describe(fault);
  }
  bool truth = false;
  if (parse_bool(trimmed, truth)) {
    value.set_bool(truth);
    return nullptr;
  }
  value.set_text(text);
  return nullptr;
}

const char* convert_json_number(std::string_view token, ValueType type, RowValue& value) {
  if (type == ValueType::boolean || type == ValueType::string) {
    return scan_decimal(token, NumberSyntax::json) ? type_fault(type)
                                                   : describe(NumberFault::not_a_number);
  }
  return convert_number(token, type, NumberSyntax::json, value);
}

const char* infer_number_value(std::string_view token, NumberSyntax syntax, RowValue& value) {
  const NumberFault fault = infer(token, syntax, value);
  return fault == NumberFault::none ? nullptr : describe(fault);
}

const char* type_fault(ValueType type) {
  switch (type) {
    case ValueType::f64:
      return "not a number";
    case ValueType::i64:
      return "not a whole number";
    case ValueType::boolean:
      return "not true or false";
    case ValueType::string:
      return "not a string";
  }
  return "of an unknown type";
}

std::string counted(std::size_t count, std::string_view noun) {
  std::string text = decimal(std::uint64_t{count}) + " ";
  text += noun;
  if (count != 1) text += 's';
  return text;
}

std::string quote_text(std::string_view text) {
  std::string out = "\"";
  out += escape(text, 60);
  out += '"';
  return out;
}

}  // namespace twinchain::record
