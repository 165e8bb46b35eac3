// HTML, written so that untrusted text cannot become markup. Floor 5.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace twinchain::report {

/// Text that is safe between tags and inside a quoted attribute, whoever wrote it: & < > " ' become
/// character references; control characters, those that turn the direction of writing, and those
/// without a width become visible, as "[U+202E]"; bytes that are no UTF-8 become "[0xFF]". At most
/// `max_bytes` of the input are shown, then "…".
std::string html_text(std::string_view untrusted, std::size_t max_bytes = 400);

/// Appends to one string. Markup can only be a literal of this program; everything else goes
/// through html_text().
class Html {
 public:
  template <std::size_t N>
  Html& raw(const char (&literal)[N]) {
    out_.append(literal, N - 1);
    return *this;
  }
  Html& text(std::string_view untrusted, std::size_t max_bytes = 400) {
    out_ += html_text(untrusted, max_bytes);
    return *this;
  }
  /// With a narrow space between groups of three digits from 10,000 on.
  Html& count(std::uint64_t value);
  /// "1 window", "2 windows": `noun` is a literal in the singular that takes an s.
  Html& counted(std::uint64_t value, const char* noun);
  /// Decimals for coordinates and percentages: at most 3 digits after the point.
  Html& decimal3(double value);
  /// A name in an element of its own, so that its direction of writing does not reach its
  /// neighbours.
  Html& name(std::string_view untrusted) { return raw("<bdi>").text(untrusted, 120).raw("</bdi>"); }
  /// Code in a typewriter face; a hash breaks anywhere.
  Html& hash(std::string_view hex) { return raw("<code class=\"hash\">").text(hex).raw("</code>"); }
  Html& time(std::int64_t time_ns);

  Html& append(const Html& other) {
    out_ += other.out_;
    return *this;
  }
  [[nodiscard]] const std::string& str() const { return out_; }
  [[nodiscard]] bool empty() const { return out_.empty(); }
  [[nodiscard]] std::size_t size() const { return out_.size(); }

 private:
  std::string out_;
};

/// "12 345": as Html::count().
std::string grouped(std::uint64_t value);
/// "1,5 h" for people: at most two units, "2 h 5 min", "14.5 s", "20 ms".
std::string spoken_duration(std::int64_t duration_ns);
/// "2026-11-22 14:01:23.260 UTC": milliseconds where there are any; exact times are in the tables.
std::string spoken_time(std::int64_t time_ns);

}  // namespace twinchain::report
