// Any text as the parameters of a network: refused with one line, or a network that can be written
// and read back, whose genesis block is a block.

#include <cstdlib>

#include "twinchain/net/chain_parameters.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace twinchain;
  const auto parameters = net::parse_parameters(ByteView(data, size));
  if (!parameters) {
    if (parameters.error().code != ExitCode::usage) std::abort();
    if (parameters.error().message.find_first_of("\n\r\x1b") != std::string::npos) std::abort();
    return 0;
  }
  const std::string text = net::format_parameters(*parameters);
  const auto again = net::parse_parameters(as_bytes(text));
  if (!again || *again != *parameters) std::abort();
  if (!bitcoin::check_block(net::genesis_block(*parameters))) std::abort();
  return 0;
}
