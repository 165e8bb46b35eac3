// Writes a twin stream of one LINK frame of each of many recorders, for `anchor --fleet`, which
// looks at nothing else. The links have the right form and no valid signature.
//
// usage: make_fleet COUNT > FILE

#include <unistd.h>

#include <cstdio>

#include "twinchain/base/text.hpp"
#include "twinchain/chain/link.hpp"
#include "twinchain/stream/writer.hpp"

int main(int argc, char** argv) {
  using namespace twinchain;
  const auto count = parse_decimal(argc == 2 ? argv[1] : "");
  if (!count) {
    std::fputs("usage: make_fleet COUNT\n", stderr);
    return 2;
  }
  StreamWriter writer(STDOUT_FILENO);
  for (std::uint64_t i = 0; i < *count; ++i) {
    chain::SignedLink link;
    link.link.source = source_id("recorder-" + decimal(i));
    link.link.window_end_ns = 1'000'000'000;
    const Bytes body = chain::encode_link_body(link);
    if (!writer.write(chain::link_frame_header(link.link), body)) return 1;
  }
  return writer.finish() ? 0 : 1;
}
