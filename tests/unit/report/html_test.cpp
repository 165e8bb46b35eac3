#include "twinchain/report/html.hpp"

#include <doctest/doctest.h>

using namespace twinchain::report;

TEST_CASE("text becomes no markup, neither between tags nor in an attribute") {
  CHECK(html_text("<script>alert('x')</script>") ==
        "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;");
  CHECK(html_text("\" onload=\"x") == "&quot; onload=&quot;x");
  CHECK(html_text("a & b &amp; c") == "a &amp; b &amp;amp; c");
  CHECK(html_text("--><!--") == "--&gt;&lt;!--");
  for (unsigned byte = 0; byte < 256; ++byte) {
    const std::string text = html_text(std::string(1, static_cast<char>(byte)));
    CHECK(text.find_first_of("<>\"'") == std::string::npos);
    CHECK_FALSE(text.empty());
  }
}

TEST_CASE("what cannot be seen, or turns the direction of writing, is shown") {
  using namespace std::string_literals;
  CHECK(html_text("a\0b"s) == "a[U+0000]b");
  CHECK(html_text("tab\tline\n") == "tab[U+0009]line[U+000A]");
  CHECK(html_text("lorry\xe2\x80\xae gpj") == "lorry[U+202E] gpj");
  CHECK(html_text("\xe2\x81\xa6x\xe2\x81\xa9") == "[U+2066]x[U+2069]");
  CHECK(html_text("a\xe2\x80\x8b"
                  "b") == "a[U+200B]b");
  CHECK(html_text("\xc2\x85") == "[U+0085]");
  CHECK(html_text("\xf3\xa0\x81\x81") == "[U+E0041]");
  CHECK(html_text("K\xc3\xbchlung \xe6\xb8\xa9\xe5\xba\xa6 \xf0\x9f\x9a\x9a") ==
        "K\xc3\xbchlung \xe6\xb8\xa9\xe5\xba\xa6 \xf0\x9f\x9a\x9a");
}

TEST_CASE("bytes that are no UTF-8 are named") {
  CHECK(html_text("\xff\xfe") == "[0xFF][0xFE]");
  CHECK(html_text("a\xc0\xbc") == "a[0xC0][0xBC]");
  CHECK(html_text("\xe2\x82") == "[0xE2][0x82]");
  CHECK(html_text("\xed\xa0\x80") == "[0xED][0xA0][0x80]");
}

TEST_CASE("long text is cut, and says so") {
  CHECK(html_text("abcdef", 3) == "abc\xe2\x80\xa6");
  CHECK(html_text("abc", 3) == "abc");
  CHECK(html_text("<<<<", 2) == "&lt;&lt;\xe2\x80\xa6");
}

TEST_CASE("numbers, times and durations for people") {
  CHECK(grouped(0) == "0");
  CHECK(grouped(9999) == "9999");
  CHECK(grouped(12345) ==
        "12\xe2\x80\xaf"
        "345");
  CHECK(grouped(UINT64_MAX).size() == 20 + 6 * 3);
  CHECK(spoken_duration(0) == "0 s");
  CHECK(spoken_duration(1) == "1 ns");
  CHECK(spoken_duration(1'500'000'000) == "1.5 s");
  CHECK(spoken_duration(999'900'000) == "1000 ms");
  CHECK(spoken_duration(125'000'000'000) == "2 min 5 s");
  CHECK(spoken_duration(7'500'000'000'000) == "2 h 5 min");
  CHECK(spoken_duration(INT64_MAX) == "106751 days 23 h");
  CHECK(spoken_duration(INT64_MIN) == "-292 years");
  CHECK(spoken_time(0) == "1970-01-01 00:00:00 UTC");
  CHECK(spoken_time(1'250'000'000) == "1970-01-01 00:00:01.250 UTC");
  CHECK(spoken_time(1'123'456'789) == "1970-01-01 00:00:01.123 UTC");
  CHECK(Html().decimal3(12.5).raw(" ").decimal3(100).raw(" ").decimal3(0.0004).str() ==
        "12.5 100 0");
  CHECK(Html().decimal3(1e300).str() == "1000000000");
  CHECK(Html().counted(1, "window").raw(", ").counted(2, "gap").str() == "1 window, 2 gaps");
}
