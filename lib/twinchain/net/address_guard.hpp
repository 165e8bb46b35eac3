// Who may link to a node: addresses, ranges of them, bans. Floor 6.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "twinchain/base/bytes.hpp"

namespace twinchain::net {

/// An IPv4 address is kept as IPv6 keeps it (::ffff:a.b.c.d).
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};
  [[nodiscard]] bool is_v4() const;
  [[nodiscard]] bool is_loopback() const;
  /// The network that it is likely to share with others of one owner: /16 of IPv4, /32 of IPv6.
  [[nodiscard]] IpAddress range() const;
  auto operator<=>(const IpAddress&) const = default;
};
/// A number only, no name; without brackets or port.
std::optional<IpAddress> parse_ip_address(const std::string& text);

struct HostPort {
  std::string host;  ///< without brackets
  std::string port;  ///< 0 to 65535 in decimal
};
/// "HOST:PORT" or "[IPv6]:PORT".
std::optional<HostPort> split_host_port(std::string_view text);
std::string join_host_port(const std::string& host, std::uint16_t port);

/// Counts inbound links by range, so that one owner cannot take all places, and remembers who
/// misbehaved. Bounded. The time is given. Belongs to one thread at a time.
class AddressGuard {
 public:
  AddressGuard(std::size_t max_links_per_range, bool exempt_loopback, std::uint64_t ban_ns)
      : max_links_per_range_(max_links_per_range),
        exempt_loopback_(exempt_loopback),
        ban_ns_(ban_ns) {}

  /// Takes a place in the address's range; false when there is none left.
  bool enter(const IpAddress& address);
  void leave(const IpAddress& address);

  /// Not a loopback address: all of a machine's programs would be meant.
  void ban(const IpAddress& address, std::uint64_t now_ns);
  void ban(const Hash256& node_key, std::uint64_t now_ns);
  bool banned(const IpAddress& address, std::uint64_t now_ns);
  bool banned(const Hash256& node_key, std::uint64_t now_ns);
  /// Bans that may have ended already included.
  [[nodiscard]] std::size_t ban_count() const { return addresses_.size() + keys_.size(); }

 private:
  std::size_t max_links_per_range_;
  bool exempt_loopback_;
  std::uint64_t ban_ns_;
  std::map<IpAddress, std::size_t> ranges_;
  std::map<IpAddress, std::uint64_t> addresses_;  // until when
  std::map<Hash256, std::uint64_t> keys_;
};

}  // namespace twinchain::net
