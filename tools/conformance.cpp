// conformance: judge test files of Bitcoin Core's formats by our own rules.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <functional>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/bitcoin/conformance.hpp"
#include "twinchain/bitcoin/script_text.hpp"
#include "twinchain/cli/files.hpp"
#include "twinchain/cli/run_tool.hpp"
#include "twinchain/record/json_value.hpp"

namespace {

using namespace twinchain;
using bitcoin::CaseOutcome;
using bitcoin::CaseVerdict;
using record::JsonValue;

/// Bitcoin Core's files have some 300 KB, and their cases 20 KB. A case takes up to thirty times
/// its size as a tree.
constexpr std::size_t max_file_bytes = 8 << 20;
constexpr std::size_t max_case_bytes = 1 << 20;
constexpr std::size_t max_name_bytes = 160;

struct Options {
  std::string input;
  std::string flags = "auto";
};

/// A member of the file's outermost array.
struct Element {
  record::JsonDocument document;
  std::size_t byte = 0;
  std::size_t line = 1;
};

std::unexpected<Error> malformed_at(const Element& element, const std::string& what) {
  return fail(ExitCode::malformed, "byte " + decimal(std::uint64_t{element.byte}) + " (line " +
                                       decimal(std::uint64_t{element.line}) + "): " + what);
}

std::vector<JsonValue> items_of(const JsonValue& array) {
  std::vector<JsonValue> items;
  array.each([&](JsonValue item) {
    items.push_back(item);
    return true;
  });
  return items;
}

/// Takes the outermost array apart, so that a fault has a place and only one case at a time is in
/// memory as a tree.
class Elements {
 public:
  static Status each(std::string_view text, const std::function<Status(const Element&)>& take) {
    Elements reader(text);
    reader.skip_space();
    if (!reader.take('[')) return reader.error("not a JSON array");
    reader.skip_space();
    bool more = !reader.take(']');
    while (more) {
      reader.skip_space();
      const std::size_t begin = reader.at_;
      const std::size_t line = reader.line_;
      reader.skip_element();
      auto document =
          record::JsonDocument::parse(text.substr(begin, reader.at_ - begin), max_case_bytes);
      if (!document) {
        return fail(ExitCode::malformed, "byte " + decimal(std::uint64_t{begin}) + " (line " +
                                             decimal(std::uint64_t{line}) +
                                             "): " + document.error().message);
      }
      TWINCHAIN_TRY(take({std::move(*document), begin, line}));
      if (reader.take(',')) continue;
      if (!reader.take(']')) return reader.error("the array does not end");
      more = false;
    }
    reader.skip_space();
    if (reader.at_ != text.size()) return reader.error("something after the array");
    return {};
  }

 private:
  explicit Elements(std::string_view text) : text_(text) {}

