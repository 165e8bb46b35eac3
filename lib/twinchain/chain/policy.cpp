#include "twinchain/chain/policy.hpp"

#include <algorithm>
#include <charconv>
#include <set>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"

namespace twinchain::chain {
namespace {

constexpr std::size_t max_signers = 10'000;

/// Nothing, or what is wrong with the value.
using Complaint = std::optional<std::string>;

std::optional<bool> parse_yes_no(std::string_view value) {
  if (value == "yes") return true;
  if (value == "no") return false;
  return std::nullopt;
}

std::optional<double> parse_percentage(std::string_view value) {
  if (!value.ends_with('%')) return std::nullopt;
  value.remove_suffix(1);
  double number = 0;
  const auto [end, error] =
      std::from_chars(value.data(), value.data() + value.size(), number, std::chars_format::fixed);
  if (error != std::errc() || end != value.data() + value.size()) return std::nullopt;
  if (!(number >= 0 && number <= 100)) return std::nullopt;
  return number / 100;
}

Complaint set_signer(std::vector<TrustedKey>& signers, std::string_view value) {
  const std::size_t space = value.find_last_of(" \t");
  const std::string_view hex = space == std::string_view::npos ? "" : value.substr(space + 1);
  const auto key = hash_from_hex(hex);
  if (!key) return "a name and a public key in 64 hexadecimal digits are expected";
  if (signers.size() >= max_signers) return "too many keys";
  TrustedKey signer;
  signer.name = trim(value.substr(0, space));
  signer.key = *key;
  signers.push_back(std::move(signer));
  return std::nullopt;
}

Complaint set_value(Policy& policy, std::string_view name, std::string_view value, bool& known) {
  known = true;
  if (name == "signer") return set_signer(policy.signers, value);
  if (name == "cosigner") return set_signer(policy.cosigners, value);
  if (name == "require") {
    if (policy.required_cosigners.size() >= max_signers) return "too many names";
    policy.required_cosigners.emplace_back(value);
    return std::nullopt;
  }
  if (name == "cosigned-within") {
    policy.cosigned_within_ns = parse_duration_ns(value);
    if (!policy.cosigned_within_ns) return "a duration such as 1d or 12h is expected";
    return std::nullopt;
  }
  if (name == "network") {
    if (policy.networks.size() >= max_signers) return "too many networks";
    policy.networks.emplace_back(value);
    return std::nullopt;
  }
  if (name == "min-depth") {
    const auto depth = parse_decimal(value);
    if (!depth || *depth == 0 || *depth > 0xffff'ffff) return "a number of blocks is expected";
    policy.min_depth = static_cast<std::uint32_t>(*depth);
    return std::nullopt;
  }
  if (name == "largest-gap") {
    policy.largest_gap_ns = parse_duration_ns(value);
    if (!policy.largest_gap_ns) return "a duration such as 10s or 500ms is expected";
    return std::nullopt;
  }
  if (name == "require-anchor") {
    const auto truth = parse_yes_no(value);
    if (!truth) return "yes or no is expected";
    policy.require_anchor = *truth;
    return std::nullopt;
  }
  if (name == "clock") {
    if (value != "note" && value != "refuse") return "note or refuse is expected";
    policy.refuse_clock_findings = value == "refuse";
    return std::nullopt;
  }
  if (name == "least-rows") {
    policy.least_rows = parse_percentage(value);
    if (!policy.least_rows) return "a percentage such as 99.5% is expected";
    return std::nullopt;
  }
  known = false;
  return std::nullopt;
}

}  // namespace

Result<Policy> parse_policy(ByteView text) {
  Policy policy;
  std::set<std::string, std::less<>> seen;
  std::uint64_t number = 0;
  for (std::string_view line : split(as_text(text), '\n')) {
    ++number;
    const auto complain = [&](std::string message) {
      return fail(ExitCode::usage, "policy line " + decimal(number) + ": " + std::move(message));
    };
    line = trim(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) return complain("\"name = value\" is expected");
    const std::string_view name = trim(line.substr(0, equals));
    const std::string_view value = trim(line.substr(equals + 1));
    if (value.empty()) return complain(escape(name) + " has no value");
    const bool may_repeat =
        name == "signer" || name == "cosigner" || name == "require" || name == "network";
    if (!may_repeat && !seen.emplace(name).second) {
      return complain(escape(name) + " is said twice");
    }
    bool known = false;
    const Complaint complaint = set_value(policy, name, value, known);
    if (!known) {
      auto error = complain("unknown name " + escape(name));
      error.error().hint =
          "known are signer, network, min-depth, largest-gap, require-anchor, clock, least-rows, "
          "cosigner, require, cosigned-within";
      return error;
    }
    if (complaint) return complain(std::string(name) + ": " + *complaint);
  }
  return policy;
}

Status check_policy(const Policy& policy) {
  for (const std::string& name : policy.required_cosigners) {
    const auto known = [&](const TrustedKey& key) { return key.name == name; };
    if (std::none_of(policy.cosigners.begin(), policy.cosigners.end(), known)) {
      return fail(ExitCode::usage,
                  "the policy requires " + escape(name) + ", of whom no key is given",
                  "cosigner = NAME KEY in the policy, or --cosigner FILE.pub");
    }
  }
  return {};
}

}  // namespace twinchain::chain
