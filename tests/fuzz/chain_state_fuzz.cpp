// The file of a sealing state. In the first byte bit 0 asks for right checksums, for a file whose
// checkpoint is empty, as a tamperer would make them.

#include <cstdint>

#include "require.hpp"
#include "twinchain/base/crc32c.hpp"
#include "twinchain/chain/chain_state.hpp"
#include "twinchain/sys/faulty_fs.hpp"

namespace {

using namespace twinchain;
using namespace twinchain::chain;

constexpr std::size_t empty_checkpoint_size = 28;

void make_checksums_right(Bytes& file) {
  if (file.size() < empty_checkpoint_size) return;
  store_le(&file[empty_checkpoint_size - 4],
           crc32c(ByteView(file).first(empty_checkpoint_size - 4)));
  for (std::size_t at = empty_checkpoint_size; at + state_record_size <= file.size();
       at += state_record_size) {
    const std::size_t crc_at = at + state_record_size - 4;
    store_le(&file[crc_at], crc32c(ByteView(file).subspan(at, state_record_size - 4)));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Bytes content(data + 1, data + size);
  if ((data[0] & 1) != 0) make_checksums_right(content);
  MemoryFs fs;
  require(fs.make_folders("state").has_value());
  const auto write = write_file_atomically(fs, "state/chain-0000000000000000.links", content);
  require(write.has_value());
  const bool looked = ChainState::look(fs, "state").has_value();
  auto first = ChainState::open(fs, "state");
  require(first.has_value() == looked);
  if (!first) return 0;
  // What was read once is read again, after the copy that opening makes.
  const auto heads = (*first)->heads();
  auto second = ChainState::look(fs, "state");
  require(second.has_value());
  require((*second)->heads().size() == heads.size());
  for (const ChainHead* head : heads) {
    const Id128& source = head->link.link.source;
    require((*second)->head(source)->hash == head->hash);
    const auto known = (*first)->find(source, head->link.link.number);
    require(known && (!*known || (*known)->link == head->link.link));
  }
  return 0;
}
