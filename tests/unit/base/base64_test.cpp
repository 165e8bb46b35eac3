#include "twinchain/base/base64.hpp"

#include <doctest/doctest.h>

using namespace twinchain;

TEST_CASE("base64: the vectors of RFC 4648 section 10, both ways") {
  const std::pair<std::string_view, std::string_view> vectors[] = {{"", ""},
                                                                   {"f", "Zg=="},
                                                                   {"fo", "Zm8="},
                                                                   {"foo", "Zm9v"},
                                                                   {"foob", "Zm9vYg=="},
                                                                   {"fooba", "Zm9vYmE="},
                                                                   {"foobar", "Zm9vYmFy"}};
  for (const auto& [text, encoded] : vectors) {
    CHECK(to_base64(as_bytes(text)) == encoded);
    const auto decoded = from_base64(encoded);
    REQUIRE(decoded);
    CHECK(as_text(*decoded) == text);
  }
}

TEST_CASE("base64: every byte value comes back, in each of the three places") {
  Bytes bytes;
  for (int i = 0; i < 256 * 3 + 1; ++i) bytes.push_back(static_cast<std::uint8_t>(i * 7 / 3));
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    const auto decoded = from_base64(to_base64(ByteView(bytes).first(size)));
    REQUIRE(decoded);
    REQUIRE(std::equal(decoded->begin(), decoded->end(), bytes.begin(),
                       bytes.begin() + static_cast<std::ptrdiff_t>(size)));
  }
}

TEST_CASE("base64: one text for each value, nothing else") {
  for (const std::string_view text : {"Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z===", "====", "=Zg=",
                                      "Zg==Zg==", "Zm9v\n", " Zm9v", "Zm-v", "Zm_v", "Zm9v===="}) {
    CAPTURE(text);
    CHECK_FALSE(from_base64(text));
  }
}
