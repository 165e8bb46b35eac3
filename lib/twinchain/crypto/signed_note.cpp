#include "twinchain/crypto/signed_note.hpp"

#include <algorithm>

#include "twinchain/base/base64.hpp"
#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace twinchain {
namespace {

constexpr std::string_view signature_mark = "\xe2\x80\x94 ";  // an em dash and a space
constexpr std::string_view proof_magic = "c2sp.org/tlog-proof@v1";
constexpr std::size_t max_path_hashes = 64;

std::unexpected<Error> bad(const std::string& what) {
  return fail(ExitCode::malformed, "note: " + what);
}

/// UTF-8 without control characters but the line end.
bool valid_text(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 0x80) {
      if ((byte < 0x20 && byte != '\n') || byte == 0x7f) return false;
      ++at;
      continue;
    }
    const std::size_t size = utf8_sequence_bytes(text, at);
    if (size == 0) return false;
    at += size;
  }
  return true;
}

/// "cosignature/v1\ntime T\n" and the text: what a witness signs.
std::string cosigned_text(std::uint64_t time_s, std::string_view text) {
  return "cosignature/v1\ntime " + decimal(time_s) + "\n" + std::string(text);
}

Result<NoteSignature> parse_signature_line(std::string_view line) {
  if (!line.starts_with(signature_mark)) return bad("a line after the text is no signature");
  line.remove_prefix(signature_mark.size());
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos || !is_note_name(line.substr(0, space))) {
    return bad("a signature without a name");
  }
  const auto blob = from_base64(line.substr(space + 1));
  if (!blob || blob->size() < 5) return bad("a signature that is no base64, or too short");
  NoteSignature signature;
  signature.name = line.substr(0, space);
  std::copy_n(blob->begin(), 4, signature.key_id.begin());
  signature.signature.assign(blob->begin() + 4, blob->end());
  return signature;
}

void add_signature(SignedNote& note, const NoteKey& key, Bytes signature) {
  note.signatures.push_back({key.name, key.id(), std::move(signature)});
}

/// Takes the next line, without its end, off a text; nothing when there is no whole line.
std::optional<std::string_view> take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

/// Decimal without leading zeros, as the specifications ask.
std::optional<std::uint64_t> parse_number(std::string_view text) {
  if (text.size() > 1 && text[0] == '0') return std::nullopt;
  return parse_decimal(text);
}

std::optional<Hash256> parse_hash(std::string_view text) {
  const auto bytes = from_base64(text);
  Hash256 hash{};
  if (!bytes || bytes->size() != hash.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), hash.begin());
  return hash;
}

/// Lines of hashes up to an empty line, which ends them.
Status take_hashes(std::string_view& text, std::vector<Hash256>& hashes) {
  auto line = take_line(text);
  for (; line && !line->empty(); line = take_line(text)) {
    const auto hash = parse_hash(*line);
    if (!hash || hashes.size() == max_path_hashes) return bad("proof with a line that is no hash");
    hashes.push_back(*hash);
  }
  if (!line) return bad("proof without a checkpoint");
  return {};
}

}  // namespace

bool is_note_name(std::string_view name) {
  return !name.empty() && name.find_first_of(" \t\n\r+") == std::string_view::npos &&
         valid_text(name);
}

std::array<std::uint8_t, 4> NoteKey::id() const {
  static constexpr std::uint8_t line_end = 0x0a;
  const auto kind = static_cast<std::uint8_t>(type);
  const Hash256 hash =
      sha256({as_bytes(name), ByteView(&line_end, 1), ByteView(&kind, 1), ByteView(key)});
  std::array<std::uint8_t, 4> id{};
  std::copy_n(hash.begin(), id.size(), id.begin());
  return id;
}

std::string NoteKey::text() const {
  Bytes blob{static_cast<std::uint8_t>(type)};
  append(blob, key);
  return name + "+" + to_hex(id()) + "+" + to_base64(blob);
}

