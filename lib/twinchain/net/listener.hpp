// Listening sockets, for the files of this module that speak Asio. Floor 6.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <string>

#include "twinchain/base/result.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/net/address_guard.hpp"

namespace twinchain::net {

/// Asio's messages begin with a capital letter.
inline std::string asio_reason(const boost::system::error_code& error) {
  std::string message = error.message();
  if (!message.empty() && message[0] >= 'A' && message[0] <= 'Z') {
    message[0] = static_cast<char>(message[0] - 'A' + 'a');
  }
  return escape(message);
}

/// "HOST:PORT" of an endpoint; IPv4 addresses in IPv6 ones as what they are.
inline std::string endpoint_text(const boost::asio::ip::tcp::endpoint& endpoint) {
  auto address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6());
  }
  return join_host_port(address.to_string(), endpoint.port());
}

/// ExitCode::usage for an address that is none, ExitCode::system when it cannot be listened to.
inline Result<boost::asio::ip::tcp::acceptor> open_listener(boost::asio::io_context& io,
                                                            const std::string& listen) {
  using tcp = boost::asio::ip::tcp;
  const auto parts = split_host_port(listen);
  if (!parts) {
    return fail(ExitCode::usage, escape(listen) + ": not an address to listen at",
                "HOST:PORT, port 0 for a free one");
  }
  boost::system::error_code error;
  tcp::resolver resolver(io);
  const auto found = resolver.resolve(
      parts->host, parts->port, tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (error || found.empty()) {
    return fail(ExitCode::usage, escape(listen) + ": cannot look up: " + asio_reason(error));
  }
  const tcp::endpoint endpoint = *found.begin();
  tcp::acceptor acceptor(io);
  (void)acceptor.open(endpoint.protocol(), error);
  if (!error) (void)acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) (void)acceptor.bind(endpoint, error);
  if (!error) (void)acceptor.listen(boost::asio::socket_base::max_listen_connections, error);
  if (error) {
    return fail(ExitCode::system, "cannot listen at " + escape(listen) + ": " + asio_reason(error));
  }
  return acceptor;
}

inline std::string listened_address(const boost::asio::ip::tcp::acceptor& acceptor) {
  boost::system::error_code ignored;
  return endpoint_text(acceptor.local_endpoint(ignored));
}

}  // namespace twinchain::net
