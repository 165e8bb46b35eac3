#include <doctest/doctest.h>

#include "twinchain/base/text.hpp"
#include "twinchain/record/row_parser.hpp"

namespace twinchain::record {
namespace {

/// An interface around these contents.
std::string interface(const std::string& contents, const std::string& more = "") {
  return R"({"@context": "dtmi:dtdl:context;3", "@id": "dtmi:com:example:Lorry;1", "@type": "Interface")" +
         more + R"(, "contents": [)" + contents + "]}";
}

std::string telemetry(const std::string& name, const std::string& schema) {
  return R"({"@type": "Telemetry", "name": ")" + name + R"(", "schema": )" + schema + "}";
}

std::vector<Channel> read(const std::string& json) {
  const auto schema = parse_dtdl(as_bytes(json), "lorry");
  if (!schema) FAIL(schema.error().message);
  CHECK(schema->source_name == "lorry");
  return schema->channels;
}

std::string error(const std::string& json) {
  const auto schema = parse_dtdl(as_bytes(json), "lorry");
  if (schema) return "read";
  CHECK(schema.error().code == ExitCode::malformed);
  return schema.error().message;
}

TEST_CASE("dtdl: the primitive schemas") {
  const auto type = [](const std::string& name) {
    const auto channels = read(interface(telemetry("x", '"' + name + '"')));
    REQUIRE(channels.size() == 1);
    CHECK(channels[0].name == "x");
    return channels[0].type;
  };
  for (const char* name : {"double", "float", "dtmi:dtdl:instance:Schema:double;3"}) {
    CHECK(type(name) == ValueType::f64);
  }
  for (const char* name : {"integer", "long", "dtmi:dtdl:instance:Schema:long;2"}) {
    CHECK(type(name) == ValueType::i64);
  }
  CHECK(type("boolean") == ValueType::boolean);
  for (const char* name : {"string", "date", "dateTime", "time", "duration"}) {
    CHECK(type(name) == ValueType::string);
  }
}

TEST_CASE("dtdl: enumerations, objects, and schemas with a name") {
  const std::string shared =
      R"(, "schemas": [{"@id": "dtmi:x:State;1", "@type": "Enum", "valueSchema": "integer",
                        "enumValues": [{"name": "off", "enumValue": 0}]},
                       {"@id": "dtmi:x:Point;1", "@type": "Object", "fields": [
                         {"name": "x", "schema": "double", "unit": "metre"},
                         {"name": "at", "schema": "dateTime", "displayName": "When"}]}])";
  const auto channels = read(interface(
      telemetry("state", "\"dtmi:x:State;1\"") + "," + telemetry("p", "\"dtmi:x:Point;1\"") + "," +
          telemetry("mode", R"({"@type": "Enum", "valueSchema": "string", "enumValues": []})") +
          "," + telemetry("o", R"({"@type": "Object", "fields": [{"name": "in", "schema":
              {"@type": ["Object", "Other"], "fields": [{"name": "b", "schema": "boolean"}]}}]})"),
      shared));
  CHECK(channels == std::vector<Channel>{{"state", ValueType::i64, "", ""},
                                         {"p.x", ValueType::f64, "metre", ""},
                                         {"p.at", ValueType::string, "", "When"},
                                         {"mode", ValueType::string, "", ""},
                                         {"o.in.b", ValueType::boolean, "", ""}});
  // One schema need not stand in an array.
  CHECK(read(interface(telemetry("s", "\"dtmi:x:One;1\""),
                       R"(, "schemas": {"@id": "dtmi:x:One;1", "@type": "Enum",
                                        "valueSchema": "string"})"))[0]
            .type == ValueType::string);
}

TEST_CASE("dtdl: units and display names") {
  const auto channels = read(interface(
      R"({"@type": ["Telemetry", "Temperature"], "name": "temp", "schema": "double",
          "unit": "degreeCelsius", "displayName": {"de": "Temperatur", "en": "temperature"}},
         {"@type": "Telemetry", "name": "a", "schema": "double", "displayName": "plain"},
         {"@type": "Telemetry", "name": "b", "schema": "double", "displayName": {"de": "nur"}},
         {"@type": "Telemetry", "name": "c", "schema": "double", "displayName": {"en-GB": "kerb"}},
         {"@type": "Telemetry", "name": "d", "schema": "double", "displayName": 5, "unit": 6})"));
  REQUIRE(channels.size() == 5);
  CHECK(channels[0] == Channel{"temp", ValueType::f64, "degreeCelsius", "temperature"});
  CHECK(channels[1].label == "plain");
  CHECK(channels[2].label == "nur");
  CHECK(channels[3].label == "kerb");
  CHECK(channels[4] == Channel{"d", ValueType::f64, "", ""});
}