std::optional<NoteKey> parse_note_key(std::string_view text) {
  const std::size_t first = text.find('+');
  if (first == std::string_view::npos || !is_note_name(text.substr(0, first))) return std::nullopt;
  const std::size_t second = text.find('+', first + 1);
  if (second != first + 9) return std::nullopt;
  const auto blob = from_base64(text.substr(second + 1));
  NoteKey key;
  if (!blob || blob->size() != 1 + key.key.size()) return std::nullopt;
  key.name = text.substr(0, first);
  key.type = static_cast<NoteKeyType>(blob->front());
  if (key.type != NoteKeyType::ed25519 && key.type != NoteKeyType::cosignature) return std::nullopt;
  std::copy(blob->begin() + 1, blob->end(), key.key.begin());
  if (text.substr(first + 1, 8) != to_hex(key.id())) return std::nullopt;
  return key;
}

Result<SignedNote> parse_note(ByteView bytes) {
  if (bytes.size() > max_note_bytes) return bad("larger than a note may be");
  const std::string_view whole = as_text(bytes);
  if (!valid_text(whole)) return bad("not UTF-8, or control characters in it");
  const std::size_t blank = whole.rfind("\n\n");
  if (blank == std::string_view::npos) return bad("no empty line before the signatures");
  SignedNote note;
  note.text = whole.substr(0, blank + 1);
  std::string_view rest = whole.substr(blank + 2);
  while (const auto line = take_line(rest)) {
    if (note.signatures.size() == max_note_signatures) return bad("too many signatures");
    auto signature = parse_signature_line(*line);
    if (!signature) return pass(signature);
    note.signatures.push_back(std::move(*signature));
  }
  if (!rest.empty()) return bad("the last line has no end");
  if (note.signatures.empty()) return bad("no signatures");
  return note;
}

std::string encode_note(const SignedNote& note) {
  std::string out = note.text + "\n";
  for (const NoteSignature& signature : note.signatures) {
    Bytes blob(signature.key_id.begin(), signature.key_id.end());
    append(blob, signature.signature);
    out += std::string(signature_mark) + signature.name + " " + to_base64(blob) + "\n";
  }
  return out;
}

void sign_note(SignedNote& note, const std::string& name, const SecretKey& key) {
  const Signature signature = key.sign(as_bytes(note.text));
  add_signature(note, {name, NoteKeyType::ed25519, key.public_key()},
                Bytes(signature.begin(), signature.end()));
}

void cosign_note(SignedNote& note, const std::string& name, const SecretKey& key,
                 std::uint64_t time_s) {
  const Signature signature = key.sign(as_bytes(cosigned_text(time_s, note.text)));
  Bytes blob;
  for (int shift = 56; shift >= 0; shift -= 8) {
    blob.push_back(static_cast<std::uint8_t>(time_s >> shift));
  }
  append(blob, signature);
  add_signature(note, {name, NoteKeyType::cosignature, key.public_key()}, std::move(blob));
}

Result<NoteVerdict> verify_note(const SignedNote& note, const NoteKey& key) {
  const auto id = key.id();
  const bool timed = key.type == NoteKeyType::cosignature;
  const std::size_t time_bytes = timed ? 8 : 0;
  for (const NoteSignature& one : note.signatures) {
    if (one.name != key.name || one.key_id != id) continue;
    Signature signature{};
    NoteVerdict verdict;
    bool good = one.signature.size() == time_bytes + signature.size();
    if (good) {
      for (std::size_t i = 0; i < time_bytes; ++i) {
        verdict.time_s = verdict.time_s << 8 | one.signature[i];
      }
      std::copy(one.signature.begin() + static_cast<std::ptrdiff_t>(time_bytes),
                one.signature.end(), signature.begin());
      const std::string text = timed ? cosigned_text(verdict.time_s, note.text) : note.text;
      good = verify_signature(key.key, as_bytes(text), signature);
    }
    if (good) return verdict;
    return fail(ExitCode::refuted, "note: the signature of " + escape(key.name) + " is wrong");
  }
  return fail(ExitCode::unproven, "note: not signed by " + escape(key.name));
}

