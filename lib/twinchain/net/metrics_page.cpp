#include "twinchain/net/metrics_page.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <optional>

#include "twinchain/net/listener.hpp"

namespace twinchain::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;

constexpr std::size_t max_metrics_connections = 16;
constexpr std::uint32_t max_metrics_header_bytes = 8 * 1024;
constexpr auto metrics_time = std::chrono::seconds(10);
constexpr auto metrics_accept_pause = std::chrono::milliseconds(100);

/// One request, one answer.
class MetricsConnection : public std::enable_shared_from_this<MetricsConnection> {
 public:
  MetricsConnection(tcp::socket socket, const std::function<std::string()>& text)
      : stream_(std::move(socket)), text_(text) {
    parser_.header_limit(max_metrics_header_bytes);
    parser_.body_limit(std::uint64_t{0});
  }

  void start() {
    stream_.expires_after(metrics_time);
    http::async_read(
        stream_, buffer_, parser_,
        [self = shared_from_this()](const beast::error_code& error, std::size_t /*unused*/) {
          if (error) return;
          self->answer();
        });
  }

 private:
  void answer() {
    const auto& request = parser_.get();
    answer_.version(11);
    answer_.set(http::field::connection, "close");
    const bool is_read =
        request.method() == http::verb::get || request.method() == http::verb::head;
    if (!is_read) {
      answer_.result(http::status::method_not_allowed);
      answer_.set(http::field::allow, "GET, HEAD");
    } else if (request.target() != "/metrics") {
      answer_.result(http::status::not_found);
    } else {
      answer_.result(http::status::ok);
      answer_.set(http::field::content_type, "text/plain; version=0.0.4; charset=utf-8");
      answer_.body() = text_();
    }
    answer_.prepare_payload();
    if (request.method() == http::verb::head) answer_.body().clear();
    stream_.expires_after(metrics_time);
    http::async_write(
        stream_, answer_,
        [self = shared_from_this()](const beast::error_code& /*unused*/, std::size_t /*unused*/) {
          beast::error_code ignored;
          (void)self->stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
        });
  }

  beast::tcp_stream stream_;
  const std::function<std::string()>& text_;
  beast::flat_buffer buffer_{max_metrics_header_bytes};
  http::request_parser<http::string_body> parser_;
  http::response<http::string_body> answer_;
};

}  // namespace

struct MetricsPage::Parts {
  Parts(tcp::acceptor listening, std::function<std::string()> call)
      : acceptor(std::move(listening)), pause(acceptor.get_executor()), text(std::move(call)) {}

  void accept() {
    acceptor.async_accept([this](const beast::error_code& error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) {
        // Most likely there are no descriptors left: some will be given back.
        pause.expires_after(metrics_accept_pause);
        pause.async_wait([this](const beast::error_code& aborted) {
          if (!aborted) accept();
        });
        return;
      }
      std::erase_if(connections, [](const auto& connection) { return connection.expired(); });
      if (connections.size() < max_metrics_connections) {
        const auto connection = std::make_shared<MetricsConnection>(std::move(socket), text);
        connections.push_back(connection);
        connection->start();
      }
      accept();
    });
  }

  tcp::acceptor acceptor;
  asio::steady_timer pause;
  std::function<std::string()> text;
  std::vector<std::weak_ptr<MetricsConnection>> connections;
};

MetricsPage::MetricsPage(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
MetricsPage::~MetricsPage() = default;

Result<std::unique_ptr<MetricsPage>> MetricsPage::open(asio::io_context& io,
                                                       const std::string& listen,
                                                       std::function<std::string()> text) {
  auto acceptor = open_listener(io, listen);
  if (!acceptor) return pass(acceptor);
  auto parts = std::make_unique<Parts>(std::move(*acceptor), std::move(text));
  return std::unique_ptr<MetricsPage>(new MetricsPage(std::move(parts)));
}

std::string MetricsPage::address() const {
  return listened_address(parts_->acceptor);
}

void MetricsPage::start() {
  parts_->accept();
}

}  // namespace twinchain::net
