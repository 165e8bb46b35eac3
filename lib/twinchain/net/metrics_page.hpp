// One page of text over HTTP, for who collects figures (Prometheus). Floor 6.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "twinchain/base/result.hpp"

namespace boost::asio {
class io_context;
}

namespace twinchain::net {

/// GET /metrics gives what `text` gives, anything else an error. Few connections at a time, each
/// with little time and room. Calls `text` from the thread that runs `io`.
class MetricsPage {
 public:
  static Result<std::unique_ptr<MetricsPage>> open(boost::asio::io_context& io,
                                                   const std::string& listen,
                                                   std::function<std::string()> text);
  ~MetricsPage();
  MetricsPage(const MetricsPage&) = delete;
  MetricsPage& operator=(const MetricsPage&) = delete;
  [[nodiscard]] std::string address() const;
  /// Begins to answer.
  void start();

 private:
  struct Parts;
  explicit MetricsPage(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace twinchain::net
