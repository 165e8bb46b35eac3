#include "twinchain/ledger/anchor_journal.hpp"

#include <algorithm>
#include <array>

#include "twinchain/base/crc32c.hpp"
#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/crypto/merkle.hpp"

namespace twinchain::ledger {
namespace {

constexpr std::string_view first_line = "twinchain anchor 1";
constexpr std::string_view file_ending = ".anchor";
constexpr std::string_view lock_name = "anchor.lock";
constexpr std::uint64_t max_file_size = std::uint64_t{8} * 1024 * 1024;
constexpr std::size_t emitted_kept_per_source = 16;
constexpr std::size_t fleets_kept = 4;

std::string crc_text(std::string_view text) {
  std::array<std::uint8_t, 4> bytes{};
  store_le(bytes.data(), crc32c(as_bytes(text)));
  return to_hex_reversed(bytes);
}

void add_line(std::string& out, std::string_view name, std::string_view content) {
  out += name;
  out += ": ";
  out += content;
  out += '\n';
}

/// Takes lines one after the other; each must have the name that is asked for.
class LineReader {
 public:
  explicit LineReader(std::string_view text) : rest_(text) {}
  std::optional<std::string_view> take(std::string_view name) {
    if (!next_is(name)) return std::nullopt;
    const std::size_t end = rest_.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view content = rest_.substr(name.size() + 2, end - name.size() - 2);
    rest_.remove_prefix(end + 1);
    return content;
  }
  [[nodiscard]] bool next_is(std::string_view name) const {
    return rest_.starts_with(name) && rest_.substr(name.size()).starts_with(": ");
  }
  bool skip(std::string_view line) {
    if (!rest_.starts_with(line) || !rest_.substr(line.size()).starts_with('\n')) return false;
    rest_.remove_prefix(line.size() + 1);
    return true;
  }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

std::unexpected<Error> malformed(std::string_view what) {
  return fail(ExitCode::malformed, "malformed anchor file: no valid " + std::string(what));
}

std::optional<Id128> id_from_hex(std::string_view text) {
  const auto bytes = from_hex(text);
  if (!bytes || bytes->size() != Id128{}.size()) return std::nullopt;
  Id128 id{};
  std::copy(bytes->begin(), bytes->end(), id.begin());
  return id;
}

std::optional<std::int64_t> parse_signed(std::string_view text) {
  const bool negative = text.starts_with('-');
  const auto digits = parse_decimal(negative ? text.substr(1) : text);
  constexpr auto most = static_cast<std::uint64_t>(INT64_MAX);
  if (!digits || *digits > most + (negative ? 1 : 0)) return std::nullopt;
  return negative ? static_cast<std::int64_t>(~*digits + 1) : static_cast<std::int64_t>(*digits);
}

bool parse_window(std::string_view text, FrameHeader* header) {
  const auto parts = split(text, ' ');
  if (parts.size() != 2) return false;
  const auto start = parse_signed(parts[0]);
  const auto end = parse_signed(parts[1]);
  if (!start || !end) return false;
  header->window_start_ns = *start;
  header->window_end_ns = *end;
  return true;
}

/// A link of a fleet: source, record, sequence, window, hash.
std::string member_text(const LinkReference& link) {
  const FrameHeader& header = link.header;
  return to_hex(header.source) + " " + to_hex(link.record) + " " + decimal(header.sequence) + " " +
         decimal(header.window_start_ns) + " " + decimal(header.window_end_ns) + " " +
         to_hex(link.hash);
}

std::optional<LinkReference> parse_member(std::string_view text) {
  const auto parts = split(text, ' ');
  if (parts.size() != 6) return std::nullopt;
  const auto source = id_from_hex(parts[0]);
  const auto record = id_from_hex(parts[1]);
  const auto sequence = parse_decimal(parts[2]);
  const auto start_ns = parse_signed(parts[3]);
  const auto end_ns = parse_signed(parts[4]);
  const auto hash = hash_from_hex(parts[5]);
  if (!source || !record || !sequence || !start_ns || !end_ns || !hash) return std::nullopt;
  LinkReference link;
  link.header.type = FrameType::link;
  link.header.source = *source;
  link.header.sequence = *sequence;
  link.header.window_start_ns = *start_ns;
  link.header.window_end_ns = *end_ns;
  link.record = *record;
  link.hash = *hash;
  return link;
}

std::optional<Prepared> parse_transaction_line(std::string_view text) {
  const auto parts = split(text, ' ');
  if (parts.size() != 3) return std::nullopt;
  const auto txid = hash_from_hex_reversed(parts[0]);
  const auto fee = parse_decimal(parts[1]);
  auto raw = from_hex(parts[2]);
  if (!txid || !fee || !raw || raw->empty()) return std::nullopt;
  return Prepared{std::move(*raw), *txid, *fee};
}

Status parse_link(LineReader& in, LinkReference* link) {
  const auto source = id_from_hex(in.take("source").value_or(""));
  if (!source) return malformed("source");
  link->header.source = *source;
  const auto record = id_from_hex(in.take("record").value_or(""));
  if (!record) return malformed("record");
  link->record = *record;
  const auto sequence = parse_decimal(in.take("sequence").value_or(""));
  if (!sequence) return malformed("sequence");
  link->header.type = FrameType::link;
  link->header.sequence = *sequence;
  if (!parse_window(in.take("window").value_or(""), &link->header)) return malformed("window");
  const auto hash = hash_from_hex(in.take("link").value_or(""));
  if (!hash) return malformed("link");
  link->hash = *hash;
  return {};
}

}  // namespace

std::string encode_anchor_record(const AnchorRecord& record) {
  const FrameHeader& header = record.link.header;
  std::string out(first_line);
  out += '\n';
  add_line(out, "network", record.network);
  add_line(out, "order", decimal(record.order));
  add_line(out, "source", to_hex(header.source));
  add_line(out, "record", to_hex(record.link.record));
  add_line(out, "sequence", decimal(header.sequence));
  add_line(out, "window", decimal(header.window_start_ns) + " " + decimal(header.window_end_ns));
  add_line(out, "link", to_hex(record.link.hash));
  for (const LinkReference& link : record.fleet) add_line(out, "member", member_text(link));
  for (const Prepared& transaction : record.transactions) {
    add_line(out, "transaction",
             to_hex_reversed(transaction.txid) + " " + decimal(transaction.fee_sat) + " " +
                 to_hex(transaction.raw_transaction));
  }
  if (!record.receipt.empty()) add_line(out, "receipt", to_hex(record.receipt));
  add_line(out, "emitted", record.emitted ? "yes" : "no");
  add_line(out, "crc32c", crc_text(out));
  return out;
}

Result<AnchorRecord> parse_anchor_record(std::string_view text) {
  constexpr std::string_view last_name = "\ncrc32c: ";
  const std::size_t last = text.rfind(last_name);
  if (last == std::string_view::npos ||
      text.substr(last + last_name.size()) != crc_text(text.substr(0, last + 1)) + "\n") {
    return fail(ExitCode::malformed, "anchor file is damaged: crc32c does not match");
  }
  LineReader in(text.substr(0, last + 1));
  AnchorRecord record;
  if (!in.skip(first_line)) return malformed("first line");
  record.network = in.take("network").value_or("");
  if (!is_network_name(record.network)) return malformed("network");
  const auto order = parse_decimal(in.take("order").value_or(""));
  if (!order || *order == UINT64_MAX) return malformed("order");
  record.order = *order;
  TWINCHAIN_TRY(parse_link(in, &record.link));
  while (in.next_is("member")) {
    auto link = parse_member(in.take("member").value_or(""));
    if (!link || record.fleet.size() == max_fleet_size) return malformed("member");
    record.fleet.push_back(*link);
  }
  if (!record.fleet.empty() &&
      (record.fleet.size() < 2 || hash_of_fleet(record.fleet) != record.link.hash)) {
    return malformed("member");
  }
  while (in.next_is("transaction")) {
    auto transaction = parse_transaction_line(in.take("transaction").value_or(""));
    if (!transaction || record.transactions.size() == max_transactions_per_anchor) {
      return malformed("transaction");
    }
    record.transactions.push_back(std::move(*transaction));
  }
  if (record.transactions.empty()) return malformed("transaction");
  if (in.next_is("receipt")) {
    auto receipt = from_hex(in.take("receipt").value_or(""));
    if (!receipt || !parse_receipt(*receipt)) return malformed("receipt");
    record.receipt = std::move(*receipt);
  }
  const auto emitted = in.take("emitted");
  if (emitted != "yes" && emitted != "no") return malformed("emitted");
  record.emitted = emitted == "yes";
  if (record.emitted && record.receipt.empty()) return malformed("receipt");
  if (!in.at_end()) return malformed("end");
  return record;
}

Hash256 hash_of_fleet(std::span<const LinkReference> links) {
  std::vector<Hash256> leaves;
  leaves.reserve(links.size());
  for (const LinkReference& link : links) leaves.push_back(merkle_leaf(link.hash));
  return fleet_hash(merkle_root(leaves), leaves.size());
}

Result<AnchorJournal> AnchorJournal::open(Fs& fs, const std::string& folder) {
  AnchorJournal journal;
  journal.fs_ = &fs;
  journal.folder_ = folder;
  TWINCHAIN_TRY(fs.make_folders(folder));
  auto lock = fs.lock(folder + "/" + std::string(lock_name));
  if (!lock) return pass(lock);
  journal.lock_ = std::move(*lock);
  auto names = fs.list(folder);
  if (!names) return pass(names);
  for (const std::string& name : *names) {
    const std::string path = folder + "/" + name;
    if (name.find(".anchor.tmp-") != std::string::npos) {
      TWINCHAIN_TRY(fs.remove(path));  // a write that a crash cut off: the old content counts
      continue;
    }
    if (!name.ends_with(file_ending)) continue;
    auto content = read_whole_file(fs, path, max_file_size);
    if (!content) return pass(content);
    auto record = parse_anchor_record(as_text(*content));
    if (!record) {
      record.error().message = escape(path, 400) + ": " + record.error().message;
      record.error().hint = "move the file away if its anchor may be lost or published again";
      return pass(record);
    }
    if (path != journal.path_of(record->link.hash)) {
      return fail(ExitCode::malformed, escape(path, 400) + ": is not named after its link");
    }
    journal.next_order_ = std::max(journal.next_order_, record->order + 1);
    journal.index(*record);
    journal.records_[record->link.hash] = std::move(*record);
  }
  return journal;
}

const AnchorRecord* AnchorJournal::find(const Hash256& link_hash) const {
  const auto found = records_.find(link_hash);
  return found == records_.end() ? nullptr : &found->second;
}

const AnchorRecord* AnchorJournal::find_link(const Hash256& link_hash) const {
  if (const AnchorRecord* const alone = find(link_hash); alone != nullptr && alone->fleet.empty()) {
    return alone;
  }
  const auto found = fleets_.find(link_hash);
  return found == fleets_.end() ? nullptr : find(found->second);
}

void AnchorJournal::index(const AnchorRecord& record) {
  for (const LinkReference& link : record.fleet) fleets_[link.hash] = record.link.hash;
}

std::string AnchorJournal::path_of(const Hash256& link_hash) const {
  return folder_ + "/" + to_hex(link_hash) + std::string(file_ending);
}

Status AnchorJournal::put(const AnchorRecord& record) {
  if (fs_ != nullptr) {
    TWINCHAIN_TRY(write_file_atomically(*fs_, path_of(record.link.hash),
                                        as_bytes(encode_anchor_record(record))));
  }
  next_order_ = std::max(next_order_, record.order + 1);
  if (find(record.link.hash) == nullptr) index(record);
  records_[record.link.hash] = record;
  ++version_;
  return {};
}

Status AnchorJournal::remove(const Hash256& link_hash) {
  if (fs_ != nullptr && find(link_hash) != nullptr) {
    TWINCHAIN_TRY(fs_->remove(path_of(link_hash)));
    TWINCHAIN_TRY(fs_->sync_folder(folder_));
  }
  if (const AnchorRecord* const record = find(link_hash)) {
    for (const LinkReference& link : record->fleet) {
      const auto at = fleets_.find(link.hash);
      if (at != fleets_.end() && at->second == link_hash) fleets_.erase(at);
    }
  }
  records_.erase(link_hash);
  ++version_;
  return {};
}

Status AnchorJournal::prune(const Id128& source) {
  std::vector<std::pair<std::uint64_t, Hash256>> emitted;
  for (const auto& [hash, record] : records_) {
    if (record.emitted && record.link.header.source == source) {
      emitted.emplace_back(record.order, hash);
    }
  }
  // Fleets are large, and no source is theirs: zeros.
  const std::size_t kept = source == Id128{} ? fleets_kept : emitted_kept_per_source;
  if (emitted.size() <= kept) return {};
  std::sort(emitted.begin(), emitted.end());
  emitted.resize(emitted.size() - kept);
  for (const auto& [order, hash] : emitted) TWINCHAIN_TRY(remove(hash));
  return {};
}

}  // namespace twinchain::ledger
