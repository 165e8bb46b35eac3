#include "twinchain/ledger/ots_digest.hpp"

#include "twinchain/crypto/digests.hpp"
#include "twinchain/sys/fd.hpp"

namespace twinchain::ledger {
namespace {

PiecewiseDigest::Kind digest_kind(OtsOperation operation) {
  switch (operation) {
    case OtsOperation::sha1:
      return PiecewiseDigest::Kind::sha1;
    case OtsOperation::ripemd160:
      return PiecewiseDigest::Kind::ripemd160;
    case OtsOperation::keccak256:
      return PiecewiseDigest::Kind::keccak256;
    default:
      return PiecewiseDigest::Kind::sha256;
  }
}

}  // namespace

Result<Bytes> ots_digest(int fd, OtsOperation operation,
                         const std::function<void(std::uint64_t)>& progress) {
  PiecewiseDigest digest(digest_kind(operation));
  Bytes buffer(std::size_t{1} << 20);
  for (std::uint64_t done_bytes = 0;;) {
    auto size = read_some(fd, buffer);
    if (!size) return pass(size);
    if (*size == 0) return digest.finish();
    digest.update(ByteView(buffer).first(*size));
    progress(done_bytes += *size);
  }
}

}  // namespace twinchain::ledger
