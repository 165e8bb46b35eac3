// Any bytes as a twin stream: reading ends, and what comes out has sound CRCs.

#include <algorithm>
#include <cstdlib>

#include "twinchain/base/crc32c.hpp"
#include "twinchain/stream/reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace twinchain;
  ByteView rest(data, size);
  StreamReader reader(
      [&rest](std::span<std::uint8_t> into) -> Result<std::size_t> {
        const std::size_t count = std::min({into.size(), rest.size(), std::size_t{100}});
        std::copy_n(rest.begin(), count, into.begin());
        rest = rest.subspan(count);
        return count;
      },
      StreamReader::Options{});
  std::uint64_t accounted = 0;
  while (true) {
    auto event = reader.next();
    if (!event || event->kind == StreamEventKind::finished) break;
    if (event->kind == StreamEventKind::frame) {
      const Frame& frame = event->frame;
      if (crc32c(frame.body.view()) != frame.header.body_crc) std::abort();
      accounted += frame.size_bytes();
      reader.recycle(std::move(event->frame.body));
    }
  }
  if (accounted > size) std::abort();
  return 0;
}
