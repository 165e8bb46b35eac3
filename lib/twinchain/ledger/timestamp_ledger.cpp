#include "twinchain/ledger/timestamp_ledger.hpp"

#include <algorithm>
#include <exception>
#include <map>

#include "twinchain/base/text.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/ledger/http_client.hpp"
#include "twinchain/ledger/rpc_address.hpp"
#include "twinchain/sys/fd.hpp"

namespace twinchain::ledger {
namespace {

constexpr std::size_t max_path_bytes = 1000;
constexpr std::uint64_t max_certificates_file_bytes = std::uint64_t{4} << 20;
constexpr unsigned http_ok = 200;
constexpr unsigned http_server_error = 500;

class TimestampLedger final : public Ledger {
 public:
  TimestampLedger(Clock& clock, TimestampAddress address, const LedgerOptions& options,
                  std::optional<TimestampTrust> trust)
      : clock_(clock),
        address_(std::move(address)),
        name_("time-stamp authority at " + address_.display),
        trust_(std::move(trust)),
        client_({address_.host, address_.port, name_, "a time-stamp authority",
                 "is that the address for RFC 3161 requests?"},
                {options.timeout_ms, max_timestamp_response_bytes, options.cancel}) {}

  Result<Tip> tip() override {
    return Tip{*network_by_name("tsa"), 0, newest_, clock_.wall_ns() / 1'000'000'000};
  }

  Result<Prepared> prepare(ByteView payload) override {
    Hash256 hash{};
    if (payload.size() != anchor_tag.size() + hash.size()) {
      return fail(ExitCode::bug, "not the payload of an anchor");
    }
    std::copy(payload.begin() + anchor_tag.size(), payload.end(), hash.begin());
    const auto nonce = random_array<TimestampNonce{}.size()>();
    const Bytes request = timestamp_request(hash, nonce);
    auto answer =
        client_.post({address_.path, "application/timestamp-query", {}, as_text(request)});
    if (!answer) return pass(answer);
    TWINCHAIN_TRY(check_status(*answer));
    auto token = take_timestamp_response(as_bytes(answer->body), hash, nonce);
    if (!token) return wrong(std::move(token.error()));
    if (trust_) {
      if (auto believed = trust_->check(*token); !believed) {
        believed.error().code = ExitCode::refuted;
        believed.error().hint = "does --tsa-ca name the authority's certificates?";
        return wrong(std::move(believed.error()));
      }
    }
    Prepared prepared;
    prepared.txid = sha256(*token);
    prepared.raw_transaction = std::move(*token);
    return prepared;
  }

  /// A token that an earlier run was given comes here, too.
  Status broadcast(const Prepared& token, bool* fee_too_low) override {
    *fee_too_low = false;
    if (sha256(token.raw_transaction) != token.txid) {
      return fail(ExitCode::malformed, "a kept time-stamp is not what its hash says");
    }
    newest_ = token.txid;
    tokens_[token.txid] = token.raw_transaction;
    return {};
  }

  void abandon(const Prepared& token) override { tokens_.erase(token.txid); }

  Result<TransactionStatus> status(const Hash256& token) override {
    TransactionStatus status;
    if (!tokens_.contains(token)) return status;
    status.place = TransactionPlace::block;
    status.block_hash = token;
    status.depth = UINT32_MAX;  // it will not be more certain than it is
    return status;
  }

  Result<Prepared> bump_fee(const Prepared& /*token*/) override {
    return fail(ExitCode::bug, "a time-stamp has no fee");
  }

  Result<Receipt> receipt(const Hash256& token, ByteView payload) override {
    const auto found = tokens_.find(token);
    if (found == tokens_.end() || payload.size() != anchor_tag.size() + token.size()) {
      return fail(ExitCode::bug, "no such time-stamp");
    }
    Receipt receipt;
    receipt.network_magic = network_by_name("tsa")->magic;
    std::copy(payload.begin() + anchor_tag.size(), payload.end(), receipt.link_hash.begin());
    receipt.block_hash = token;
    receipt.timestamp_token = found->second;
    tokens_.erase(found);
    return receipt;
  }

  Result<BlockPosition> position(const Hash256& /*block_hash*/) override {
    return fail(ExitCode::usage, "a time-stamp authority has no blocks");
  }

  Result<bool> still_holds(const Receipt& receipt) override {
    if (receipt.timestamp_token.empty()) return false;
    return trust_ ? trust_->check(receipt.timestamp_token).has_value()
                  : check_timestamp_token(receipt.timestamp_token).has_value();
  }

  [[nodiscard]] std::string trust_statement() const override {
    return "a time-stamp authority's word; nothing else stands behind its time-stamps";
  }

 private:
  Status check_status(const HttpAnswer& answer) const {
    if (answer.status == http_ok) return {};
    return fail(answer.status >= http_server_error ? ExitCode::peer : ExitCode::usage,
                name_ + ": HTTP status " + decimal(std::uint64_t{answer.status}),
                "is that the address for RFC 3161 requests?");
  }
  std::unexpected<Error> wrong(Error error) const {
    error.message = name_ + ": " + error.message;
    return std::unexpected(std::move(error));
  }

  Clock& clock_;
  TimestampAddress address_;
  std::string name_;
  std::optional<TimestampTrust> trust_;
  HttpClient client_;
  Hash256 newest_{};
  std::map<Hash256, Bytes> tokens_;  ///< whose receipts were not asked for yet
};

}  // namespace

Result<TimestampAddress> parse_timestamp_url(std::string_view url) {
  constexpr std::string_view http = "http://";
  const auto refuse = [&](const char* why) {
    return fail(ExitCode::usage, "tsa:" + escape(url) + ": " + why,
                "an authority's address is written tsa:http://HOST/PATH");
  };
  if (url.starts_with("https://")) {
    return fail(ExitCode::usage, "https to a time-stamp authority is not supported",
                "its tokens are signed: plain http is enough, or a TLS tunnel");
  }
  if (!url.starts_with(http)) return refuse("does not begin with http://");
  const std::string_view rest = url.substr(http.size());
  const std::size_t slash = rest.find('/');
  TimestampAddress address;
  address.path = slash == std::string_view::npos ? "/" : rest.substr(slash);
  const auto plain = [](char c) { return c > ' ' && c < 0x7f && c != '#'; };
  if (address.path.size() > max_path_bytes ||
      !std::all_of(address.path.begin(), address.path.end(), plain)) {
    return refuse("has a path that a request cannot have");
  }
  std::string node(http);
  node += rest.substr(0, slash);
  const std::size_t bracket = node.rfind(']');
  const std::size_t colon = node.rfind(':');
  const std::size_t name_begins = bracket == std::string::npos ? http.size() : bracket;
  if (colon == std::string::npos || colon < name_begins) node += ":80";
  auto parsed = parse_rpc_url(node);
  if (!parsed) {
    parsed.error().hint = "an authority's address is written tsa:http://HOST/PATH";
    return pass(parsed);
  }
  address.display = parsed->display();
  address.host = std::move(parsed->host);
  address.port = std::move(parsed->port);
  return address;
}

Result<std::unique_ptr<Ledger>> open_timestamp_ledger(Clock& clock, std::string_view url,
                                                      const LedgerOptions& options) {
  auto address = parse_timestamp_url(url);
  if (!address) return pass(address);
  std::optional<TimestampTrust> trust;
  if (!options.timestamp_certificates_file.empty()) {
    auto read = read_timestamp_trust(options.timestamp_certificates_file);
    if (!read) return pass(read);
    trust = std::move(*read);
  }
  try {
    return std::make_unique<TimestampLedger>(clock, std::move(*address), options, std::move(trust));
  } catch (const std::exception& error) {
    return fail(ExitCode::system, "cannot set up networking: " + escape(error.what()));
  }
}

Result<TimestampTrust> read_timestamp_trust(const std::string& path) {
  auto pem = read_file(path, max_certificates_file_bytes);
  if (!pem) return pass(pem);
  auto trust = TimestampTrust::from_pem(*pem);
  if (!trust) trust.error().message = escape(path, 400) + ": " + trust.error().message;
  return trust;
}

}  // namespace twinchain::ledger
