// Signed notes and tree-head checkpoints (C2SP signed-note, tlog-checkpoint, tlog-cosignature).
// Floor 1.
//
//   TEXT, every line ended by \n
//   (an empty line)
//   — NAME BASE64(key id, 4 bytes || signature)      one or more of these lines
//
// Transparency logs and their witnesses exchange heads of trees in this form. Notes are untrusted
// input; signatures by keys that the reader does not know are passed over, as the specification
// asks.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "twinchain/base/result.hpp"
#include "twinchain/crypto/ed25519.hpp"

namespace twinchain {

inline constexpr std::size_t max_note_bytes = 1'000'000;
inline constexpr std::size_t max_note_signatures = 100;

/// What a signature covers: the text alone, or the text under a time (a witness's cosignature).
enum class NoteKeyType : std::uint8_t { ed25519 = 0x01, cosignature = 0x04 };

/// Not empty, UTF-8 without spaces, control characters and '+'.
bool is_note_name(std::string_view name);

struct NoteKey {
  std::string name;  ///< is_note_name()
  NoteKeyType type = NoteKeyType::ed25519;
  PublicKey key{};
  /// First four bytes of SHA256(name || 0x0A || type || key).
  [[nodiscard]] std::array<std::uint8_t, 4> id() const;
  /// "NAME+HEX(id)+BASE64(type || key)", the verifier key of the specification.
  [[nodiscard]] std::string text() const;
};
/// Nothing when malformed, of an unknown type, or the id is not that of the rest.
std::optional<NoteKey> parse_note_key(std::string_view text);

struct NoteSignature {
  std::string name;
  std::array<std::uint8_t, 4> key_id{};
  Bytes signature;  ///< without the key id
};

struct SignedNote {
  std::string text;  ///< ends with \n
  std::vector<NoteSignature> signatures;
};

/// ExitCode::malformed, "note: ...".
Result<SignedNote> parse_note(ByteView bytes);
std::string encode_note(const SignedNote& note);

/// Adds a signature of type ed25519.
void sign_note(SignedNote& note, const std::string& name, const SecretKey& key);
/// Adds a cosignature of type 0x04: the witness saw this head at `time_s` (since 1970).
void cosign_note(SignedNote& note, const std::string& name, const SecretKey& key,
                 std::uint64_t time_s);

struct NoteVerdict {
  std::uint64_t time_s = 0;  ///< of a cosignature; 0 otherwise
};
/// The first good signature by this key. ExitCode::unproven when there is none by it,
/// ExitCode::refuted when one under its name and id is wrong.
Result<NoteVerdict> verify_note(const SignedNote& note, const NoteKey& key);

/// The text of a checkpoint (C2SP tlog-checkpoint): origin, size in decimal, root in base64, then
/// extension lines.
struct Checkpoint {
  std::string origin;  ///< not empty
  std::uint64_t size = 0;
  Hash256 root{};
  std::vector<std::string> extensions;  ///< not empty lines
};
std::string encode_checkpoint(const Checkpoint& checkpoint);
Result<Checkpoint> parse_checkpoint(std::string_view text);

/// A head with the proof that one leaf is in its tree (C2SP tlog-proof).
struct TlogProof {
  std::string extra;  ///< "extra" line's data, decoded; empty: no such line
  std::uint64_t index = 0;
  std::vector<Hash256> path;
  SignedNote checkpoint;
};
std::string encode_tlog_proof(const TlogProof& proof);
Result<TlogProof> parse_tlog_proof(ByteView bytes);

/// A head with the proof that its tree continues an older one (C2SP tlog-witness: the body of an
/// add-checkpoint request).
struct ConsistencyProof {
  std::uint64_t old_size = 0;
  std::vector<Hash256> hashes;
  SignedNote checkpoint;
};
std::string encode_consistency_proof(const ConsistencyProof& proof);
Result<ConsistencyProof> parse_consistency_proof(ByteView bytes);

}  // namespace twinchain