std::string encode_checkpoint(const Checkpoint& checkpoint) {
  std::string text = checkpoint.origin + "\n" + decimal(checkpoint.size) + "\n" +
                     to_base64(checkpoint.root) + "\n";
  for (const std::string& line : checkpoint.extensions) text += line + "\n";
  return text;
}

Result<Checkpoint> parse_checkpoint(std::string_view text) {
  Checkpoint checkpoint;
  const auto origin = take_line(text);
  if (!origin || origin->empty()) return bad("checkpoint without an origin");
  checkpoint.origin = *origin;
  const auto size_line = take_line(text);
  const auto size = size_line ? parse_number(*size_line) : std::nullopt;
  if (!size) return bad("checkpoint without a size");
  checkpoint.size = *size;
  const auto root_line = take_line(text);
  const auto root = root_line ? parse_hash(*root_line) : std::nullopt;
  if (!root) return bad("checkpoint without a root");
  checkpoint.root = *root;
  while (const auto line = take_line(text)) {
    if (line->empty()) return bad("checkpoint with an empty line");
    checkpoint.extensions.emplace_back(*line);
  }
  if (!text.empty()) return bad("checkpoint whose last line has no end");
  return checkpoint;
}

std::string encode_tlog_proof(const TlogProof& proof) {
  std::string out(proof_magic);
  out += '\n';
  if (!proof.extra.empty()) out += "extra " + to_base64(as_bytes(proof.extra)) + "\n";
  out += "index " + decimal(proof.index) + "\n";
  for (const Hash256& hash : proof.path) out += to_base64(hash) + "\n";
  return out + "\n" + encode_note(proof.checkpoint);
}

Result<TlogProof> parse_tlog_proof(ByteView bytes) {
  if (bytes.size() > max_note_bytes) return bad("proof larger than it may be");
  std::string_view text = as_text(bytes);
  if (take_line(text) != proof_magic) return bad("not a tlog proof");
  TlogProof proof;
  auto line = take_line(text);
  if (line && line->starts_with("extra ")) {
    const auto extra = from_base64(line->substr(6));
    if (!extra || extra->empty()) return bad("proof whose extra data are no base64");
    proof.extra = as_text(*extra);
    line = take_line(text);
  }
  if (!line || !line->starts_with("index ")) return bad("proof without an index");
  const auto index = parse_number(line->substr(6));
  if (!index) return bad("proof without an index");
  proof.index = *index;
  TWINCHAIN_TRY(take_hashes(text, proof.path));
  auto checkpoint = parse_note(as_bytes(text));
  if (!checkpoint) return pass(checkpoint);
  proof.checkpoint = std::move(*checkpoint);
  return proof;
}

std::string encode_consistency_proof(const ConsistencyProof& proof) {
  std::string out = "old " + decimal(proof.old_size) + "\n";
  for (const Hash256& hash : proof.hashes) out += to_base64(hash) + "\n";
  return out + "\n" + encode_note(proof.checkpoint);
}

Result<ConsistencyProof> parse_consistency_proof(ByteView bytes) {
  if (bytes.size() > max_note_bytes) return bad("proof larger than it may be");
  std::string_view text = as_text(bytes);
  const auto line = take_line(text);
  const auto size =
      line && line->starts_with("old ") ? parse_number(line->substr(4)) : std::nullopt;
  if (!size) return bad("proof without an old size");
  ConsistencyProof proof;
  proof.old_size = *size;
  TWINCHAIN_TRY(take_hashes(text, proof.hashes));
  auto checkpoint = parse_note(as_bytes(text));
  if (!checkpoint) return pass(checkpoint);
  proof.checkpoint = std::move(*checkpoint);
  return proof;
}

}  // namespace twinchain