  [[nodiscard]] std::unexpected<Error> error(const std::string& what) const {
    return fail(ExitCode::malformed, "byte " + decimal(std::uint64_t{at_}) + " (line " +
                                         decimal(std::uint64_t{line_}) + "): " + what);
  }
  void step() {
    if (text_[at_++] == '\n') ++line_;
  }
  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != text_.npos) step();
  }
  bool take(char wanted) {
    if (at_ == text_.size() || text_[at_] != wanted) return false;
    step();
    return true;
  }
  /// Up to the comma or bracket behind it; whether it is JSON is the parser's to say.
  void skip_element() {
    std::size_t depth = 0;
    bool quoted = false;
    for (; at_ < text_.size(); step()) {
      const char c = text_[at_];
      if (quoted && c == '\\' && at_ + 1 < text_.size()) step();
      if (c == '"') quoted = !quoted;
      if (quoted) continue;
      if (depth == 0 && (c == ',' || c == ']')) return;
      if (c == '[' || c == '{') ++depth;
      if ((c == ']' || c == '}') && depth > 0) --depth;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
};

/// A case's name and what became of it.
struct Judged {
  std::string name;
  CaseOutcome outcome;
};

Result<Bytes> read_script(const Element& element, const JsonValue& value) {
  const auto text = value.text();
  if (!text) return malformed_at(element, "a script that is not a string");
  auto script = bitcoin::parse_script_text(*text);
  if (!script) return malformed_at(element, script.error().message);
  return script;
}

Result<bitcoin::CaseFlags> read_flags(const Element& element, const JsonValue& value) {
  // Files of 2012 say only whether BIP 16 is enforced.
  if (const auto enforce = value.truth()) return bitcoin::parse_case_flags(*enforce ? "P2SH" : "");
  const auto text = value.text();
  if (!text) return malformed_at(element, "flags that are not a string");
  return bitcoin::parse_case_flags(*text);
}

Result<Bytes> read_hex(const Element& element, const JsonValue& value, std::string_view what) {
  const auto text = value.text();
  auto bytes = text ? from_hex(*text) : std::nullopt;
  if (!bytes) return malformed_at(element, std::string(what) + " is not hexadecimal");
  return std::move(*bytes);
}

Result<bitcoin::Transaction> parse_raw(ByteView raw) {
  auto transaction = bitcoin::parse_transaction(raw);
  if (transaction) return transaction;
  // One without inputs looks like the beginning of the extended form.
  auto plain = bitcoin::parse_transaction(raw, bitcoin::TxEncoding::no_witness);
  return plain ? plain : transaction;
}

/// A decimal fraction of coins.
std::optional<std::int64_t> read_amount(const JsonValue& value) {
  const auto coins = value.number();
  if (!coins || !(std::abs(*coins) <= 21e6)) return std::nullopt;
  return std::llround(*coins * 1e8);
}

/// [[witness..., amount]?, scriptSig, scriptPubKey, flags, expected error, comments...]
Result<std::optional<Judged>> judge_script(const Element& element) {
  std::vector<JsonValue> items = items_of(element.document.root());
  if (items.size() == 1 && items[0].text()) return std::nullopt;  // a comment
  bitcoin::ScriptCase test;
  if (!items.empty() && items[0].is_array()) {
    const auto witness = items_of(items[0]);
    const auto amount = witness.empty() ? std::nullopt : read_amount(witness.back());
    if (!amount) return malformed_at(element, "a witness without an amount");
    test.has_witness = witness.size() > 1;
    test.amount_sat = *amount;
    items.erase(items.begin());
  }
  if (items.size() < 4) return malformed_at(element, "a case of fewer than four values");
  auto flags = read_flags(element, items[2]);
  if (!flags) return pass(flags);
  test.flags = *flags;
  const auto expected = items[3].text();
  if (!expected) return malformed_at(element, "an expected error that is not a string");
  test.expected = *expected;
  Judged judged;
  if (items.size() > 4) judged.name = items.back().text().value_or("");
  if (judged.name.empty()) {
    judged.name = std::string(items[0].text().value_or("")) + " | " +
                  std::string(items[1].text().value_or(""));
  }
  auto script_sig = read_script(element, items[0]);
  auto script_pubkey = read_script(element, items[1]);
  if (!script_sig || !script_pubkey) {
    // Cases of Taproot have placeholders in their scripts.
    if (test.has_witness && items[2].text().value_or("").find("TAPROOT") != std::string::npos) {
      judged.outcome = {CaseVerdict::skipped, "needs TAPROOT"};
      return judged;
    }
    return script_sig ? pass(script_pubkey) : pass(script_sig);
  }
  test.script_sig = std::move(*script_sig);
  test.script_pubkey = std::move(*script_pubkey);
  judged.outcome = bitcoin::check_script_case(test);
  return judged;
}

/// [raw transaction, script, index of the input, hash type, signature hash]
Result<std::optional<Judged>> judge_sighash(const Element& element) {
  const std::vector<JsonValue> items = items_of(element.document.root());
  if (items.size() == 1 && items[0].text()) return std::nullopt;  // a comment
  if (items.size() < 5) return malformed_at(element, "a case of fewer than five values");
  auto raw = read_hex(element, items[0], "the transaction");
  if (!raw) return pass(raw);
  auto script = read_hex(element, items[1], "the script");
  if (!script) return pass(script);
  const auto input = items[2].signed_count();
  if (!input || *input < 0 || *input > 0xffffffffLL) {
    return malformed_at(element, "the input is not an index");
  }
  const auto hash_type = items[3].signed_count();
  if (!hash_type || *hash_type < INT32_MIN || *hash_type > UINT32_MAX) {
    return malformed_at(element, "the hash type is not a number of 32 bits");
  }
  const auto hash = hash_from_hex_reversed(items[4].text().value_or(""));
  if (!hash) return malformed_at(element, "the hash is not one of 32 bytes");
  Judged judged;
  judged.name = "hash type " + decimal(*hash_type) + ", " + std::string(*items[4].text());
  auto transaction = parse_raw(*raw);
  if (!transaction) {
    judged.outcome = {CaseVerdict::failed, transaction.error().message};
    return judged;
  }
  judged.outcome = bitcoin::check_sighash_case(
      {std::move(*transaction), std::move(*script), static_cast<std::uint32_t>(*input),
       static_cast<std::int32_t>(static_cast<std::uint32_t>(*hash_type)), *hash});
  return judged;
}

bool is_transaction_case(const Element& element) {
  const std::vector<JsonValue> items = items_of(element.document.root());
  return !items.empty() && items[0].is_array();
}

/// [[[txid, index, scriptPubKey, amount?]...], raw transaction, flags]
Result<bitcoin::TransactionCase> read_transaction_case(const Element& element,
                                                       std::optional<Error>& unreadable) {
  const std::vector<JsonValue> items = items_of(element.document.root());
  if (items.size() != 3) return malformed_at(element, "a case that has not three values");
  bitcoin::TransactionCase test;
  for (const JsonValue& item : items_of(items[0])) {
    const std::vector<JsonValue> spent = items_of(item);
    if (spent.size() != 3 && spent.size() != 4) {
      return malformed_at(element, "a spent output that has neither three nor four values");
    }
    const auto txid = hash_from_hex_reversed(spent[0].text().value_or(""));
    if (!txid) return malformed_at(element, "a transaction id that is not 64 digits");
    const auto index = spent[1].signed_count();
    if (!index || *index < INT32_MIN || *index > UINT32_MAX) {
      return malformed_at(element, "an output's index that is not a number of 32 bits");
    }
    auto script = read_script(element, spent[2]);
    if (!script) return pass(script);
    test.spent[{*txid, static_cast<std::uint32_t>(*index)}] = std::move(*script);
  }
  auto raw = read_hex(element, items[1], "the transaction");
  if (!raw) return pass(raw);
  auto flags = read_flags(element, items[2]);
  if (!flags) return pass(flags);
  test.flags = std::move(*flags);
  auto transaction = parse_raw(*raw);
  if (transaction) {
    test.transaction = std::move(*transaction);
  } else {
    unreadable = transaction.error();
  }
  return test;
}

/// What the flags of tx_valid.json mean changed in 2021, from those that are switched on to those
/// that must not be. P2SH without CLEANSTACK can only be of the former, because CLEANSTACK needs
/// P2SH; then the file's heading says it.
Result<bool> flags_are_excluded(std::string_view text) {
  bool heading_excluded = false;
  bool heading_included = false;
  bool any_flag = false;
  bool surely_included = false;
  const auto look = [&](const Element& element) -> Status {
    const std::vector<JsonValue> items = items_of(element.document.root());
    if (!is_transaction_case(element)) {
      const std::string_view line = items.empty() ? "" : items[0].text().value_or("");
      const bool excluded = line.find("excluded verifyFlags") != std::string_view::npos;
      heading_excluded |= excluded;
      heading_included |= !excluded && line.find("verifyFlags") != std::string_view::npos;
      return {};
    }
    if (items.size() != 3) return {};
    surely_included |= items[2].truth().has_value();
    const auto flags = bitcoin::parse_case_flags(items[2].text().value_or(""));
    any_flag |= flags.flags != bitcoin::verify_none;
    surely_included |= (flags.flags & bitcoin::verify_p2sh) != 0 &&
                       (flags.flags & bitcoin::verify_cleanstack) == 0;
    return {};
  };
  TWINCHAIN_TRY(Elements::each(text, look));
  return !surely_included && (heading_excluded || any_flag || !heading_included);
}

/// The files that tell the flags that are needed from those that are not say BADTX, too.
Result<bool> flags_are_minimal(std::string_view text) {
  bool minimal = false;
  const auto look = [&](const Element& element) -> Status {
    if (!is_transaction_case(element)) return {};
    const std::vector<JsonValue> items = items_of(element.document.root());
    minimal |= items.size() == 3 && items[2].text().value_or("") == "BADTX";
    return {};
  };
  TWINCHAIN_TRY(Elements::each(text, look));
  return minimal;
}

class Counter {
 public:
  Status count(const Element& element, const Judged& judged) {
    ++counts_.at(static_cast<std::size_t>(judged.outcome.verdict));
    if (judged.outcome.verdict == CaseVerdict::passed) return {};
    const bool failed = judged.outcome.verdict == CaseVerdict::failed;
    const std::string line = std::string(failed ? "failed" : "skipped") + ": line " +
                             decimal(std::uint64_t{element.line}) + ": " +
                             escape(judged.name, max_name_bytes) + ": " + judged.outcome.reason +
                             "\n";
    return write_all(STDOUT_FILENO, as_bytes(line));
  }
  Result<ExitCode> finish() {
    const auto [passed, failed, skipped] = counts_;
    const std::string line = decimal(passed) + " passed, " + decimal(failed) + " failed, " +
                             decimal(skipped) + " skipped\n";
    TWINCHAIN_TRY(write_all(STDOUT_FILENO, as_bytes(line)));
    if (failed > 0) return ExitCode::refuted;
    return passed > 0 ? ExitCode::success : ExitCode::unproven;
  }

 private:
  std::array<std::uint64_t, 3> counts_{};  ///< passed, failed, skipped
};

class TransactionRun {
 public:
  TransactionRun(bool valid, bool excluded_or_minimal)
      : valid_(valid), strict_(excluded_or_minimal) {}

  Status take(const Element& element) {
    if (!is_transaction_case(element)) return take_comment(element);
    comment_ended_ = true;
    std::optional<Error> unreadable;
    auto test = read_transaction_case(element, unreadable);
    if (!test) return std::unexpected(std::move(test.error()));
    Judged judged{comment_, {}};
    if (unreadable) {
      judged.outcome = {CaseVerdict::failed, unreadable->message};
    } else {
      judged.outcome = valid_ ? check_valid_transaction(*test, strict_)
                              : check_invalid_transaction(*test, strict_);
    }
    return counter_.count(element, judged);
  }
  Result<ExitCode> finish() { return counter_.finish(); }

 private:
  Status take_comment(const Element& element) {
    const std::vector<JsonValue> items = items_of(element.document.root());
    const auto text = items.size() == 1 ? items[0].text() : std::nullopt;
    if (!text) return malformed_at(element, "neither a case nor a comment");
    if (comment_ended_) comment_.clear();
    comment_ended_ = false;
    if (!comment_.empty()) comment_ += ' ';
    // No more than is shown.
    if (comment_.size() <= max_name_bytes) comment_ += *text;
    return {};
  }

  bool valid_;
  bool strict_;
  Counter counter_;
  std::string comment_;  ///< of the cases that follow
  bool comment_ended_ = false;
};

Result<ExitCode> run_transactions(std::string_view text, bool valid, const std::string& flags) {
  Result<bool> strict = flags == "excluded";
  if (!valid) strict = flags_are_minimal(text);
  if (valid && flags == "auto") strict = flags_are_excluded(text);
  if (!strict) return pass(strict);
  if (valid) {
    cli::detail(*strict ? "flags are those that are excluded" : "flags are those that are on");
  }
  TransactionRun run(valid, *strict);
  TWINCHAIN_TRY(Elements::each(text, [&](const Element& element) { return run.take(element); }));
  return run.finish();
}

using Judge = Result<std::optional<Judged>> (*)(const Element&);

Result<ExitCode> run_cases(std::string_view text, Judge judge) {
  Counter counter;
  const auto take = [&](const Element& element) -> Status {
    if (!element.document.root().is_array()) return malformed_at(element, "not an array");
    auto judged = judge(element);
    if (!judged) return std::unexpected(std::move(judged.error()));
    return *judged ? counter.count(element, **judged) : Status{};
  };
  TWINCHAIN_TRY(Elements::each(text, take));
  return counter.finish();
}

Result<std::string> read_text(int fd) {
  std::string text;
  std::array<std::uint8_t, 65536> piece{};
  while (true) {
    auto size = read_some(fd, piece);
    if (!size) return pass(size);
    if (*size == 0) return text;
    text += as_text(ByteView(piece).first(*size));
    if (text.size() > max_file_bytes) {
      return fail(ExitCode::malformed,
                  "longer than " + decimal(std::uint64_t{max_file_bytes}) + " bytes");
    }
  }
}

Result<ExitCode> run(const std::string& command, const Options& options) {
  auto input = cli::open_input(options.input);
  if (!input) return pass(input);
  auto text = read_text(input->get());
  if (!text) return pass(text);
  // Before anything is judged: it is JSON throughout.
  TWINCHAIN_TRY(Elements::each(*text, [](const Element&) { return Status{}; }));
  if (command == "script") return run_cases(*text, judge_script);
  if (command == "sighash") return run_cases(*text, judge_sighash);
  return run_transactions(*text, command == "tx-valid", options.flags);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  std::string command;
  const auto define = [&](CLI::App& app) {
    const auto add = [&](const char* name, const char* summary) {
      CLI::App* sub = app.add_subcommand(name, summary);
      sub->callback([&command, name] { command = name; });
      sub->add_option("FILE", options.input, "Cases as JSON; standard input when not given or -");
      return sub;
    };
    add("script", "Spends and their outcome: script_tests.json");
    add("tx-valid", "Valid transactions: tx_valid.json")
        ->add_option("--flags", options.flags,
                     "What the flags of the cases say: auto (default), included, excluded")
        ->check(CLI::IsMember({"auto", "included", "excluded"}));
    add("tx-invalid", "Invalid transactions: tx_invalid.json");
    add("sighash", "Signature hashes: sighash.json");
  };
  return cli::run_tool(
      argc, argv,
      {"conformance", "Judge test files of Bitcoin Core's formats by this project's rules",
       "conformance script script_tests.json\n"
       "conformance tx-valid tx_valid.json"},
      define, [&] { return run(command, options); });
}
