#include "twinchain/net/data_transaction.hpp"

#include <algorithm>

#include "twinchain/base/crc32c.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/bitcoin/script.hpp"
#include "twinchain/bitcoin/sighash.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace twinchain::net {
namespace {

/// Empty when it is a frame.
std::string read_carried_frame(ByteView whole, CarriedFrame& into) {
  if (whole.size() < frame_header_size) return "shorter than the header of a frame";
  auto header = parse_frame_header(whole);
  if (!header) return header.error().message;
  into.header = *header;
  into.whole = whole;
  into.body = whole.subspan(frame_header_size);
  if (into.body.size() != header->body_size) {
    return "body of " + decimal(std::uint64_t{into.body.size()}) + " bytes, the header says " +
           decimal(std::uint64_t{header->body_size});
  }
  if (crc32c(into.body) != header->body_crc) return "body crc mismatch";
  if (header->type == FrameType::end) return "an END frame";
  return {};
}

bool has_tag(const ChainParameters& parameters, const bitcoin::DataOutput& output) {
  return std::ranges::equal(output.tag, parameters.data_tag);
}

}  // namespace

void sign_inputs(bitcoin::Transaction& tx, const EcdsaSecretKey& key, ByteView script) {
  const bitcoin::SignatureHasher hasher(tx);
  std::vector<Bytes> scripts;
  for (std::size_t i = 0; i < tx.inputs.size(); ++i) {
    Bytes signature = key.sign(hasher.hash(i, script, bitcoin::sighash_all));
    signature.push_back(bitcoin::sighash_all);
    Bytes& script_sig = scripts.emplace_back();
    bitcoin::append_push(script_sig, signature);
    bitcoin::append_push(script_sig, key.public_key());
  }
  for (std::size_t i = 0; i < scripts.size(); ++i) tx.inputs[i].script_sig = std::move(scripts[i]);
}

std::int64_t fee_sat(std::int64_t rate_sat, std::size_t size_bytes) {
  const std::uint64_t product = static_cast<std::uint64_t>(rate_sat) * size_bytes;
  return static_cast<std::int64_t>((product + 999) / 1000);
}

std::optional<TransactionPtr> make_data_transaction(
    const ChainParameters& parameters, const EcdsaSecretKey& key, std::span<const PayerCoin> coins,
    std::span<const Bytes> frames, std::int64_t rate_sat, std::uint32_t chain_time_s,
    std::int64_t* missing_sat) {
  const EcdsaPublicKey public_key = key.public_key();
  const Bytes script = pay_to_key_hash_script(public_key);
  bitcoin::Transaction tx;
  tx.version = 2;
  tx.lock_time = chain_time_s;
  std::int64_t in_sat = 0;
  for (const PayerCoin& coin : coins) {
    tx.inputs.push_back({coin.outpoint, {}, 0xffffffff, {}});
    in_sat += coin.value_sat;
  }
  tx.outputs.push_back({0, script});
  std::size_t size =
      payment_overhead_bytes - max_payment_inputs * 150 + coins.size() * signed_input_bytes;
  for (const Bytes& frame : frames) {
    auto data = bitcoin::data_output_script(parameters.data_tag, frame);
    if (!data) return std::nullopt;
    size += data->size() + 8 + 5;
    tx.outputs.push_back({0, std::move(*data)});
  }
  const std::int64_t fee = fee_sat(std::max(rate_sat, parameters.min_fee_rate_sat), size);
  if (in_sat <= fee) {
    if (missing_sat != nullptr) *missing_sat = fee + 1 - in_sat;
    return std::nullopt;
  }
  tx.outputs[change_output_index].value_sat = in_sat - fee;
  sign_inputs(tx, key, script);
  return share_transaction(std::move(tx));
}

CarriedFrames frames_of(const ChainParameters& parameters,
                        const bitcoin::Transaction& transaction) {
  CarriedFrames carried;
  for (std::size_t i = 0; i < transaction.outputs.size(); ++i) {
    const auto output = bitcoin::read_data_output(transaction.outputs[i].script_pubkey);
    if (!output || !has_tag(parameters, *output)) continue;
    CarriedFrame frame;
    frame.output = static_cast<std::uint32_t>(i);
    const std::string wrong = read_carried_frame(output->data, frame);
    if (wrong.empty()) {
      carried.frames.push_back(frame);
    } else {
      carried.malformed.push_back("output " + decimal(std::uint64_t{i}) + ": " + wrong);
    }
  }
  return carried;
}

bool carries_data(const ChainParameters& parameters, const bitcoin::Transaction& transaction) {
  return std::ranges::any_of(transaction.outputs, [&](const bitcoin::TxOut& output) {
    const auto data = bitcoin::read_data_output(output.script_pubkey);
    return data && has_tag(parameters, *data);
  });
}

std::optional<EcdsaPublicKey> payer_of(const bitcoin::Transaction& transaction) {
  if (transaction.is_coinbase() || transaction.inputs.empty() || transaction.outputs.empty()) {
    return std::nullopt;
  }
  bitcoin::ScriptReader reader(transaction.inputs[0].script_sig);
  const auto signature = reader.next();
  const auto public_key = reader.next();
  EcdsaPublicKey key{};
  if (!signature || !public_key || !reader.at_end() || signature->data.empty() ||
      public_key->data.size() != key.size() ||
      signature->data.back() != static_cast<std::uint8_t>(bitcoin::sighash_all)) {
    return std::nullopt;
  }
  std::copy(public_key->data.begin(), public_key->data.end(), key.begin());
  const Bytes script = pay_to_key_hash_script(key);
  if (transaction.outputs[change_output_index].script_pubkey != script) return std::nullopt;
  const Hash256 hash = bitcoin::signature_hash(transaction, 0, script, bitcoin::sighash_all);
  const ByteView der = signature->data.first(signature->data.size() - 1);
  if (!verify_ecdsa(key, hash, der)) return std::nullopt;
  return key;
}

Id128 frame_id(ByteView whole_frame) {
  const Hash256 hash = sha256(whole_frame);
  Id128 id{};
  std::copy_n(hash.begin(), id.size(), id.begin());
  return id;
}

}  // namespace twinchain::net
