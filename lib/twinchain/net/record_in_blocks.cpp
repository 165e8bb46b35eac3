#include "twinchain/net/record_in_blocks.hpp"

#include <algorithm>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/json_writer.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/net/data_transaction.hpp"
#include "twinchain/net/header_rules.hpp"
#include "twinchain/stream/writer.hpp"

namespace twinchain::net {
namespace {

constexpr std::size_t max_missing_named = 20;

std::unexpected<Error> bad_chain_block(const Hash256& hash, const std::string& what) {
  return fail(ExitCode::malformed, "block " + to_hex_reversed(hash) + ": " + escape(what, 200));
}

/// Of a record that is sealed these are added.
bool comes_later(FrameType type) {
  return type == FrameType::anchor || type == FrameType::cosignature;
}

std::string block_place_text(const RecordPlace& place) {
  return "block " + decimal(std::uint64_t{place.height}) + " (" +
         format_time_ns(place.time_s * 1'000'000'000) + ", " + decimal(std::uint64_t{place.depth}) +
         " deep)";
}

}  // namespace

RecordInBlocks::RecordInBlocks(std::optional<ChainParameters> parameters, unsigned threads,
                               std::int64_t now_s)
    : workers_(threads, [](std::function<void()>& work) { work(); }), now_s_(now_s) {
  if (parameters) chain_ = std::make_unique<Chain>(*parameters);
}

void RecordInBlocks::add_record_frame(const Frame& frame) {
  const FrameHeader& header = frame.header;
  if (header.type == FrameType::end) return;
  const Id128 id = frame_id(encode_frame(header, frame.body.view()));
  const auto number = static_cast<std::uint32_t>(record_.size());
  if (!numbers_.try_emplace(id, number).second) return;
  record_.push_back({header.type, header.source, header.sequence});
}

Status RecordInBlocks::take_network(const Frame& frame) {
  auto parameters = read_network_frame(frame);
  if (!parameters) return pass(parameters);
  if (!chain_) {
    chain_ = std::make_unique<Chain>(*parameters);
  } else if (network_source(*parameters) != chain_->source) {
    return fail(ExitCode::usage, "the chain is of another network than --network says");
  }
  return {};
}

Status RecordInBlocks::add_chain_frame(const Frame& frame) {
  if (frame.header.type == FrameType::network) return take_network(frame);
  if (frame.header.type != FrameType::block) return {};
  if (!chain_) {
    return fail(ExitCode::usage, "no NETWORK frame says whose blocks these are",
                "--network FILE names the network");
  }
  auto block = chain_->reader.add(frame);
  if (!block) return pass(block);
  if (!*block) return {};
  return add_block((*block)->raw);
}

Status RecordInBlocks::add_block(ByteView raw) {
  ByteCursor cursor(raw);
  Held held;
  held.header = bitcoin::read_header(cursor);
  const Hash256 hash = bitcoin::block_hash(held.header);
  if (hash == chain_->tree.genesis().hash || blocks_.contains(hash)) return {};
  const ChainParameters& parameters = chain_->parameters;
  // Work first: whoever has not done it costs us no more than its hash.
  if (!bitcoin::meets_target(hash, held.header.bits, parameters.easiest_target())) {
    return bad_chain_block(hash, "no proof of work");
  }
  NetBlock block;
  Verdict verdict = read_block(parameters, raw, workers_, block);
  if (!verdict.accepted()) return bad_chain_block(hash, verdict.reason);
  const auto height = block.transactions.empty()
                          ? std::nullopt
                          : bitcoin::coinbase_height(block.transactions[0]->tx);
  verdict = check_block_body(parameters, block, height.value_or(0));
  if (!verdict.accepted()) return bad_chain_block(hash, verdict.reason);
  for (const TransactionPtr& transaction : block.transactions) {
    if (!carries_data(parameters, transaction->tx)) continue;
    for (const CarriedFrame& frame : frames_of(parameters, transaction->tx).frames) {
      const auto number = numbers_.find(frame_id(frame.whole));
      if (number != numbers_.end()) held.frames.push_back(number->second);
    }
  }
  const Verdict placed = chain_->tree.accept(held.header, now_s_).verdict;
  if (placed.outcome == Outcome::incomplete) {
    waiting_.push_back(hash);
  } else if (placed.outcome != Outcome::accepted && placed.outcome != Outcome::known) {
    return bad_chain_block(hash, placed.reason);
  }
  blocks_.emplace(hash, std::move(held));
  return {};
}

/// What came before its parent. Gives what is missing.
std::vector<std::string> RecordInBlocks::place_waiting() {
  std::vector<std::string> gaps;
  const auto place = [&](const Hash256& hash) {
    const Verdict verdict = chain_->tree.accept(blocks_.at(hash).header, now_s_).verdict;
    if (verdict.outcome == Outcome::incomplete) return false;
    if (verdict.outcome != Outcome::accepted && verdict.outcome != Outcome::known) {
      gaps.push_back(bad_chain_block(hash, verdict.reason).error().message);
    }
    return true;
  };
  while (!waiting_.empty() && std::erase_if(waiting_, place) > 0) {
  }
  for (const Hash256& hash : waiting_) {
    const Hash256& parent = blocks_.at(hash).header.previous;
    if (!blocks_.contains(parent)) {
      gaps.push_back("block " + to_hex_reversed(parent) + " is missing");
    }
  }
  return gaps;
}

void RecordInBlocks::add_missing(RecordInBlocksReport& report) const {
  for (const RecordFrame& frame : record_) {
    if (frame.found) {
      ++report.found;
      continue;
    }
    ++(comes_later(frame.type) ? report.missing_later : report.missing);
    if (comes_later(frame.type) || report.first_missing.size() == max_missing_named) continue;
    report.first_missing.push_back(frame_type_name(frame.type) + " frame " +
                                   decimal(frame.sequence) + " of source " + to_hex(frame.source));
  }
}

Result<RecordInBlocksReport> RecordInBlocks::finish() {
  if (!chain_) {
    return fail(ExitCode::usage, "the chain has no NETWORK frame",
                "--network FILE names the network");
  }
  RecordInBlocksReport report;
  report.gaps = place_waiting();
  chain_->reader.finish();
  for (const std::string& loss : chain_->reader.take_losses()) report.gaps.push_back(loss);
  const HeaderNode& tip = chain_->tree.best();
  report.frames = record_.size();
  report.tip_height = tip.height;
  report.work = tip.work;
  report.network = ledger_network(chain_->parameters).name;
  std::vector<const HeaderNode*> branch;
  for (const HeaderNode* at = &tip; at->parent != nullptr; at = at->parent) branch.push_back(at);
  // From the genesis block up, so that a frame that is there twice counts where it was first.
  for (auto at = branch.rbegin(); at != branch.rend(); ++at) {
    const HeaderNode& node = **at;
    bool has_new = false;
    for (const std::uint32_t number : blocks_.at(node.hash).frames) {
      has_new = has_new || !record_[number].found;
      record_[number].found = true;
    }
    if (!has_new) continue;
    report.last = RecordPlace{node.height, tip.height - node.height + 1,
                              std::int64_t{node.header.time_s}, node.hash};
    if (!report.first) report.first = report.last;
  }
  add_missing(report);
  return report;
}

ExitCode RecordInBlocksReport::code(std::uint32_t min_depth) const {
  if (missing > 0 || !last || last->depth < min_depth) return ExitCode::unproven;
  return ExitCode::success;
}

std::string report_json(const RecordInBlocksReport& report, std::uint32_t min_depth) {
  JsonWriter json;
  const ExitCode code = report.code(min_depth);
  const auto place = [&json](const char* name, const std::optional<RecordPlace>& where) {
    json.key(name);
    if (!where) {
      json.null();
      return;
    }
    json.begin_object();
    json.member("height", where->height);
    json.member("block", to_hex_reversed(where->block));
    json.member("time", format_time_ns(where->time_s * 1'000'000'000));
    json.member("depth", where->depth);
    json.end_object();
  };
  const auto lines = [&json](const char* name, const std::vector<std::string>& list) {
    json.key(name).begin_array();
    for (const std::string& line : list) json.value(line);
    json.end_array();
  };
  json.begin_object();
  json.member("version", std::uint32_t{1});
  json.member("program", std::string("verify ") + TWINCHAIN_VERSION);
  json.member("kind", "blocks");
  json.member("verdict", code == ExitCode::success ? "verified" : "unproven");
  json.member("exit_code", static_cast<std::int32_t>(code));
  json.member("network", report.network);
  json.member("tip_height", report.tip_height);
  json.member("work", bitcoin::work_text(report.work));
  json.member("frames", report.frames);
  json.member("found", report.found);
  json.member("missing", report.missing);
  json.member("missing_later", report.missing_later);
  place("first", report.first);
  place("last", report.last);
  lines("first_missing", report.first_missing);
  lines("chain", report.gaps);
  json.end_object();
  return json.text() + "\n";
}

std::string report_text(const RecordInBlocksReport& report, std::uint32_t min_depth) {
  std::string text = report.code(min_depth) == ExitCode::success ? "verified: " : "unproven: ";
  text += decimal(report.found) + " of " + decimal(report.frames) + " frames are in ";
  if (report.first) {
    text += block_place_text(*report.first) + " to " + block_place_text(*report.last) + " of ";
  } else {
    text += "no block of ";
  }
  text += report.network + ", whose " + decimal(std::uint64_t{report.tip_height}) +
          " blocks took " + bitcoin::work_text(report.work) + " hashes\n";
  if (report.last && report.last->depth < min_depth) {
    text += "unproven: the last block is " + decimal(std::uint64_t{report.last->depth}) +
            " deep, " + decimal(std::uint64_t{min_depth}) + " are asked for\n";
  }
  for (const std::string& line : report.first_missing) text += "missing: " + line + "\n";
  if (report.missing > report.first_missing.size()) {
    text += "missing: " + decimal(report.missing - report.first_missing.size()) + " more\n";
  }
  if (report.missing_later > 0) {
    text += "note: " + decimal(report.missing_later) +
            " frames of anchors and counter-signatures, which come later, are not there\n";
  }
  for (const std::string& line : report.gaps) text += "chain: " + line + "\n";
  return text;
}

}  // namespace twinchain::net
