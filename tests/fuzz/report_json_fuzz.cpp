// Any text as a report of verify: it is refused with one line, or becomes a page in which none of
// its texts is markup.

#include <string>

#include "require.hpp"
#include "twinchain/report/page.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace twinchain;
  const auto file = report::parse_verdict_file({reinterpret_cast<const char*>(data), size});
  if (!file) {
    require(file.error().code == ExitCode::malformed || file.error().code == ExitCode::usage);
    require(file.error().message.find_first_of("\n\r\x1b") == std::string::npos);
    return 0;
  }
  // What a finding leads to must not be better than the finding.
  for (const auto& finding : file->findings) {
    require(chain::exit_code(finding.severity) == ExitCode::success ||
            file->exit_code != ExitCode::success);
  }
  const report::Scan scan;
  const std::string page = report::render_page(*file, scan, {});
  require(page.find("<script") == std::string::npos);
  for (const char c : page) require(c == '\n' || static_cast<unsigned char>(c) >= 0x20);
  require(page.ends_with("</html>\n"));
  require(page.size() < std::size_t{16} << 20);
  return 0;
}
