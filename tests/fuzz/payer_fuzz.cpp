// The log of a payer of data transactions, and the payloads of data outputs. In the first byte bit
// 0 chooses between both; for a log the records' heads are made right, so that what is behind them
// is reached: the rest is a list of records, each a type, a size of two bytes, and so many bytes.

#include <cstdint>

#include "require.hpp"
#include "twinchain/bitcoin/script.hpp"
#include "twinchain/net/payer_state.hpp"
#include "twinchain/stream/writer.hpp"
#include "twinchain/sys/faulty_fs.hpp"

namespace {

using namespace twinchain;
using namespace twinchain::net;

const ChainParameters& payer_rules() {
  static const ChainParameters parameters = [] {
    ChainParameters made;
    made.name = "fuzz";
    made.magic = 1;
    made.genesis_time_s = 1'767'225'600;
    mine_genesis(made, [] { return false; });
    return made;
  }();
  return parameters;
}

const EcdsaSecretKey& payer_key() {
  static const EcdsaSecretKey key = [] {
    std::array<std::uint8_t, 32> secret{};
    secret[31] = 1;
    return *EcdsaSecretKey::from_bytes(secret);
  }();
  return key;
}

void append_records(record::SpoolLog& log, ByteView rest) {
  ByteCursor cursor(rest);
  while (cursor.remaining() >= 3) {
    const std::uint16_t type = cursor.read_le<std::uint8_t>() % 8;
    const auto size = cursor.read_le<std::uint16_t>();
    const ByteView payload = cursor.read_view(std::min<std::size_t>(size, cursor.remaining()));
    const ByteView pieces[] = {payload};
    require(log.append(type, pieces).has_value());
  }
}

/// A log with one real payment in front.
void try_log(ByteView rest) {
  const EcdsaPublicKey key = payer_key().public_key();
  MemoryFs fs;
  require(fs.make_folders("state").has_value());
  {
    auto log = record::SpoolLog::create(fs, "state/payments.log");
    require(log.has_value());
    const Hash256 genesis = genesis_hash(payer_rules());
    const ByteView owner[] = {genesis, key};
    require(log->append(0, owner).has_value());
    append_records(*log, rest);
  }
  auto first = PayerState::open(fs, "state", payer_rules(), key);
  if (!first) return;
  const std::size_t payments = (*first)->payments().size();
  const std::size_t abandoned = (*first)->abandoned().size();
  const auto tip = (*first)->tip();
  for (const Payment& payment : (*first)->payments()) {
    const auto raw = (*first)->read(payment);
    require(raw.has_value());
    auto parsed = bitcoin::parse_transaction(*raw, bitcoin::TxEncoding::no_witness);
    require(parsed && bitcoin::txid(*parsed) == payment.txid);
    for (const Id128& id : payment.frames) require(id == Id128{} || (*first)->knows(id));
  }
  // What opening has written is read as the same.
  first->reset();
  auto second = PayerState::open(fs, "state", payer_rules(), key);
  require(second.has_value());
  require((*second)->payments().size() == payments);
  require((*second)->abandoned().size() == abandoned);
  require((*second)->tip() == tip);
}

void try_payload(ByteView rest) {
  bitcoin::Transaction tx;
  tx.outputs.push_back({1, pay_to_key_hash_script(payer_key().public_key())});
  auto script = bitcoin::data_output_script(payer_rules().data_tag, rest);
  if (script) tx.outputs.push_back({0, std::move(*script)});
  tx.outputs.push_back({0, Bytes(rest.begin(), rest.end())});
  const CarriedFrames carried = frames_of(payer_rules(), tx);
  require(carried.frames.size() + carried.malformed.size() >= (script ? 1U : 0U));
  for (const CarriedFrame& frame : carried.frames) {
    const Bytes again = encode_frame(frame.header, frame.body);
    require(std::ranges::equal(again, frame.whole));
  }
  require(!payer_of(tx));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView rest(data + 1, size - 1);
  if ((data[0] & 1) == 0) {
    try_log(rest);
  } else {
    try_payload(rest);
  }
  return 0;
}
