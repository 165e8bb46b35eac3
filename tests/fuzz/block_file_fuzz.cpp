// Any bytes as a dir: ledger's blocks.dat: opening ends; a ledger that opens can be written to,
// and opens again.
//
// The first byte of the input says what the rest is: 0 the file, 1 what follows the genesis block,
// 2 changes (place u16, xor u8) of a good file, 3 the same with the note of the durable end.

#include <algorithm>
#include <cstdlib>

#include "twinchain/ledger/dir_block.hpp"
#include "twinchain/ledger/dir_chain.hpp"
#include "twinchain/ledger/dir_ledger.hpp"
#include "twinchain/sys/faulty_fs.hpp"

namespace {

using namespace twinchain;

class FixedClock final : public Clock {
 public:
  std::int64_t wall_ns() override { return 1'800'000'000'000'000'000; }
  std::uint64_t monotonic_ns() override { return 0; }
  Id128 boot_id() override { return {}; }
};

struct GoodFile {
  Bytes blocks;
  ledger::DurableEnd end;
};

const GoodFile& good_file() {
  static const GoodFile file = [] {
    GoodFile made;
    made.blocks = ledger::dir_record(ledger::dir_genesis());
    Hash256 previous = bitcoin::block_hash(ledger::dir_genesis().header);
    bitcoin::OutPoint coin{bitcoin::txid(ledger::dir_genesis().transactions[0]), 0};
    for (std::uint32_t height = 1; height <= 4; ++height) {
      const auto transaction = ledger::make_dir_transaction(
          coin, ledger::anchor_payload({static_cast<std::uint8_t>(height)}));
      const auto block =
          ledger::mine_dir_block(previous, height, 1'790'000'000 + height, {transaction});
      append(made.blocks, ledger::dir_record(block));
      previous = bitcoin::block_hash(block.header);
      coin = {bitcoin::txid(transaction), 1};
    }
    made.end = {made.blocks.size(), previous};
    return made;
  }();
  return file;
}

void put_file(MemoryFs& fs, const std::string& path, const Bytes& content) {
  if (!fs.open(path, OpenMode::create)) std::abort();
  *fs.content(path) = content;
}

Bytes blocks_of(std::uint8_t kind, ByteView rest) {
  Bytes blocks;
  if (kind == 1) blocks = ledger::dir_record(ledger::dir_genesis());
  if (kind <= 1) {
    append(blocks, rest);
    return blocks;
  }
  blocks = good_file().blocks;
  while (rest.size() >= 3) {
    blocks[load_le<std::uint16_t>(rest.data()) % blocks.size()] ^= rest[2];
    rest = rest.subspan(3);
  }
  return blocks;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  MemoryFs fs;
  FixedClock clock;
  const auto kind = static_cast<std::uint8_t>(data[0] % 4);
  const Bytes blocks = blocks_of(kind, ByteView(data + 1, size - 1));
  if (!fs.make_folders("l")) std::abort();
  put_file(fs, "l/blocks.dat", blocks);
  if (kind == 3) put_file(fs, "l/blocks.end", ledger::encode_durable_end(good_file().end));

  auto opened = ledger::open_dir_ledger(fs, clock, "l", {}, false);
  // With the note of its end nothing may be changed but what changes back. Looking for what is not
  // there reads all.
  const bool whole = opened && (*opened)->status({1, 2, 3}).has_value();
  if (kind == 3 && whole != (blocks == good_file().blocks)) std::abort();
  if (opened && kind != 3 && !whole) std::abort();
  if (!opened || !whole) return 0;
  const auto tip = (*opened)->tip();
  if (!tip) std::abort();
  const auto prepared = (*opened)->prepare(ledger::anchor_payload({9}));
  if (!prepared && prepared.error().message == "l: block times have come to an end") return 0;
  if (!prepared || !(*opened)->broadcast(*prepared, nullptr)) std::abort();
  auto again = ledger::open_dir_ledger(fs, clock, "l", {}, false);
  if (!again || (*again)->tip()->height != tip->height + 2) std::abort();
  return 0;
}
