// Key files of both kinds.

#include <cstdint>

#include "require.hpp"
#include "twinchain/chain/keys.hpp"

using namespace twinchain;
using namespace twinchain::chain;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView text(data, size);
  const auto secret = parse_secret_key(text);
  const auto published = parse_public_key(text);
  require(!secret || !published);
  if (secret) {
    const PublicKeyFile file{secret->name, {public_epoch(*secret)}};
    const auto again = parse_public_key(as_bytes(encode_public_key(file)));
    require(again && again->name == secret->name && again->epochs == file.epochs);
  }
  if (published) {
    require(!published->epochs.empty());
    const auto again = parse_public_key(as_bytes(encode_public_key(*published)));
    require(again && again->name == published->name && again->epochs == published->epochs);
  }
  return 0;
}