TEST_CASE("dtdl: what is not telemetry is left out, and an array of models is searched") {
  const std::string model = interface(
      R"({"@type": "Property", "name": "serial", "schema": "string"},
         {"@type": "Command", "name": "reboot"},
         {"@type": "Relationship", "name": "drives"},
         {"@type": "Component", "name": "gps", "schema": "dtmi:x:Gps;1"},)" +
      telemetry("speed", "\"double\""));
  CHECK(read(model).size() == 1);
  CHECK(read("[{\"@type\": \"Ontology\"}, 5, " + model + ", " + interface("") + "]").size() == 1);
  CHECK(read(interface("")).empty());
  CHECK(read(R"({"@context": ["dtmi:dtdl:extension;1", "dtmi:dtdl:context;3"],
                 "@type": "Interface"})")
            .empty());
  // One content need not stand in an array.
  CHECK(read(R"({"@context": "dtmi:dtdl:context;3", "@type": "Interface", "contents": )" +
             telemetry("x", "\"double\"") + "}")
            .size() == 1);
}

TEST_CASE("dtdl: what is refused") {
  CHECK(error("").starts_with("dtdl: malformed json: "));
  CHECK(error("{").starts_with("dtdl: malformed json: "));
  CHECK(error("{} {}").starts_with("dtdl: malformed json: "));
  CHECK(error("\xff\xfe{").starts_with("dtdl: malformed json: "));
  CHECK(
      error(std::string(5000, '[') + std::string(5000, ']')).starts_with("dtdl: malformed json: "));
  const std::string no_interface = "dtdl: no object with \"@type\": \"Interface\"";
  for (const char* json :
       {"{}", "[]", "5", "\"x\"", "null", "[[{\"@type\": \"Interface\"}]]",
        "{\"@type\": \"Telemetry\"}", "{\"@type\": 5}", "{\"@type\": [5, {}]}"}) {
    CAPTURE(json);
    CHECK(error(json) == no_interface);
  }
  CHECK(error("{\"@type\": \"Interface\"}") == "dtdl: the interface has no \"dtmi:dtdl:context\"");
  CHECK(error(R"({"@type": "Interface", "@context": "http://schema.org"})") ==
        "dtdl: the interface has no \"dtmi:dtdl:context\"");
  CHECK(error(interface(R"({"@type": "Telemetry", "schema": "double"})")) ==
        "dtdl: a telemetry has no name");
  CHECK(error(interface(telemetry("", "\"double\""))) == "dtdl: a telemetry has no name");
  CHECK(error(interface(R"({"@type": "Telemetry", "name": "x"})")) ==
        "dtdl: telemetry \"x\" has no schema");
  const auto with_schema = [](const std::string& schema) {
    return error(interface(telemetry("x", schema)));
  };
  CHECK(with_schema("\"decimal\"") == "dtdl: telemetry \"x\": schema \"decimal\" is not known");
  CHECK(with_schema("\"dtmi:x:Gone;1\"") ==
        "dtdl: telemetry \"x\": schema \"dtmi:x:Gone;1\" is not known");
  const std::string neither =
      "dtdl: telemetry \"x\": its schema is neither a primitive, an Enum nor an Object";
  CHECK(with_schema("5") == neither);
  CHECK(with_schema("null") == neither);
  CHECK(with_schema(R"({"@type": "Set"})") == neither);
  CHECK(with_schema(R"({"@type": "Array", "elementSchema": "double"})")
            .starts_with("dtdl: telemetry \"x\": a schema of type Array has no fixed channels"));
  CHECK(with_schema(R"({"@type": "Map"})")
            .starts_with("dtdl: telemetry \"x\": a schema of type Map has no fixed channels"));
  CHECK(with_schema(R"({"@type": "Enum"})") ==
        "dtdl: telemetry \"x\": an Enum needs a valueSchema of integer or string");
  CHECK(with_schema(R"({"@type": "Enum", "valueSchema": "double"})") ==
        "dtdl: telemetry \"x\": an Enum needs a valueSchema of integer or string");
  CHECK(with_schema(R"({"@type": "Object"})") == "dtdl: telemetry \"x\": an Object needs fields");
  CHECK(with_schema(R"({"@type": "Object", "fields": [{"schema": "double"}]})") ==
        "dtdl: telemetry \"x\": a field has no name");
  CHECK(with_schema(R"({"@type": "Object", "fields": [{"name": "y"}]})") ==
        "dtdl: telemetry \"x.y\" has no schema");
  CHECK(error(interface(telemetry("x", "\"double\"") + "," + telemetry("x", "\"long\""))) ==
        "dtdl: telemetry \"x\": the name is given twice");
  CHECK(error(interface(telemetry("x", R"({"@type": "Object", "fields": [
                                       {"name": "y", "schema": "double"}]})") +
                        "," + telemetry("x.y", "\"long\""))) ==
        "dtdl: telemetry \"x.y\": the name is given twice");
  CHECK(error(interface(telemetry(std::string(65'536, 'x'), "\"double\""))).ends_with("too long"));
  CHECK(error(std::string((std::size_t{4} << 20) + 1, ' ')) == "dtdl: more than 4 MiB");
}

TEST_CASE("dtdl: objects are nested 8 deep, not more") {
  const auto nested = [](int depth) {
    std::string schema = "\"double\"";
    for (int i = 0; i < depth; ++i) {
      schema = R"({"@type": "Object", "fields": [{"name": "n", "schema": )" + schema + "}]}";
    }
    return interface(telemetry("x", schema));
  };
  CHECK(read(nested(8))[0].name == "x.n.n.n.n.n.n.n.n");
  CHECK(error(nested(9)).ends_with(": objects are nested too deep"));
  // A schema that names itself.
  CHECK(error(interface(telemetry("x", "\"dtmi:x:Loop;1\""),
                        R"(, "schemas": [{"@id": "dtmi:x:Loop;1", "@type": "Object", "fields": [
                           {"name": "n", "schema": "dtmi:x:Loop;1"}]}])"))
            .ends_with(": objects are nested too deep"));
}

/// A few hundred bytes that say a hundred million times the same must not cost as much.
TEST_CASE("dtdl: schemas that unfold without end") {
  const auto unfolding = [](const std::string& last) {
    std::string schemas = ", \"schemas\": [";
    for (int level = 0; level < 7; ++level) {
      const std::string next = "dtmi:x:L" + decimal(std::int64_t{level + 1}) + ";1";
      schemas += R"({"@id": "dtmi:x:L)" + decimal(std::int64_t{level}) +
                 R"(;1", "@type": "Object", "fields": [)";
      for (int i = 0; i < 30; ++i) {
        if (i > 0) schemas += ",";
        schemas += R"({"name": "f)" + decimal(std::int64_t{i}) + R"(", "schema": ")" + next + "\"}";
      }
      schemas += "]},";
    }
    return schemas + R"({"@id": "dtmi:x:L7;1", "@type": "Object", "fields": [)" + last + "]}]";
  };
  for (const char* last : {"", R"({"name": "v", "schema": "double"})"}) {
    CHECK(error(interface(telemetry("x", "\"dtmi:x:L0;1\""), unfolding(last)))
              .ends_with(": its objects have too many fields"));
  }
  // Short of that many, but with long names.
  const std::string name(5000, 'n');
  std::string fields;
  for (int i = 0; i < 40; ++i) {
    if (i > 0) fields += ",";
    fields += R"({"name": ")" + name + decimal(std::int64_t{i}) + R"(", "schema": "dtmi:x:In;1"})";
  }
  std::string inner;
  for (int i = 0; i < 100; ++i) {
    if (i > 0) inner += ",";
    inner += R"({"name": ")" + decimal(std::int64_t{i}) + R"(", "schema": "double"})";
  }
  CHECK(error(interface(telemetry("x", R"({"@type": "Object", "fields": [)" + fields + "]}"),
                        R"(, "schemas": [{"@id": "dtmi:x:In;1", "@type": "Object", "fields": [)" +
                            inner + "]}]")) == "dtdl: the names of its telemetries are too long");
}

}  // namespace
}  // namespace twinchain::record
