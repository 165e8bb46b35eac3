#include "twinchain/ledger/ots.hpp"

#include <algorithm>
#include <optional>
#include <tuple>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/crypto/digests.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace twinchain::ledger {
namespace {

constexpr std::array<std::uint8_t, 31> magic{
    0x00, 'O', 'p', 'e', 'n', 'T', 'i', 'm',  'e',  's',  't',  'a',  'm',  'p',  's', 0x00,
    0x00, 'P', 'r', 'o', 'o', 'f', 0,   0xbf, 0x89, 0xe2, 0xe8, 0x84, 0xe8, 0x92, 0x94};
constexpr std::uint8_t major_version = 1;
constexpr std::uint8_t attestation_mark = 0x00;
constexpr std::uint8_t fork_mark = 0xff;
constexpr std::size_t max_hexlify_bytes = 2048;
constexpr std::size_t max_payload_bytes = 8192;
constexpr std::size_t max_uri_bytes = 1000;
constexpr unsigned max_depth = 256;

using Tag = std::array<std::uint8_t, 8>;
struct KnownTag {
  Tag tag;
  OtsAttestation::Kind kind;
};
constexpr std::array<KnownTag, 4> known_tags{{
    {{0x05, 0x88, 0x96, 0x0d, 0x73, 0xd7, 0x19, 0x01}, OtsAttestation::Kind::bitcoin},
    {{0x06, 0x86, 0x9a, 0x0d, 0x73, 0xd7, 0x1b, 0x45}, OtsAttestation::Kind::litecoin},
    {{0x30, 0xfe, 0x80, 0x87, 0xb5, 0xc7, 0xea, 0xd7}, OtsAttestation::Kind::ethereum},
    {{0x83, 0xdf, 0xe3, 0x0d, 0x2e, 0xf9, 0x0c, 0x8e}, OtsAttestation::Kind::pending},
}};

std::optional<OtsOperation> known_operation(std::uint8_t tag) {
  const auto operation = static_cast<OtsOperation>(tag);
  switch (operation) {
    case OtsOperation::sha1:
    case OtsOperation::ripemd160:
    case OtsOperation::sha256:
    case OtsOperation::keccak256:
    case OtsOperation::append:
    case OtsOperation::prepend:
    case OtsOperation::reverse:
    case OtsOperation::hexlify:
      return operation;
  }
  return std::nullopt;
}

/// Of the operations that hash a file; 0 for the others.
std::size_t digest_bytes(OtsOperation operation) {
  switch (operation) {
    case OtsOperation::sha1:
    case OtsOperation::ripemd160:
      return 20;
    case OtsOperation::sha256:
    case OtsOperation::keccak256:
      return 32;
    default:
      return 0;
  }
}

bool has_argument(OtsOperation operation) {
  return operation == OtsOperation::append || operation == OtsOperation::prepend;
}

template <class Hash>
Bytes bytes_of(const Hash& hash) {
  return Bytes(hash.begin(), hash.end());
}

/// The message after an operation; the limits are the caller's to check.
Bytes apply(OtsOperation operation, ByteView argument, ByteView message) {
  switch (operation) {
    case OtsOperation::sha1:
      return bytes_of(sha1(message));
    case OtsOperation::ripemd160:
      return bytes_of(ripemd160(message));
    case OtsOperation::sha256:
      return bytes_of(sha256(message));
    case OtsOperation::keccak256:
      return bytes_of(keccak256(message));
    case OtsOperation::append:
    case OtsOperation::prepend: {
      const bool after = operation == OtsOperation::append;
      Bytes joined;
      joined.reserve(message.size() + argument.size());
      append(joined, after ? message : argument);
      append(joined, after ? argument : message);
      return joined;
    }
    case OtsOperation::reverse:
      return Bytes(message.rbegin(), message.rend());
    case OtsOperation::hexlify: {
      const std::string text = to_hex(message);
      return Bytes(text.begin(), text.end());
    }
  }
  return {};
}

bool uri_character(std::uint8_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '/' || c == ':';
}

class Parser {
 public:
  explicit Parser(ByteView file) : in_(file) {}

