// A small JSON reader for published test vectors, which are trusted.
#pragma once

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace test {

/// Strings and the text of numbers, true, false, null are in `text`.
struct Json {
  std::string text;
  std::vector<Json> items;
  std::map<std::string, Json> members;

  [[nodiscard]] const Json& at(const std::string& name) const { return members.at(name); }
  [[nodiscard]] bool has(const std::string& item) const {
    for (const Json& one : items) {
      if (one.text == item) return true;
    }
    return false;
  }
};

class JsonReader {
 public:
  explicit JsonReader(std::string text) : text_(std::move(text)) {}
  Json read() {
    Json value;
    switch (next()) {
      case '{':
        ++at_;
        while (next() != '}') {
          const std::string name = read_string();
          next();
          ++at_;  // the colon
          value.members[name] = read();
          if (next() == ',') ++at_;
        }
        ++at_;
        break;
      case '[':
        ++at_;
        while (next() != ']') {
          value.items.push_back(read());
          if (next() == ',') ++at_;
        }
        ++at_;
        break;
      case '"':
        value.text = read_string();
        break;
      default: {
        const std::size_t end = text_.find_first_of(",]} \n\r\t", at_);
        value.text = text_.substr(at_, end - at_);
        at_ = end;
      }
    }
    return value;
  }

 private:
  char next() {
    at_ = text_.find_first_not_of(" \n\r\t", at_);
    return text_.at(at_);
  }
  std::string read_string() {
    next();
    std::string out;
    for (++at_; text_.at(at_) != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;  // the vectors escape nothing but quotes and slashes
      out += text_[at_];
    }
    ++at_;
    return out;
  }

  std::string text_;
  std::size_t at_ = 0;
};

/// The file below TWINCHAIN_SHARED (default ../shared beside the checkout); nothing when missing.
inline std::optional<Json> read_vectors(const std::string& name) {
  const char* shared = std::getenv("TWINCHAIN_SHARED");
  const std::string folder = shared != nullptr ? shared : "../shared";
  std::ifstream in(folder + "/vectors/" + name);
  if (!in) return std::nullopt;
  return JsonReader(std::string(std::istreambuf_iterator<char>(in), {})).read();
}

}  // namespace test
