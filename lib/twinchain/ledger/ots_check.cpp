#include "twinchain/ledger/ots_check.hpp"

#include <limits>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/json_writer.hpp"
#include "twinchain/base/text.hpp"

namespace twinchain::ledger {
namespace {

using Kind = OtsAttestation::Kind;

std::string height_text(std::string_view network, std::uint64_t height) {
  std::string text(network);
  text += " block ";
  text += decimal(height);
  return text;
}

Status look_up(const FindOtsBlock& find_block, std::string_view network, ByteView message,
               std::uint32_t min_depth, OtsFinding& finding) {
  const std::uint64_t height = finding.attestation.height;
  if (height > std::numeric_limits<std::uint32_t>::max()) {
    finding.outcome = OtsOutcome::refuted;
    finding.message = "no chain has a block of that height";
    return {};
  }
  auto block = find_block(network, static_cast<std::uint32_t>(height));
  if (!block) {
    const ExitCode code = block.error().code;
    if (code != ExitCode::unproven && code != ExitCode::peer) return pass(block);
    finding.outcome = code == ExitCode::peer ? OtsOutcome::away : OtsOutcome::not_checked;
    finding.message = std::move(block.error().message);
    return {};
  }
  const bitcoin::BlockHeader header = bitcoin::parse_header(block->header);
  finding.block_hash = bitcoin::block_hash(block->header);
  finding.time_s = header.time_s;
  finding.block = std::move(*block);
  if (!ots_message_is_root(message, header.merkle_root)) {
    finding.outcome = OtsOutcome::refuted;
    finding.message =
        "the proof does not lead to the block's merkle root " + to_hex_reversed(header.merkle_root);
  } else if (finding.block->depth < min_depth) {
    finding.outcome = OtsOutcome::not_deep;
    finding.message = "the block is " + decimal(std::uint64_t{finding.block->depth}) + " deep of " +
                      decimal(std::uint64_t{min_depth});
  } else {
    finding.outcome = OtsOutcome::proven;
  }
  return {};
}

Status judge(const FindOtsBlock& find_block, ByteView message, std::uint32_t min_depth,
             OtsFinding& finding) {
  switch (finding.attestation.kind) {
    case Kind::bitcoin:
      return look_up(find_block, "bitcoin", message, min_depth, finding);
    case Kind::litecoin:
      return look_up(find_block, "litecoin", message, min_depth, finding);
    case Kind::ethereum:
      finding.outcome = OtsOutcome::not_checked;
      finding.message = "this program cannot check blocks of ethereum";
      return {};
    case Kind::pending:
      finding.outcome = OtsOutcome::pending;
      finding.message = "a promise of this calendar, and no proof yet";
      return {};
    case Kind::unknown:
      finding.outcome = OtsOutcome::unknown;
      finding.message = "of a kind that this program does not know";
      return {};
  }
  return {};
}

std::string_view network_of(Kind kind) {
  switch (kind) {
    case Kind::bitcoin:
      return "bitcoin";
    case Kind::litecoin:
      return "litecoin";
    case Kind::ethereum:
      return "ethereum";
    case Kind::pending:
    case Kind::unknown:
      break;
  }
  return {};
}

std::string claim_text(const OtsAttestation& attestation) {
  if (const auto network = network_of(attestation.kind); !network.empty()) {
    return height_text(network, attestation.height);
  }
  if (attestation.kind == Kind::pending) return "calendar " + escape(attestation.uri, 1000);
  return "attestation " + to_hex(attestation.tag) + " of " +
         decimal(std::uint64_t{attestation.payload.size()}) + " bytes";
}

std::string block_text(const OtsFinding& finding) {
  return format_time_ns(finding.time_s * 1'000'000'000) + ", block hash " +
         to_hex_reversed(*finding.block_hash) + ", " +
         decimal(std::uint64_t{finding.block->depth}) + " deep";
}

std::string_view verdict_of(const OtsReport& report) {
  switch (report.code()) {
    case ExitCode::success:
      return "verified";
    case ExitCode::refuted:
      return "refuted";
    case ExitCode::peer:
      return "not checked";
    default:
      return "not proven";
  }
}

/// What the verdict rests on: the first in this order that applies. Empty when all is proven.
std::string_view reason_of(const OtsReport& report) {
  const auto has = [&report](OtsOutcome outcome) {
    for (const OtsFinding& finding : report.findings) {
      if (finding.outcome == outcome) return true;
    }
    return false;
  };
  if (report.target && !report.is_of_target()) return "wrong-target";
  if (has(OtsOutcome::refuted)) return ots_outcome_name(OtsOutcome::refuted);
  if (has(OtsOutcome::proven)) return report.target ? "" : "no-target";
  for (const OtsOutcome outcome : {OtsOutcome::away, OtsOutcome::not_deep, OtsOutcome::not_checked,
                                   OtsOutcome::pending, OtsOutcome::unknown}) {
    if (has(outcome)) return ots_outcome_name(outcome);
  }
  return "no-attestation";
}

std::string first_line(const OtsReport& report) {
  const std::string hash_name(ots_file_hash_name(report.file_hash));
  const std::string target = report.target
                                 ? escape(report.target_name, 400)
                                 : "the file of " + hash_name + " " + to_hex(report.digest);
  std::string line(verdict_of(report));
  line += ": ";
  if (report.target && !report.is_of_target()) {
    return line + target + " is not the file of this proof: its " + hash_name + " is " +
           to_hex(*report.target) + ", the proof's " + to_hex(report.digest);
  }
  const OtsFinding* const best = report.best();
  if (report.code() == ExitCode::refuted) {
    line += "an attestation is not true";
  } else if (best != nullptr) {
    line += target;
    line += " existed at ";
    line += format_time_ns(best->time_s * 1'000'000'000);
    line += ", as ";
    line += claim_text(best->attestation);
    line += " shows (";
    line += decimal(std::uint64_t{best->block->depth});
    line += " deep; ";
    line += best->block->trust;
    line += ")";
    if (!report.target) line += "; no file was compared with that";
  } else {
    line += "no block is known that shows since when ";
    line += target;
    line += " exists";
  }
  return line;
}

}  // namespace

std::string_view ots_outcome_name(OtsOutcome outcome) {
  switch (outcome) {
    case OtsOutcome::proven:
      return "proven";
    case OtsOutcome::refuted:
      return "refuted";
    case OtsOutcome::not_deep:
      return "not-deep";
    case OtsOutcome::not_checked:
      return "not-checked";
    case OtsOutcome::away:
      return "away";
    case OtsOutcome::pending:
      return "pending";
    case OtsOutcome::unknown:
      break;
  }
  return "unknown";
}

std::string_view ots_file_hash_name(OtsOperation operation) {
  switch (operation) {
    case OtsOperation::sha1:
      return "sha1";
    case OtsOperation::ripemd160:
      return "ripemd160";
    case OtsOperation::keccak256:
      return "keccak256";
    default:
      return "sha256";
  }
}

ExitCode OtsReport::code() const {
  if (target && !is_of_target()) return ExitCode::refuted;
  bool proven = false;
  bool away = false;
  for (const OtsFinding& finding : findings) {
    if (finding.outcome == OtsOutcome::refuted) return ExitCode::refuted;
    proven = proven || finding.outcome == OtsOutcome::proven;
    away = away || finding.outcome == OtsOutcome::away;
  }
  if (proven) return target ? ExitCode::success : ExitCode::unproven;
  return away ? ExitCode::peer : ExitCode::unproven;
}

const OtsFinding* OtsReport::best() const {
  const OtsFinding* best = nullptr;
  for (const OtsFinding& finding : findings) {
    if (finding.outcome != OtsOutcome::proven) continue;
    if (best == nullptr || finding.time_s < best->time_s) best = &finding;
  }
  return best;
}

Status check_ots(const OtsProof& proof, const FindOtsBlock& find_block, std::uint32_t min_depth,
                 OtsReport& report) {
  report.file_hash = proof.file_hash;
  report.digest = proof.digest;
  Status status;
  for_each_attestation(proof, [&](const OtsAttestation& attestation, ByteView message) {
    if (!status) return;
    if (report.findings.size() >= max_ots_findings) {
      ++report.more_findings;
      return;
    }
    OtsFinding finding;
    finding.attestation = attestation;
    status = judge(find_block, message, min_depth, finding);
    report.findings.push_back(std::move(finding));
  });
  return status;
}

std::string ots_report_text(const OtsReport& report) {
  std::string text = first_line(report);
  text += '\n';
  for (const OtsFinding& finding : report.findings) {
    text += ots_outcome_name(finding.outcome);
    text += ": ";
    text += claim_text(finding.attestation);
    if (!finding.message.empty()) text += ": " + finding.message;
    if (finding.block) text += ": " + block_text(finding);
    text += '\n';
  }
  if (report.more_findings > 0) {
    text +=
        "not-checked: " + decimal(std::uint64_t{report.more_findings}) + " further attestations\n";
  }
  return text;
}

std::string ots_report_json(const OtsReport& report) {
  JsonWriter json;
  const auto member_or_null = [&json](const char* name, std::string_view text) {
    json.key(name);
    text.empty() ? json.null() : json.value(text);
  };
  json.begin_object();
  json.member("version", std::uint32_t{1});
  json.member("program", std::string("verify ") + TWINCHAIN_VERSION);
  json.member("kind", "ots");
  json.member("verdict", verdict_of(report));
  member_or_null("reason", reason_of(report));
  json.member("exit_code", static_cast<std::int32_t>(report.code()));
  json.member("proof", report.proof_name);
  json.member("file_hash", ots_file_hash_name(report.file_hash));
  json.member("digest", to_hex(report.digest));
  member_or_null("target", report.target ? report.target_name : "");
  member_or_null("target_digest", report.target ? to_hex(*report.target) : "");
  const OtsFinding* const best = report.best();
  member_or_null("existed_at", best != nullptr && report.code() != ExitCode::refuted
                                   ? format_time_ns(best->time_s * 1'000'000'000)
                                   : "");
  json.key("attestations").begin_array();
  for (const OtsFinding& finding : report.findings) {
    const OtsAttestation& attestation = finding.attestation;
    json.begin_object();
    json.member("outcome", ots_outcome_name(finding.outcome));
    member_or_null("message", finding.message);
    const auto network = network_of(attestation.kind);
    member_or_null("network", network);
    member_or_null("height", network.empty() ? "" : decimal(attestation.height));
    member_or_null("calendar", attestation.uri);
    json.member("tag", to_hex(attestation.tag));
    json.member("payload", to_hex(attestation.payload));
    member_or_null("block", finding.block_hash ? to_hex_reversed(*finding.block_hash) : "");
    member_or_null("time", finding.block ? format_time_ns(finding.time_s * 1'000'000'000) : "");
    if (finding.block) json.member("depth", finding.block->depth);
    member_or_null("trust", finding.block ? finding.block->trust : "");
    json.end_object();
  }
  json.end_array();
  json.member("attestations_left_out", std::uint64_t{report.more_findings});
  json.end_object();
  return json.text() + "\n";
}

}  // namespace twinchain::ledger
