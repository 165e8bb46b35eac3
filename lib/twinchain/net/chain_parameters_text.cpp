#include <algorithm>
#include <set>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/net/chain_parameters.hpp"

namespace twinchain::net {
namespace {

std::string hex32(std::uint32_t value) {
  return to_hex(std::array<std::uint8_t, 4>{
      static_cast<std::uint8_t>(value >> 24), static_cast<std::uint8_t>(value >> 16),
      static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)});
}

std::optional<std::uint32_t> parse_hex32(std::string_view text) {
  const auto bytes = from_hex(text);
  if (!bytes || bytes->size() != 4) return std::nullopt;
  return std::uint32_t{(*bytes)[0]} << 24 | std::uint32_t{(*bytes)[1]} << 16 |
         std::uint32_t{(*bytes)[2]} << 8 | (*bytes)[3];
}

/// The canonical text of all that makes a network: what rules_hash() is of, and most of the file.
std::string rules_text(const ChainParameters& parameters) {
  const auto number = [](std::uint64_t value) { return decimal(value); };
  std::string text;
  const auto line = [&](std::string_view name, std::string_view value) {
    text.append(name).append(" = ").append(value).append("\n");
  };
  line("name", parameters.name);
  line("magic", hex32(parameters.magic));
  line("difficulty", "asert");
  line("spacing", number(parameters.spacing_s) + "s");
  line("half-life", number(parameters.half_life_s) + "s");
  line("easiest-target", hex32(parameters.easiest_bits));
  line("subsidy", decimal(parameters.subsidy_sat));
  line("halving", number(parameters.halving_interval));
  line("maturity", number(parameters.coinbase_maturity));
  line("block-size-limit", number(parameters.block_limit_bytes));
  line("transaction-size-limit", number(parameters.transaction_limit_bytes));
  line("data-tag", as_text(parameters.data_tag));
  line("genesis-time",
       format_time_ns(static_cast<std::int64_t>(parameters.genesis_time_s) * 1'000'000'000));
  if (!parameters.genesis_message.empty()) line("genesis-message", parameters.genesis_message);
  for (const bitcoin::TxOut& funding : parameters.fundings) {
    line("fund", decimal(funding.value_sat) + " " + to_hex(funding.script_pubkey));
  }
  return text;
}

/// Nothing, or what is wrong with a value.
using Wrong = std::optional<std::string>;

template <class T>
Wrong set_number(T& into, std::string_view value) {
  const auto number = parse_decimal(value);
  if (!number || !std::in_range<T>(*number)) return "a number is expected";
  into = static_cast<T>(*number);
  return std::nullopt;
}

Wrong set_seconds(std::uint32_t& into, std::string_view value) {
  constexpr std::int64_t second_ns = 1'000'000'000;
  const auto duration_ns = parse_duration_ns(value);
  if (!duration_ns || *duration_ns % second_ns != 0 ||
      !std::in_range<std::uint32_t>(*duration_ns / second_ns)) {
    return "a duration of whole seconds such as 10s or 5m is expected";
  }
  into = static_cast<std::uint32_t>(*duration_ns / second_ns);
  return std::nullopt;
}

Wrong set_size(std::uint64_t& into, std::string_view value) {
  const auto size = parse_size_bytes(value);
  if (!size) return "a size such as 4096 or 256MiB is expected";
  into = *size;
  return std::nullopt;
}

Wrong set_hex32(std::uint32_t& into, std::string_view value) {
  const auto number = parse_hex32(value);
  if (!number) return "8 hexadecimal digits are expected";
  into = *number;
  return std::nullopt;
}

Wrong set_time(std::uint32_t& into, std::string_view value) {
  const auto time_ns = parse_time_iso8601_ns(value);
  if (!time_ns || *time_ns % 1'000'000'000 != 0 ||
      !std::in_range<std::uint32_t>(*time_ns / 1'000'000'000)) {
    return "a time of whole seconds such as 2026-11-22T14:00:00Z is expected";
  }
  into = static_cast<std::uint32_t>(*time_ns / 1'000'000'000);
  return std::nullopt;
}

Wrong add_funding(std::vector<bitcoin::TxOut>& fundings, std::string_view value) {
  if (fundings.size() >= max_fundings) return "too many";
  const std::size_t space = value.find(' ');
  const auto amount = parse_decimal(value.substr(0, space));
  const auto script =
      space == std::string_view::npos ? std::nullopt : from_hex(trim(value.substr(space)));
  if (!amount || *amount > static_cast<std::uint64_t>(max_money_sat) || !script) {
    return "a value in satoshi and a script in hexadecimal digits are expected";
  }
  if (script->size() > max_funding_script_bytes)
    return "a script of at most 1000 bytes is expected";
  fundings.push_back({static_cast<std::int64_t>(*amount), *script});
  return std::nullopt;
}

struct Reader {
  ChainParameters parameters;
  std::optional<Hash256> hash;

  /// Nothing for an unknown name.
  std::optional<Wrong> set(std::string_view name, std::string_view value) {
    if (name == "name") return set_text(parameters.name, value, max_name_bytes);
    if (name == "magic") return set_hex32(parameters.magic, value);
    if (name == "difficulty") return value == "asert" ? Wrong() : Wrong("asert is expected");
    if (name == "spacing") return set_seconds(parameters.spacing_s, value);
    if (name == "half-life") return set_seconds(parameters.half_life_s, value);
    if (name == "easiest-target") return set_hex32(parameters.easiest_bits, value);
    if (name == "subsidy") return set_number(parameters.subsidy_sat, value);
    if (name == "halving") return set_number(parameters.halving_interval, value);
    if (name == "maturity") return set_number(parameters.coinbase_maturity, value);
    if (name == "block-size-limit") return set_size(parameters.block_limit_bytes, value);
    if (name == "transaction-size-limit") {
      return set_size(parameters.transaction_limit_bytes, value);
    }
    if (name == "minimum-fee-rate") return set_number(parameters.min_fee_rate_sat, value);
    if (name == "data-tag") return set_tag(value);
    if (name == "genesis-time") return set_time(parameters.genesis_time_s, value);
    if (name == "genesis-message") {
      return set_text(parameters.genesis_message, value, max_message_bytes);
    }
    if (name == "fund") return add_funding(parameters.fundings, value);
    if (name == "genesis-nonce") return set_number(parameters.genesis_nonce, value);
    if (name == "genesis-hash") return set_hash(value);
    return std::nullopt;
  }

 private:
  static Wrong set_text(std::string& into, std::string_view value, std::size_t max_bytes) {
    if (value.size() > max_bytes) return "at most " + decimal(max_bytes) + " bytes are expected";
    into = value;
    return std::nullopt;
  }
  Wrong set_tag(std::string_view value) {
    if (value.size() > max_data_tag_bytes) return "at most 16 bytes are expected";
    const ByteView bytes = as_bytes(value);
    parameters.data_tag.assign(bytes.begin(), bytes.end());
    return std::nullopt;
  }
  Wrong set_hash(std::string_view value) {
    hash = hash_from_hex_reversed(value);
    return hash ? Wrong() : Wrong("64 hexadecimal digits are expected");
  }
};

constexpr std::string_view required_names[] = {"name",         "magic",
                                               "difficulty",   "spacing",
                                               "half-life",    "easiest-target",
                                               "subsidy",      "halving",
                                               "maturity",     "block-size-limit",
                                               "data-tag",     "transaction-size-limit",
                                               "genesis-time", "genesis-nonce",
                                               "genesis-hash"};

}  // namespace

Hash256 rules_hash(const ChainParameters& parameters) {
  return sha256(as_bytes("twinchain network 1\n" + rules_text(parameters)));
}

std::string format_parameters(const ChainParameters& parameters) {
  return "# Parameters of a twinchain network, version 1 (mnode(1)). Each node gets this file.\n" +
         rules_text(parameters) + "minimum-fee-rate = " + decimal(parameters.min_fee_rate_sat) +
         "\ngenesis-nonce = " + decimal(std::uint64_t{parameters.genesis_nonce}) +
         "\ngenesis-hash = " + to_hex_reversed(genesis_hash(parameters)) + "\n";
}

Result<ChainParameters> parse_parameters(ByteView text) {
  if (text.size() > max_parameters_file_bytes) {
    return fail(ExitCode::usage, "parameters: longer than such a file can be");
  }
  Reader reader;
  std::set<std::string, std::less<>> seen;
  std::uint64_t number = 0;
  for (std::string_view line : split(as_text(text), '\n')) {
    ++number;
    const auto complain = [&](const std::string& message) {
      return fail(ExitCode::usage, "parameters line " + decimal(number) + ": " + message);
    };
    line = trim(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) return complain("\"name = value\" is expected");
    const std::string_view name = trim(line.substr(0, equals));
    const std::string_view value = trim(line.substr(equals + 1));
    if (value.empty()) return complain(escape(name) + " has no value");
    const auto wrong = reader.set(name, value);
    if (!wrong) return complain("unknown name " + escape(name));
    if (*wrong) return complain(std::string(name) + ": " + **wrong);
    if (name != "fund" && !seen.emplace(name).second) {
      return complain(std::string(name) + " is said twice");
    }
  }
  for (const std::string_view name : required_names) {
    if (!seen.contains(name)) {
      return fail(ExitCode::usage, "parameters: " + std::string(name) + " is missing");
    }
  }
  TWINCHAIN_TRY(check_parameters(reader.parameters));
  const Hash256 hash = genesis_hash(reader.parameters);
  if (hash != *reader.hash) {
    return fail(ExitCode::usage, "parameters: the genesis hash does not belong to these rules",
                "all nodes of a network use the very file that mnode genesis made");
  }
  if (!bitcoin::meets_target(hash, reader.parameters.easiest_bits,
                             reader.parameters.easiest_target())) {
    return fail(ExitCode::usage, "parameters: the genesis block does not meet its proof of work");
  }
  return std::move(reader.parameters);
}

}  // namespace twinchain::net
