#include "twinchain/net/block_store.hpp"

#include "twinchain/base/crc32c.hpp"
#include "twinchain/base/text.hpp"

namespace twinchain::net {
namespace {

constexpr std::string_view block_file_magic = "TWBLOCK1";
constexpr std::size_t block_record_head_size = 8;

class BlockFile final : public BlockStore {
 public:
  explicit BlockFile(std::unique_ptr<File> file) : file_(std::move(file)) {}

  /// Finds the records; gives the size of the sound part.
  Result<std::uint64_t> scan(std::uint64_t at, std::uint64_t size_bytes, std::uint64_t max_block) {
    while (at < size_bytes) {
      std::array<std::uint8_t, block_record_head_size> head{};
      auto read = file_->pread(head, at);
      if (!read) return pass(read);
      if (*read < head.size()) return at;
      const auto size = load_le<std::uint32_t>(head.data());
      const std::uint64_t left = size_bytes - at - head.size();
      if (size < bitcoin::block_header_size || size > max_block || size > left) return at;
      Bytes raw(size);
      read = file_->pread(raw, at + head.size());
      if (!read) return pass(read);
      if (*read != size || crc32c(raw) != load_le<std::uint32_t>(&head[4])) return at;
      add(raw, at + head.size());
      at += head.size() + size;
    }
    return at;
  }

  void set_end(std::uint64_t end) { end_ = end; }

  Status put(const Hash256& hash, ByteView raw) override {
    if (places_.contains(hash)) return {};
    Bytes head;
    append_le(head, static_cast<std::uint32_t>(raw.size()));
    append_le(head, crc32c(raw));
    const ByteView pieces[] = {head, raw};
    Status written = file_->append(pieces);
    if (written) written = file_->sync();
    if (!written) {
      // Nothing half-written stays before the next record.
      (void)file_->truncate(end_);
      return written;
    }
    add(raw, end_ + head.size());
    end_ += head.size() + raw.size();
    return {};
  }

  Result<std::optional<Bytes>> get(const Hash256& hash) override {
    const auto found = places_.find(hash);
    if (found == places_.end()) return std::nullopt;
    Bytes raw(found->second.size_bytes);
    auto read = file_->pread(raw, found->second.offset);
    if (!read) return pass(read);
    if (*read != raw.size()) return fail(ExitCode::malformed, "block file: ends within a block");
    return raw;
  }

  [[nodiscard]] std::vector<Hash256> all() const override { return order_; }

 private:
  struct Place {
    std::uint64_t offset;
    std::size_t size_bytes;
  };
  void add(ByteView raw, std::uint64_t offset) {
    ByteCursor cursor(raw);
    const Hash256 hash = bitcoin::block_hash(cursor.read_array<bitcoin::block_header_size>());
    if (places_.emplace(hash, Place{offset, raw.size()}).second) order_.push_back(hash);
  }

  std::unique_ptr<File> file_;
  std::uint64_t end_ = 0;
  std::unordered_map<Hash256, Place, HashHasher> places_;
  std::vector<Hash256> order_;
};

}  // namespace

Result<std::unique_ptr<BlockStore>> open_block_file(Fs& fs, const std::string& path,
                                                    const ChainParameters& parameters,
                                                    std::uint64_t* dropped_bytes) {
  auto file = fs.open(path, OpenMode::create);
  if (!file) return pass(file);
  auto size = (*file)->size_bytes();
  if (!size) return pass(size);
  Bytes preamble;
  append(preamble, block_file_magic);
  append(preamble, genesis_hash(parameters));
  Bytes found(preamble.size());
  auto read = (*file)->pread(found, 0);
  if (!read) return pass(read);
  File& raw_file = **file;
  auto store = std::make_unique<BlockFile>(std::move(*file));
  std::uint64_t good = 0;
  if (*read == preamble.size()) {
    if (found != preamble) {
      return fail(ExitCode::usage, escape(path) + ": no block file of this network");
    }
    auto scanned = store->scan(preamble.size(), *size, parameters.block_limit_bytes);
    if (!scanned) return pass(scanned);
    good = *scanned;
  }
  if (dropped_bytes != nullptr) *dropped_bytes = *size - good;
  if (good != *size) TWINCHAIN_TRY(raw_file.truncate(good));
  if (good == 0) {
    const ByteView pieces[] = {preamble};
    TWINCHAIN_TRY(raw_file.append(pieces));
    TWINCHAIN_TRY(raw_file.sync());
    TWINCHAIN_TRY(fs.sync_folder(parent_folder(path)));
    good = preamble.size();
  }
  store->set_end(good);
  return std::unique_ptr<BlockStore>(std::move(store));
}

}  // namespace twinchain::net
