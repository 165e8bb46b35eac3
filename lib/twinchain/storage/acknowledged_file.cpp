#include "twinchain/storage/acknowledged_file.hpp"

#include <unistd.h>

#include "twinchain/base/text.hpp"

namespace twinchain::storage {
namespace {

constexpr std::uint64_t max_acknowledged_bytes = std::uint64_t{64} << 20;

}  // namespace

Result<AcknowledgedFile> AcknowledgedFile::open(Fs& fs, const std::string& spool_folder) {
  auto there = fs.exists(spool_folder);
  if (!there) return pass(there);
  if (!*there) {
    return fail(ExitCode::usage, "no folder " + escape(spool_folder, 400) + " to acknowledge to",
                "it is the folder that twin-record --spool names");
  }
  AcknowledgedFile file(fs, spool_folder);
  there = fs.exists(file.path());
  if (!there) return pass(there);
  if (*there) {
    auto bytes = read_whole_file(fs, file.path(), max_acknowledged_bytes);
    if (!bytes) return pass(bytes);
    if (auto numbers = parse_source_numbers(as_text(*bytes))) file.numbers = std::move(*numbers);
  }
  return file;
}

Status AcknowledgedFile::write() const {
  const std::string temporary = path() + ".tmp-" + decimal(std::uint64_t(::getpid()));
  auto there = fs_->exists(temporary);
  if (!there) return pass(there);
  if (*there) TWINCHAIN_TRY(fs_->remove(temporary));
  const auto write_and_rename = [&]() -> Status {
    auto file = fs_->open(temporary, OpenMode::create_new);
    if (!file) return pass(file);
    const std::string text = format_source_numbers(numbers);
    const ByteView piece = as_bytes(text);
    TWINCHAIN_TRY((*file)->append({&piece, 1}));
    return fs_->rename(temporary, path());
  };
  auto status = write_and_rename();
  if (!status) (void)fs_->remove(temporary);
  return status;
}

}  // namespace twinchain::storage
