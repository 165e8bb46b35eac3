// parse_dtdl() of row_parser.hpp: Digital Twins Definition Language, version 3 (version 2 and 4
// interfaces are of the same shape where it matters here).

#include <simdjson.h>

#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "twinchain/base/text.hpp"
#include "twinchain/record/ndjson_flatten.hpp"
#include "twinchain/record/row_parser.hpp"

namespace twinchain::record {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t max_dtdl_bytes = std::size_t{4} << 20;
constexpr int max_object_depth = 8;  // DTDL v3 allows 8 levels of complex schemas

std::string quote(std::string_view text) {
  return "\"" + escape(text, 60) + "\"";
}

std::optional<std::string_view> text_member(dom::element object, std::string_view key) {
  std::string_view text;
  if (object[key].get(text) != simdjson::SUCCESS) return std::nullopt;
  return text;
}

/// "@type" is a name, or an array of names when semantic types are added.
bool has_type(dom::element object, std::string_view type) {
  dom::element types;
  if (object["@type"].get(types) != simdjson::SUCCESS) return false;
  std::string_view name;
  if (types.get(name) == simdjson::SUCCESS) return name == type;
  dom::array names;
  if (types.get(names) != simdjson::SUCCESS) return false;
  for (const dom::element one : names) {
    if (one.get(name) == simdjson::SUCCESS && name == type) return true;
  }
  return false;
}

bool has_dtdl_context(dom::element object) {
  constexpr std::string_view context = "dtmi:dtdl:context;";
  dom::element contexts;
  if (object["@context"].get(contexts) != simdjson::SUCCESS) return false;
  std::string_view name;
  if (contexts.get(name) == simdjson::SUCCESS) return name.starts_with(context);
  dom::array names;
  if (contexts.get(names) != simdjson::SUCCESS) return false;
  for (const dom::element one : names) {
    if (one.get(name) == simdjson::SUCCESS && name.starts_with(context)) return true;
  }
  return false;
}

/// A text, or a map of languages to texts: English first, else any.
std::string display_name(dom::element object) {
  dom::element name;
  if (object["displayName"].get(name) != simdjson::SUCCESS) return {};
  std::string_view text;
  if (name.get(text) == simdjson::SUCCESS) return std::string(text);
  dom::object languages;
  if (name.get(languages) != simdjson::SUCCESS) return {};
  std::string first;
  for (const dom::key_value_pair entry : languages) {
    if (entry.value.get(text) != simdjson::SUCCESS) continue;
    if (entry.key == "en" || entry.key.starts_with("en-")) return std::string(text);
    if (first.empty()) first = text;
  }
  return first;
}

/// Names of primitive schemas; they may be written as "dtmi:dtdl:instance:Schema:double;3".
std::optional<ValueType> primitive_type(std::string_view name) {
  constexpr std::string_view instance = "dtmi:dtdl:instance:Schema:";
  if (name.starts_with(instance)) {
    name.remove_prefix(instance.size());
    name = name.substr(0, name.find(';'));
  }
  if (name == "double" || name == "float") return ValueType::f64;
  if (name == "integer" || name == "long" || name == "short" || name == "byte") {
    return ValueType::i64;
  }
  if (name == "boolean") return ValueType::boolean;
  if (name == "string" || name == "date" || name == "dateTime" || name == "time" ||
      name == "duration" || name == "uuid") {
    return ValueType::string;
  }
  return std::nullopt;
}

class InterfaceReader {
 public:
  explicit InterfaceReader(Schema& schema) : schema_(schema) {}

  Status read(dom::element interface) {
    if (!has_dtdl_context(interface)) {
      return fail(ExitCode::malformed, "dtdl: the interface has no \"dtmi:dtdl:context\"");
    }
    collect_named_schemas(interface);
    dom::element contents;
    if (interface["contents"].get(contents) != simdjson::SUCCESS) return {};
    dom::array list;
    if (contents.get(list) != simdjson::SUCCESS) return take_content(contents);
    for (const dom::element content : list) TWINCHAIN_TRY(take_content(content));
    return {};
  }

 private:
  void collect_named_schemas(dom::element interface) {
    dom::element schemas;
    if (interface["schemas"].get(schemas) != simdjson::SUCCESS) return;
    dom::array list;
    if (schemas.get(list) != simdjson::SUCCESS) return collect_named_schema(schemas);
    for (const dom::element one : list) collect_named_schema(one);
  }
  void collect_named_schema(dom::element schema) {
    if (const auto id = text_member(schema, "@id")) named_.emplace(*id, schema);
  }

  Status take_content(dom::element content) {
    if (!has_type(content, "Telemetry")) return {};
    const auto name = text_member(content, "name");
    if (!name || name->empty()) return fail(ExitCode::malformed, "dtdl: a telemetry has no name");
    return take_schema(content, Channel{std::string(*name), ValueType::f64, {}, {}}, 0);
  }

