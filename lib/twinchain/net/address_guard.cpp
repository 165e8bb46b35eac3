#include "twinchain/net/address_guard.hpp"

#include <arpa/inet.h>

#include <algorithm>

#include "twinchain/base/text.hpp"

namespace twinchain::net {
namespace {

constexpr std::size_t max_bans = 10'000;
constexpr std::size_t v4_offset = 12;
constexpr std::size_t v4_range_bytes = v4_offset + 2;
constexpr std::size_t v6_range_bytes = 4;
constexpr std::size_t max_host_bytes = 255;

template <class Key>
void add_ban(std::map<Key, std::uint64_t>& bans, const Key& key, std::uint64_t until_ns,
             std::uint64_t now_ns) {
  if (bans.size() >= max_bans) std::erase_if(bans, [&](auto& ban) { return ban.second <= now_ns; });
  if (bans.size() >= max_bans) {
    bans.erase(std::min_element(bans.begin(), bans.end(),
                                [](const auto& a, const auto& b) { return a.second < b.second; }));
  }
  bans[key] = until_ns;
}

template <class Key>
bool is_banned(std::map<Key, std::uint64_t>& bans, const Key& key, std::uint64_t now_ns) {
  const auto found = bans.find(key);
  if (found == bans.end()) return false;
  if (found->second > now_ns) return true;
  bans.erase(found);
  return false;
}

}  // namespace

bool IpAddress::is_v4() const {
  return std::all_of(bytes.begin(), bytes.begin() + 10, [](auto byte) { return byte == 0; }) &&
         bytes[10] == 0xff && bytes[11] == 0xff;
}

bool IpAddress::is_loopback() const {
  if (is_v4()) return bytes[v4_offset] == 127;
  return std::all_of(bytes.begin(), bytes.end() - 1, [](auto byte) { return byte == 0; }) &&
         bytes[15] == 1;
}

IpAddress IpAddress::range() const {
  IpAddress result;
  std::copy_n(bytes.begin(), is_v4() ? v4_range_bytes : v6_range_bytes, result.bytes.begin());
  return result;
}

std::optional<IpAddress> parse_ip_address(const std::string& text) {
  IpAddress address;
  if (::inet_pton(AF_INET6, text.c_str(), address.bytes.data()) == 1) return address;
  address.bytes = {};
  address.bytes[10] = 0xff;
  address.bytes[11] = 0xff;
  if (::inet_pton(AF_INET, text.c_str(), address.bytes.data() + v4_offset) == 1) return address;
  return std::nullopt;
}

std::optional<HostPort> split_host_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  const auto number = parse_decimal(port);
  if (!number || *number > 65'535) return std::nullopt;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;
  }
  static constexpr std::string_view never_in_a_host("[]\0", 3);
  if (host.empty() || host.size() > max_host_bytes ||
      host.find_first_of(never_in_a_host) != std::string_view::npos) {
    return std::nullopt;
  }
  return HostPort{std::string(host), decimal(*number)};
}

std::string join_host_port(const std::string& host, std::uint16_t port) {
  std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
  text += ':';
  text += decimal(std::uint64_t{port});
  return text;
}

bool AddressGuard::enter(const IpAddress& address) {
  if (exempt_loopback_ && address.is_loopback()) return true;
  std::size_t& count = ranges_[address.range()];
  if (count >= max_links_per_range_) {
    if (count == 0) ranges_.erase(address.range());
    return false;
  }
  ++count;
  return true;
}

void AddressGuard::leave(const IpAddress& address) {
  if (exempt_loopback_ && address.is_loopback()) return;
  const auto found = ranges_.find(address.range());
  if (found == ranges_.end()) return;
  if (--found->second == 0) ranges_.erase(found);
}

void AddressGuard::ban(const IpAddress& address, std::uint64_t now_ns) {
  if (!address.is_loopback()) add_ban(addresses_, address, now_ns + ban_ns_, now_ns);
}
void AddressGuard::ban(const Hash256& node_key, std::uint64_t now_ns) {
  add_ban(keys_, node_key, now_ns + ban_ns_, now_ns);
}
bool AddressGuard::banned(const IpAddress& address, std::uint64_t now_ns) {
  return is_banned(addresses_, address, now_ns);
}
bool AddressGuard::banned(const Hash256& node_key, std::uint64_t now_ns) {
  return is_banned(keys_, node_key, now_ns);
}

}  // namespace twinchain::net
