#include "twinchain/record/json_value.hpp"

#include <simdjson.h>

#include <bit>
#include <charconv>

#include "twinchain/base/text.hpp"

namespace twinchain::record {
namespace {

constexpr std::size_t max_json_depth = 64;

/// A dom::element is a pointer to the document and a place in its tape; naming the two keeps
/// simdjson out of our header.
struct ElementParts {
  const void* document;
  std::size_t place;
};
using Element = simdjson::dom::element;
static_assert(sizeof(Element) == sizeof(ElementParts) && std::is_trivially_copyable_v<Element>);

Element element_of(const void* document, std::size_t place) {
  return std::bit_cast<Element>(ElementParts{document, place});
}

ElementParts parts_of(const Element& element) {
  return std::bit_cast<ElementParts>(element);
}

template <class T>
std::optional<T> get(const void* document, std::size_t place) {
  T value{};
  if (document == nullptr || element_of(document, place).get(value) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

bool JsonValue::is_null() const {
  return exists() && element_of(document_, place_).is_null();
}

bool JsonValue::is_object() const {
  return exists() && element_of(document_, place_).is_object();
}

bool JsonValue::is_array() const {
  return exists() && element_of(document_, place_).is_array();
}

std::optional<std::string_view> JsonValue::text() const {
  return get<std::string_view>(document_, place_);
}

std::optional<bool> JsonValue::truth() const {
  return get<bool>(document_, place_);
}

std::optional<double> JsonValue::number() const {
  return get<double>(document_, place_);
}

std::optional<std::uint64_t> JsonValue::count() const {
  if (const auto digits = text()) return parse_decimal(*digits);
  return get<std::uint64_t>(document_, place_);
}

std::optional<std::int64_t> JsonValue::signed_count() const {
  const auto digits = text();
  if (!digits) return get<std::int64_t>(document_, place_);
  std::int64_t value = 0;
  const std::string copy(*digits);
  const char* end = copy.data() + copy.size();
  const auto [stop, error] = std::from_chars(copy.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

JsonValue JsonValue::member(std::string_view name) const {
  const auto object = get<simdjson::dom::object>(document_, place_);
  if (!object) return {};
  Element found;
  if (object->at_key(name).get(found) != simdjson::SUCCESS) return {};
  const ElementParts parts = parts_of(found);
  return {parts.document, parts.place};
}

void JsonValue::each(const std::function<bool(JsonValue)>& take) const {
  const auto array = get<simdjson::dom::array>(document_, place_);
  if (!array) return;
  for (const Element& element : *array) {
    const ElementParts parts = parts_of(element);
    if (!take({parts.document, parts.place})) return;
  }
}

void JsonValue::each_member(const std::function<bool(std::string_view, JsonValue)>& take) const {
  const auto object = get<simdjson::dom::object>(document_, place_);
  if (!object) return;
  for (const auto& member : *object) {
    const ElementParts parts = parts_of(member.value);
    if (!take(member.key, {parts.document, parts.place})) return;
  }
}

struct JsonDocument::State {
  simdjson::dom::parser parser;
  Element root;
};

JsonDocument::JsonDocument(std::unique_ptr<State> state) : state_(std::move(state)) {}
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;
JsonDocument& JsonDocument::operator=(JsonDocument&&) noexcept = default;
JsonDocument::~JsonDocument() = default;

Result<JsonDocument> JsonDocument::parse(std::string_view text, std::size_t max_bytes) {
  if (text.size() > max_bytes || text.size() >= simdjson::SIMDJSON_MAXSIZE_BYTES) {
    return fail(ExitCode::malformed, "larger than " + decimal(std::uint64_t{max_bytes}) + " bytes");
  }
  auto state = std::make_unique<State>();
  simdjson::error_code error = state->parser.allocate(text.size(), max_json_depth);
  if (error == simdjson::SUCCESS) {
    // The copy has the padding that simdjson reads beyond the end; the tree does not refer to it.
    error = state->parser.parse(simdjson::padded_string(text)).get(state->root);
  }
  if (error != simdjson::SUCCESS) {
    return fail(ExitCode::malformed, "not JSON: " + escape(simdjson::error_message(error)));
  }
  return JsonDocument(std::move(state));
}

JsonValue JsonDocument::root() const {
  const ElementParts parts = parts_of(state_->root);
  return {parts.document, parts.place};
}

}  // namespace twinchain::record