  /// `holder` has the member "schema", "unit" and "displayName": a Telemetry or a Field.
  Status take_schema(dom::element holder, Channel channel, int depth) {
    channel.unit = std::string(text_member(holder, "unit").value_or(channel.unit));
    if (std::string label = display_name(holder); !label.empty()) channel.label = std::move(label);
    dom::element schema;
    if (holder["schema"].get(schema) != simdjson::SUCCESS) {
      return fail(ExitCode::malformed, "dtdl: telemetry " + quote(channel.name) + " has no schema");
    }
    std::string_view name;
    if (schema.get(name) == simdjson::SUCCESS) {
      if (const auto type = primitive_type(name)) {
        channel.type = *type;
        return add(std::move(channel));
      }
      const auto found = named_.find(name);
      if (found == named_.end()) return refuse(channel, "schema " + quote(name) + " is not known");
      schema = found->second;
    }
    return take_complex(schema, std::move(channel), depth);
  }

  Status take_complex(dom::element schema, Channel channel, int depth) {
    if (has_type(schema, "Enum")) {
      const auto values = text_member(schema, "valueSchema");
      const auto type = values ? primitive_type(*values) : std::nullopt;
      if (!type || (*type != ValueType::i64 && *type != ValueType::string)) {
        return refuse(channel, "an Enum needs a valueSchema of integer or string");
      }
      channel.type = *type;
      return add(std::move(channel));
    }
    if (has_type(schema, "Object")) return take_object(schema, channel, depth);
    for (const std::string_view kind : {"Array", "Map"}) {
      if (has_type(schema, kind)) {
        return refuse(channel, "a schema of type " + std::string(kind) +
                                   " has no fixed channels; leave it out, and what comes is "
                                   "recorded as it comes");
      }
    }
    return refuse(channel, "its schema is neither a primitive, an Enum nor an Object");
  }

  Status take_object(dom::element schema, const Channel& channel, int depth) {
    if (depth >= max_object_depth) return refuse(channel, "objects are nested too deep");
    dom::array fields;
    if (schema["fields"].get(fields) != simdjson::SUCCESS) {
      return refuse(channel, "an Object needs fields");
    }
    for (const dom::element field : fields) {
      // Objects that name others several times over unfold to more than anybody can wait for.
      if (++fields_seen_ > max_channels) return refuse(channel, "its objects have too many fields");
      const auto name = text_member(field, "name");
      if (!name || name->empty()) return refuse(channel, "a field has no name");
      Channel inner{channel.name + "." + std::string(*name), ValueType::f64, {}, {}};
      TWINCHAIN_TRY(take_schema(field, std::move(inner), depth + 1));
    }
    return {};
  }

  Status add(Channel channel) {
    if (channel.name.size() > 0xffff || channel.unit.size() > 0xffff ||
        channel.label.size() > 0xffff) {
      return refuse(channel, "a name, unit or displayName is too long");
    }
    text_bytes_ += channel.name.size() + channel.unit.size() + channel.label.size();
    if (text_bytes_ > max_dtdl_bytes) {
      return fail(ExitCode::malformed, "dtdl: the names of its telemetries are too long");
    }
    if (!names_.insert(channel.name).second) return refuse(channel, "the name is given twice");
    if (schema_.channels.size() >= max_channels) {
      return fail(ExitCode::malformed,
                  "dtdl: more than " + decimal(std::uint64_t{max_channels}) + " telemetries");
    }
    schema_.channels.push_back(std::move(channel));
    return {};
  }

  static Status refuse(const Channel& channel, const std::string& why) {
    return fail(ExitCode::malformed, "dtdl: telemetry " + quote(channel.name) + ": " + why);
  }

  Schema& schema_;
  std::unordered_map<std::string_view, dom::element> named_;
  std::unordered_set<std::string> names_;
  std::size_t fields_seen_ = 0;
  std::size_t text_bytes_ = 0;
};

std::optional<dom::element> find_interface(dom::element document) {
  if (has_type(document, "Interface")) return document;
  dom::array list;
  if (document.get(list) != simdjson::SUCCESS) return std::nullopt;
  for (const dom::element one : list) {
    if (has_type(one, "Interface")) return one;
  }
  return std::nullopt;
}

}  // namespace

Result<Schema> parse_dtdl(ByteView json, const std::string& source_name) {
  if (json.size() > max_dtdl_bytes) {
    return fail(ExitCode::malformed, "dtdl: more than 4 MiB");
  }
  dom::parser parser;
  dom::element document;
  const simdjson::padded_string text(as_text(json));
  if (const auto error = parser.parse(text).get(document)) {
    return fail(ExitCode::malformed, std::string("dtdl: ") + describe_json_error(error));
  }
  const auto interface = find_interface(document);
  if (!interface) {
    return fail(ExitCode::malformed, "dtdl: no object with \"@type\": \"Interface\"");
  }
  Schema schema;
  schema.source_name = source_name;
  TWINCHAIN_TRY(InterfaceReader(schema).read(*interface));
  return schema;
}

}  // namespace twinchain::record
