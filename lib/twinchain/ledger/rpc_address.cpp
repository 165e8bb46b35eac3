#include "twinchain/ledger/rpc_address.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "twinchain/base/text.hpp"
#include "twinchain/sys/fd.hpp"

namespace twinchain::ledger {
namespace {

constexpr std::string_view scheme = "http://";
constexpr std::uint64_t max_credentials_size = 4096;

std::unexpected<Error> bad_url(std::string_view url, const char* why) {
  return fail(ExitCode::usage, escape(url) + ": " + why,
              "a node's address is written http://HOST:PORT");
}

std::string_view first_line(ByteView content) {
  std::string_view text = as_text(content);
  text = text.substr(0, text.find('\n'));
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

Result<std::string> read_cookie(const std::string& path) {
  if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) {
    return fail(ExitCode::peer, "cookie file " + escape(path, 400) + " is not there",
                "a node writes it when it starts: is the node running, is this its folder?");
  }
  auto content = read_file(path, max_credentials_size);
  if (!content) {
    content.error().code = ExitCode::usage;
    return pass(content);
  }
  std::string cookie(first_line(*content));
  if (cookie.find(':') == std::string::npos) {
    // A node writes its cookie in place: we may have come between.
    return fail(content->empty() ? ExitCode::peer : ExitCode::usage,
                "cookie file " + escape(path, 400) + " has no user:password in it");
  }
  return cookie;
}

Result<std::string> read_credentials_file(const std::string& path) {
  auto fd = open_file(path, O_RDONLY);
  if (!fd) {
    fd.error().code = ExitCode::usage;
    return pass(fd);
  }
  struct stat info{};
  if (::fstat(fd->get(), &info) != 0) {
    return std::unexpected(errno_error("cannot stat " + escape(path, 400), errno));
  }
  if (!S_ISREG(info.st_mode)) {
    return fail(ExitCode::usage, escape(path, 400) + " is not a regular file");
  }
  if ((info.st_mode & 077U) != 0) {
    return fail(ExitCode::usage, "credentials file " + escape(path, 400) + " is open to others",
                "chmod 600 " + escape(path, 400) + ", and think of a new password");
  }
  std::array<std::uint8_t, max_credentials_size> content{};
  auto size = read_full(fd->get(), content);
  if (!size) return pass(size);
  std::string credentials(first_line(ByteView(content).first(*size)));
  if (credentials.find(':') == std::string::npos || *size == content.size()) {
    return fail(ExitCode::usage,
                "credentials file " + escape(path, 400) + " is not one line user:password");
  }
  return credentials;
}

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

}  // namespace

std::string RpcAddress::display() const {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  std::string text = is_ipv6 ? "[" : "";
  text += escape(host);
  text += is_ipv6 ? "]:" : ":";
  text += port;
  return text;
}

Result<RpcAddress> parse_rpc_url(std::string_view url) {
  std::string_view rest = url;
  if (rest.starts_with("https://")) {
    return fail(ExitCode::usage, "https to a node is not supported",
                "nodes speak plain HTTP: reach a distant one through ssh -L or a TLS tunnel");
  }
  if (!rest.starts_with(scheme)) return bad_url(url, "does not begin with http://");
  rest.remove_prefix(scheme.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find('@') != std::string_view::npos) {
    return fail(ExitCode::usage, "user name and password do not belong in the address",
                "others would see them: use --cookie-file or --credentials-file");
  }
  RpcAddress address;
  if (rest.starts_with('[')) {
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos) return bad_url(url, "has a [ without ]");
    address.host = rest.substr(1, end - 1);
    rest.remove_prefix(end + 1);
  } else {
    const std::size_t end = rest.find_first_of(":/");
    address.host = rest.substr(0, end);
    rest.remove_prefix(address.host.size());
  }
  if (address.host.empty()) return bad_url(url, "names no host");
  if (!rest.starts_with(':')) return bad_url(url, "names no port");
  rest.remove_prefix(1);
  const auto port = parse_decimal(rest);
  if (!port || *port == 0 || *port > 65535) return bad_url(url, "has no port from 1 to 65535");
  address.port = decimal(*port);
  return address;
}

Result<std::string> read_rpc_credentials(const LedgerOptions& options) {
  if (!options.cookie_file.empty() && !options.credentials_file.empty()) {
    return fail(ExitCode::usage, "--cookie-file and --credentials-file exclude each other");
  }
  if (!options.cookie_file.empty()) return read_cookie(options.cookie_file);
  if (!options.credentials_file.empty()) return read_credentials_file(options.credentials_file);
  return std::string();
}

std::string wallet_path(std::string_view wallet) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string path = "/wallet/";
  for (const char c : wallet) {
    if (is_unreserved(c)) {
      path += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      path += '%';
      path += digits[byte >> 4];
      path += digits[byte & 15];
    }
  }
  return path;
}

}  // namespace twinchain::ledger
