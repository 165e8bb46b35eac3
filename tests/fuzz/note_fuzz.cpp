// Texts of other people's transparency logs. The first byte chooses: a signed note, a checkpoint, a
// tlog-proof, a verifier key.

#include <cstdint>
#include <string>
#include <string_view>

#include "require.hpp"
#include "twinchain/chain/checkpoint.hpp"
#include "twinchain/crypto/merkle_proof.hpp"
#include "twinchain/crypto/signed_note.hpp"

using namespace twinchain;

namespace {

void take_checkpoint(std::string_view text) {
  const auto checkpoint = parse_checkpoint(text);
  if (!checkpoint) return;
  require(encode_checkpoint(*checkpoint) == text);
  const auto link = chain::read_link_checkpoint(*checkpoint);
  if (!link) return;
  // Of a record: what it says of the head makes the same text again, but for foreign extensions.
  chain::LinkFollower::Head head;
  head.link.record = link->record;
  head.link.number = link->number;
  head.link.history_root = link->history_root;
  head.hash = link->link_hash;
  const Checkpoint again = chain::make_checkpoint(head);
  require(again.origin == checkpoint->origin && again.size == checkpoint->size &&
          again.root == checkpoint->root);
}

void take_note(std::string_view text) {
  const auto note = parse_note(as_bytes(text));
  if (!note) return;
  require(encode_note(*note) == text);
  const auto key =
      parse_note_key("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
  require(key.has_value());
  if (verify_note(*note, *key)) {
    SignedNote other = *note;
    other.text.insert(0, "x");
    require(!verify_note(other, *key));
  }
  take_checkpoint(note->text);
}

void take_proof(std::string_view text) {
  const auto proof = parse_tlog_proof(as_bytes(text));
  if (!proof) return;
  require(encode_tlog_proof(*proof) == text);
  const auto checkpoint = parse_checkpoint(proof->checkpoint.text);
  if (!checkpoint) return;
  (void)verify_inclusion(Hash256{}, proof->index, checkpoint->size, proof->path, checkpoint->root);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(as_text(ByteView(data + 1, size - 1)));
  switch (data[0] % 4) {
    case 0:
      take_note(text);
      break;
    case 1:
      take_checkpoint(text);
      break;
    case 2:
      take_proof(text);
      break;
    default:
      if (const auto key = parse_note_key(text)) require(key->text() == text);
  }
  return 0;
}
