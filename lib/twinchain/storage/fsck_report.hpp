// What `store fsck` has found, in words and as JSON. Floor 5. Both are described in store(1).
#pragma once

#include <string>

#include "twinchain/base/json_writer.hpp"
#include "twinchain/storage/fsck.hpp"

namespace twinchain::storage {

/// One line a finding, with line feed.
std::string finding_as_text(const Finding& finding);
/// The verdict and the totals in one line, with line feed. `folder` is escaped here.
std::string fsck_as_text(const FsckResult& result, const std::string& folder);

/// {"version": 1, "findings": [...], the totals}: findings are added as they come, and all are held
/// until the end. Belongs to one thread at a time.
class FsckJson {
 public:
  FsckJson();
  void add(const Finding& finding);
  /// The whole text, with line feed; the last call.
  std::string finish(const FsckResult& result);

 private:
  JsonWriter json_;
};

}  // namespace twinchain::storage
