#include "twinchain/net/address_book.hpp"

#include <arpa/inet.h>

#include <algorithm>

#include "twinchain/base/text.hpp"

namespace twinchain::net {
namespace {

/// Host without brackets, and port; empty host when it is neither form.
std::pair<std::string, std::string> split_address(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos) return {};
  std::string host = address.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string::npos) {
    return {};
  }
  return {host, address.substr(colon + 1)};
}

}  // namespace

bool is_peer_address(const std::string& address) {
  if (address.size() > 64) return false;
  const auto [host, port] = split_address(address);
  const auto number = parse_decimal(port);
  in6_addr any{};
  return number && *number > 0 && *number < 65'536 &&
         (::inet_pton(AF_INET, host.c_str(), &any) == 1 ||
          ::inet_pton(AF_INET6, host.c_str(), &any) == 1);
}

std::string address_range(const std::string& address) {
  std::string host = split_address(address).first;
  in_addr four{};
  if (::inet_pton(AF_INET, host.c_str(), &four) == 1) {
    if (host.starts_with("127.")) return address;
    return host.substr(0, host.find('.', host.find('.') + 1));
  }
  in6_addr six{};
  if (::inet_pton(AF_INET6, host.c_str(), &six) == 1) {
    if (host == "::1") return address;
    return std::to_string(six.s6_addr[0] << 8 | six.s6_addr[1]) + ":" +
           std::to_string(six.s6_addr[2] << 8 | six.s6_addr[3]);
  }
  return host;
}

AddressBook::AddressBook(std::vector<std::string> given, const AddressLimits& limits)
    : limits_(limits) {
  for (const std::string& address : given) entries_[address].given = true;
}

void AddressBook::learn(const std::string& address, PeerId from) {
  if (!is_peer_address(address) || entries_.contains(address)) return;
  if (entries_.size() >= limits_.learned || learned_from_[from] >= limits_.learned_from_one) return;
  ++learned_from_[from];
  entries_[address] = {};
}

void AddressBook::tried(Entry& entry, std::int64_t now_ms) const {
  entry.retry_ms = std::clamp(2 * entry.retry_ms, limits_.first_retry_ms, limits_.last_retry_ms);
  entry.next_ms = now_ms + entry.retry_ms;
  entry.pending_until_ms = now_ms + limits_.connect_ms;
}

std::vector<std::string> AddressBook::due(std::int64_t now_ms,
                                          const std::set<std::string>& connected,
                                          const std::set<std::string>& linked) {
  std::vector<std::string> chosen;
  std::map<std::string, std::size_t> in_range;
  std::size_t learned_links = 0;
  for (const std::string& address : connected) {
    ++in_range[address_range(address)];
    const auto found = entries_.find(address);
    if (found == entries_.end() || !found->second.given) ++learned_links;
  }
  for (const auto& [address, entry] : entries_) {
    if (entry.given || connected.contains(address) || entry.pending_until_ms <= now_ms) continue;
    ++in_range[address_range(address)];
    ++learned_links;
  }
  for (auto& [address, entry] : entries_) {
    if (connected.contains(address) || entry.next_ms > now_ms) continue;
    if (!entry.given) {
      if (linked.contains(address)) continue;
      if (entry.pending_until_ms > now_ms) continue;
      std::size_t& range = in_range[address_range(address)];
      if (learned_links >= limits_.outbound || range >= limits_.outbound_in_range) continue;
      ++learned_links;
      ++range;
    }
    tried(entry, now_ms);
    chosen.push_back(address);
  }
  return chosen;
}

void AddressBook::succeeded(const std::string& address) {
  const auto found = entries_.find(address);
  if (found != entries_.end()) found->second.retry_ms = 0;
}

std::vector<std::string> AddressBook::some(std::size_t max) const {
  std::vector<std::string> addresses;
  for (const auto& [address, entry] : entries_) {
    if (addresses.size() >= max) break;
    if (is_peer_address(address)) addresses.push_back(address);
  }
  return addresses;
}

}  // namespace twinchain::net