  Result<OtsProof> run() {
    if (in_.read_array<magic.size()>() != magic || !in_.ok()) {
      return bad(0, "not an OpenTimestamps proof");
    }
    const std::size_t version_at = in_.offset();
    const auto version = read_integer();
    if (!version) return bad(version_at, "the file ends inside its version");
    if (*version != major_version) {
      return bad(version_at, "version " + decimal(*version) + " is not known");
    }
    OtsProof proof;
    const std::size_t hash_at = in_.offset();
    const auto operation = known_operation(in_.read_le<std::uint8_t>());
    if (!in_.ok() || !operation || digest_bytes(*operation) == 0) {
      return bad(hash_at, "the file's hash is of no known kind");
    }
    proof.file_hash = *operation;
    proof.digest = bytes_of(in_.read_view(digest_bytes(*operation)));
    if (!in_.ok()) return bad(in_.offset(), "the file ends inside the digest");
    if (auto status = read_node(proof.digest, proof.items, 0); !status) return pass(status);
    if (!in_.at_end()) return bad(in_.offset(), "bytes after the end of the proof");
    return proof;
  }

 private:
  static std::unexpected<Error> bad(std::size_t at, const std::string& what) {
    return fail(ExitCode::malformed, "ots: byte " + decimal(std::uint64_t{at}) + ": " + what);
  }

  /// LEB128, at most 64 bits.
  std::optional<std::uint64_t> read_integer() { return read_integer_from(in_); }
  static std::optional<std::uint64_t> read_integer_from(ByteCursor& in) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = in.read_le<std::uint8_t>();
      if (!in.ok()) return std::nullopt;
      const std::uint64_t bits = byte & 0x7f;
      if (shift == 63 && bits > 1) return std::nullopt;
      value |= bits << shift;
      if ((byte & 0x80) == 0) return value;
    }
    return std::nullopt;
  }

  Result<ByteView> read_varbytes(std::size_t min, std::size_t max, const char* what) {
    const std::size_t at = in_.offset();
    const auto size = read_integer();
    if (!size) return bad(at, std::string("the size of ") + what + " cannot be read");
    if (*size < min || *size > max) {
      return bad(at, std::string(what) + " of " + decimal(*size) + " bytes; " +
                         decimal(std::uint64_t{min}) + " to " + decimal(std::uint64_t{max}) +
                         " are allowed");
    }
    const ByteView bytes = in_.read_view(static_cast<std::size_t>(*size));
    if (!in_.ok()) return bad(at, std::string("the file ends inside ") + what);
    return bytes;
  }

  Status read_node(ByteView message, std::vector<OtsItem>& items, unsigned depth) {
    if (depth == max_depth) return bad(in_.offset(), "operations more than 256 deep");
    while (true) {
      const std::size_t at = in_.offset();
      auto tag = in_.read_le<std::uint8_t>();
      const bool more = in_.ok() && tag == fork_mark;
      if (more) tag = in_.read_le<std::uint8_t>();
      if (!in_.ok()) return bad(at, "the file ends where an operation should be");
      OtsItem item;
      TWINCHAIN_TRY(tag == attestation_mark ? read_attestation(item)
                                            : read_operation(at, tag, message, item, depth));
      items.push_back(std::move(item));
      if (!more) return {};
    }
  }

  Status read_operation(std::size_t at, std::uint8_t tag, ByteView message, OtsItem& item,
                        unsigned depth) {
    const auto operation = known_operation(tag);
    if (!operation) return bad(at, "operation 0x" + to_hex(ByteView(&tag, 1)) + " is not known");
    item.operation = *operation;
    if (has_argument(*operation)) {
      auto argument = read_varbytes(1, max_ots_message_bytes, "an argument");
      if (!argument) return pass(argument);
      item.argument = bytes_of(*argument);
    }
    const bool hexlify = *operation == OtsOperation::hexlify;
    if (message.size() > (hexlify ? max_hexlify_bytes : max_ots_message_bytes) ||
        message.size() + item.argument.size() > max_ots_message_bytes) {
      return bad(at, "the message gets longer than " +
                         decimal(std::uint64_t{max_ots_message_bytes}) + " bytes");
    }
    work_bytes_ += message.size() + item.argument.size();
    if (work_bytes_ > max_ots_work_bytes) return bad(at, "more to compute than a proof may ask");
    return read_node(apply(*operation, item.argument, message), item.next, depth + 1);
  }

  Status read_attestation(OtsItem& item) {
    item.is_attestation = true;
    OtsAttestation& attestation = item.attestation;
    const std::size_t at = in_.offset();
    attestation.tag = in_.read_array<8>();
    if (!in_.ok()) return bad(at, "the file ends inside an attestation");
    auto payload = read_varbytes(0, max_payload_bytes, "an attestation");
    if (!payload) return pass(payload);
    attestation.payload = bytes_of(*payload);
    for (const KnownTag& known : known_tags) {
      if (known.tag == attestation.tag) attestation.kind = known.kind;
    }
    ByteCursor inside(*payload);
    switch (attestation.kind) {
      case OtsAttestation::Kind::bitcoin:
      case OtsAttestation::Kind::litecoin:
      case OtsAttestation::Kind::ethereum: {
        const auto height = read_integer_from(inside);
        if (!height || !inside.at_end()) return bad(at, "an attestation's height cannot be read");
        attestation.height = *height;
        return {};
      }
      case OtsAttestation::Kind::pending: {
        const auto size = read_integer_from(inside);
        if (!size || *size > max_uri_bytes || *size != inside.remaining()) {
          return bad(at, "a calendar's address cannot be read");
        }
        const ByteView uri = inside.read_view(inside.remaining());
        if (!std::all_of(uri.begin(), uri.end(), uri_character)) {
          return bad(at, "a calendar's address has a character that it may not have");
        }
        attestation.uri = as_text(uri);
        return {};
      }
      case OtsAttestation::Kind::unknown:
        return {};
    }
    return {};
  }

  ByteCursor in_;
  std::size_t work_bytes_ = 0;
};

