#include "twinchain/net/header_log.hpp"

#include <algorithm>

#include "twinchain/base/text.hpp"

namespace twinchain::net {
namespace {

constexpr std::string_view header_log_magic = "TWHEADR1";
constexpr std::size_t header_log_preamble_size = 8 + 32;

Bytes header_log_preamble(const HeaderTree& tree) {
  Bytes preamble;
  append(preamble, header_log_magic);
  append(preamble, tree.genesis().hash);
  return preamble;
}

}  // namespace

Result<std::unique_ptr<HeaderLog>> HeaderLog::open(Fs& fs, const std::string& path,
                                                   HeaderTree& tree, std::uint64_t* dropped_bytes) {
  auto file = fs.open(path, OpenMode::create);
  if (!file) return pass(file);
  std::unique_ptr<HeaderLog> log(new HeaderLog);
  log->file_ = std::move(*file);
  auto size = log->file_->size_bytes();
  if (!size) return pass(size);
  const Bytes preamble = header_log_preamble(tree);
  Bytes found(preamble.size());
  auto read = log->file_->pread(found, 0);
  if (!read) return pass(read);
  std::uint64_t good = 0;
  if (*read == preamble.size()) {
    if (found != preamble) {
      return fail(ExitCode::usage, escape(path) + ": no header file of this network");
    }
    auto loaded = log->load(tree, *size);
    if (!loaded) return pass(loaded);
    good = *loaded;
  }
  if (dropped_bytes != nullptr) *dropped_bytes = *size - good;
  if (good != *size) TWINCHAIN_TRY(log->file_->truncate(good));
  if (good == 0) {
    const ByteView pieces[] = {preamble};
    TWINCHAIN_TRY(log->file_->append(pieces));
    TWINCHAIN_TRY(log->file_->sync());
    TWINCHAIN_TRY(fs.sync_folder(parent_folder(path)));
  }
  return log;
}

/// Gives the size of the part that is sound.
Result<std::uint64_t> HeaderLog::load(HeaderTree& tree, std::uint64_t size_bytes) {
  constexpr std::size_t chunk_headers = 8'192;
  Bytes chunk(chunk_headers * bitcoin::block_header_size);
  std::uint64_t at = header_log_preamble_size;
  while (at < size_bytes) {
    auto read = file_->pread(chunk, at);
    if (!read) return pass(read);
    ByteCursor cursor(ByteView(chunk).first(*read));
    while (cursor.remaining() >= bitcoin::block_header_size) {
      // They were not in the future when they were accepted.
      const auto answer = tree.accept(bitcoin::read_header(cursor), INT32_MAX * std::int64_t{4});
      // A header whose parent was dropped with its side branch, or that no longer fits beside the
      // others, is left out; the file goes on behind it.
      if (answer.verdict.outcome == Outcome::invalid) return at;
      at += bitcoin::block_header_size;
    }
    if (*read < bitcoin::block_header_size) break;
  }
  return at;
}

Status HeaderLog::append(const bitcoin::BlockHeader& header) {
  const auto bytes = bitcoin::serialize(header);
  const ByteView pieces[] = {bytes};
  return file_->append(pieces);
}

}  // namespace twinchain::net