void append_integer(Bytes& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::uint8_t>(value | 0x80));
  out.push_back(static_cast<std::uint8_t>(value));
}

void append_varbytes(Bytes& out, ByteView bytes) {
  append_integer(out, bytes.size());
  append(out, bytes);
}

void append_node(Bytes& out, const std::vector<OtsItem>& items) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    const OtsItem& item = items[i];
    if (i + 1 < items.size()) out.push_back(fork_mark);
    if (item.is_attestation) {
      out.push_back(attestation_mark);
      append(out, item.attestation.tag);
      append_varbytes(out, item.attestation.payload);
      continue;
    }
    out.push_back(static_cast<std::uint8_t>(item.operation));
    if (has_argument(item.operation)) append_varbytes(out, item.argument);
    append_node(out, item.next);
  }
}

/// As the reference client compares: attestations by tag, then those of one kind by what they say
/// (heights as numbers); operations by tag and argument.
bool before(const OtsItem& a, const OtsItem& b) {
  if (a.is_attestation != b.is_attestation) return a.is_attestation;
  if (!a.is_attestation)
    return std::tie(a.operation, a.argument) < std::tie(b.operation, b.argument);
  const OtsAttestation& x = a.attestation;
  const OtsAttestation& y = b.attestation;
  return std::tie(x.tag, x.height, x.uri, x.payload) < std::tie(y.tag, y.height, y.uri, y.payload);
}

void sort_items(std::vector<OtsItem>& items) {
  std::sort(items.begin(), items.end(), before);
  for (OtsItem& item : items) sort_items(item.next);
}

void walk(const std::vector<OtsItem>& items, ByteView message,
          const std::function<void(const OtsAttestation&, ByteView)>& visit) {
  for (const OtsItem& item : items) {
    if (item.is_attestation) {
      visit(item.attestation, message);
    } else {
      walk(item.next, apply(item.operation, item.argument, message), visit);
    }
  }
}

}  // namespace

OtsAttestation ots_block_attestation(OtsAttestation::Kind kind, std::uint64_t height) {
  OtsAttestation attestation;
  attestation.kind = kind;
  attestation.height = height;
  for (const KnownTag& known : known_tags) {
    if (known.kind == kind) attestation.tag = known.tag;
  }
  append_integer(attestation.payload, height);
  return attestation;
}

Result<OtsProof> parse_ots(ByteView file) {
  if (file.size() > max_ots_file_bytes) {
    return fail(ExitCode::malformed, "ots: larger than a proof may be");
  }
  return Parser(file).run();
}

Bytes serialize_ots(const OtsProof& proof) {
  Bytes out;
  append(out, magic);
  out.push_back(major_version);
  out.push_back(static_cast<std::uint8_t>(proof.file_hash));
  append(out, proof.digest);
  append_node(out, proof.items);
  return out;
}

void sort_ots(OtsProof& proof) {
  sort_items(proof.items);
}

void for_each_attestation(const OtsProof& proof,
                          const std::function<void(const OtsAttestation&, ByteView)>& visit) {
  walk(proof.items, proof.digest, visit);
}

bool ots_is_of(const OtsProof& proof, ByteView file) {
  return apply(proof.file_hash, {}, file) == proof.digest;
}

bool ots_message_is_root(ByteView message, const Hash256& merkle_root) {
  return std::equal(message.begin(), message.end(), merkle_root.begin(), merkle_root.end());
}

}  // namespace twinchain::ledger
