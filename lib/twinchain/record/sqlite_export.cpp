#include "twinchain/record/sqlite_export.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/record/row_walk.hpp"
#include "twinchain/sys/fd.hpp"
#include "twinchain/sys/fs.hpp"

namespace twinchain::record {
namespace {

/// Rows of one transaction: large enough that its cost is not felt.
constexpr std::uint64_t rows_a_transaction = 100'000;

/// "twin" in the file's header, for file(1).
constexpr const char* prelude = R"sql(
PRAGMA application_id = 0x7477696e;
PRAGMA user_version = 1;
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA temp_store = MEMORY;
BEGIN;
CREATE TABLE about(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO about VALUES
 ('format', 'twinchain samples 1'),
 ('program', 'frames )sql" TWINCHAIN_VERSION R"sql('),
 ('times', 'columns *_ns: nanoseconds since 1970-01-01T00:00:00Z, without leap seconds');
CREATE TABLE sources(source INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT,
 samples_table TEXT, time_note TEXT);
CREATE TABLE channels(source INTEGER NOT NULL REFERENCES sources, column_name TEXT NOT NULL,
 name TEXT NOT NULL, type TEXT NOT NULL, unit TEXT, label TEXT, PRIMARY KEY(source, column_name))
 WITHOUT ROWID;
CREATE TABLE windows(window INTEGER PRIMARY KEY, source INTEGER NOT NULL REFERENCES sources,
 sequence INTEGER NOT NULL, start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, kind TEXT NOT NULL,
 rows INTEGER, first_event_ns INTEGER, last_event_ns INTEGER, frame_root TEXT, link_hash TEXT);
CREATE INDEX windows_by_sequence ON windows(source, sequence);
CREATE TABLE rejects(source INTEGER NOT NULL REFERENCES sources, sequence INTEGER NOT NULL,
 line INTEGER, arrival_ns INTEGER NOT NULL, reason TEXT NOT NULL, text NOT NULL);
CREATE TABLE odd_values(source INTEGER NOT NULL REFERENCES sources, row INTEGER NOT NULL,
 column_name TEXT NOT NULL, bits INTEGER NOT NULL);
)sql";

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

std::string quoted(std::string_view identifier) {
  std::string out = "\"";
  for (const char c : identifier) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    const std::size_t size = utf8_sequence_bytes(text, at);
    if (size == 0) return false;
    at += size;
  }
  return true;
}

/// What SQL has no way to write becomes an underscore.
std::string identifier_of(std::string_view name) {
  std::string out;
  for (std::size_t at = 0; at < name.size();) {
    const auto byte = static_cast<unsigned char>(name[at]);
    const std::size_t size = byte < 0x80 ? 1 : utf8_sequence_bytes(name, at);
    if (size == 0 || byte < 0x20 || byte == 0x7f) {
      out += '_';
      ++at;
      continue;
    }
    out += name.substr(at, size);
    at += size;
  }
  return out;
}

/// As SQLite compares names.
std::string folded(std::string name) {
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return name;
}

const char* sql_type(ValueType type) {
  switch (type) {
    case ValueType::f64:
      return "REAL";
    case ValueType::i64:
    case ValueType::boolean:
      return "INTEGER";
    case ValueType::string:
      return "TEXT";
  }
  return "";
}

/// Binds parameters 1, 2, ... of a statement; the texts live until it has been stepped.
class Binder {
 public:
  explicit Binder(sqlite3_stmt* statement) : statement_(statement) {}
  Binder& integer(std::int64_t value) {
    sqlite3_bind_int64(statement_, ++index_, value);
    return *this;
  }
  Binder& real(double value) {
    sqlite3_bind_double(statement_, ++index_, value);
    return *this;
  }
  Binder& null() {
    sqlite3_bind_null(statement_, ++index_);
    return *this;
  }
  /// Text that is no UTF-8 is a BLOB, so that no reader stumbles over it and no byte is lost.
  Binder& text(std::string_view value) {
    const auto size = static_cast<sqlite3_uint64>(value.size());
    if (is_utf8(value)) {
      sqlite3_bind_text64(statement_, ++index_, value.data() != nullptr ? value.data() : "", size,
                          SQLITE_STATIC, SQLITE_UTF8);
    } else {
      sqlite3_bind_blob64(statement_, ++index_, value.data(), size, SQLITE_STATIC);
    }
    return *this;
  }
  Binder& text_or_null(std::string_view value) { return value.empty() ? null() : text(value); }

 private:
  sqlite3_stmt* statement_;
  int index_ = 0;
};

/// SQLite has no unsigned integers; sequences do not come near the sign.
std::int64_t as_signed(std::uint64_t value) {
  return static_cast<std::int64_t>(std::min<std::uint64_t>(value, INT64_MAX));
}

struct SampleColumn {
  std::string channel;
  ValueType type = ValueType::f64;
  std::string column_name;
};

struct Source {
  std::int64_t number = 0;
  std::string table;  ///< empty: there is no window yet
  std::vector<SampleColumn> columns;
  std::set<std::string> taken{"row", "window", "time_ns", "time_utc", "rowid", "oid", "_rowid_"};
  Schema schema;  ///< for which the columns were made
  Statement insert;
  std::int64_t rows = 0;
};

}  // namespace

struct SqliteExport::State {
  std::string path;
  std::string temporary;
  Options options;
  Database database;
  Statement insert_window;
  Statement insert_reject;
  Statement update_link;
  Statement insert_odd;
  std::map<Id128, Source> sources;
  std::set<std::string> met;  ///< channels of the options
  std::uint64_t uncommitted_rows = 0;
  bool committed = false;

  [[nodiscard]] std::unexpected<Error> failed() const {
    return fail(ExitCode::system, escape(path) + ": " + escape(sqlite3_errmsg(database.get())));
  }
  Status execute(const std::string& sql) {
    if (sqlite3_exec(database.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
      return failed();
    }
    return {};
  }
  Status prepare(const std::string& sql, Statement& into) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(database.get(), sql.c_str(), static_cast<int>(sql.size()), &statement,
                           nullptr) != SQLITE_OK) {
      return failed();
    }
    into.reset(statement);
    return {};
  }
  Status step(const Statement& statement) {
    const bool done = sqlite3_step(statement.get()) == SQLITE_DONE;
    const bool reset = sqlite3_reset(statement.get()) == SQLITE_OK;
    if (!done || !reset) return failed();
    return {};
  }
  Result<Source*> source_of(const Id128& id);
  Status make_table(const Id128& id, Source& source);
  Status take_schema(Source& source, const Schema& schema);
  Status add_column(Source& source, const Channel& channel);
  Status prepare_insert(Source& source);
  Status add_rows(Source& source, std::int64_t window_number, const Window& window,
                  const Schema& schema);
  Status bind_value(Source& source, Binder& binder, const SampleColumn& column,
                    const Column& values, std::size_t at);
};

SqliteExport::SqliteExport(std::unique_ptr<State> state) : state_(std::move(state)) {}
SqliteExport::SqliteExport(SqliteExport&&) noexcept = default;

SqliteExport::~SqliteExport() {
  if (!state_ || state_->committed) return;
  const std::string temporary = state_->temporary;
  state_.reset();
  ::unlink(temporary.c_str());
}

Result<SqliteExport> SqliteExport::create(const std::string& path, Options options) {
  auto state = std::make_unique<State>();
  state->path = path;
  state->temporary = path + ".tmp-" + decimal(std::int64_t{::getpid()});
  state->options = std::move(options);
  // Ours alone, and readable as any other output.
  auto fd = open_file(state->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (!fd) return pass(fd);
  fd->reset();
  SqliteExport made(std::move(state));
  State& self = *made.state_;
  sqlite3* database = nullptr;
  const int outcome =
      sqlite3_open_v2(self.temporary.c_str(), &database, SQLITE_OPEN_READWRITE, nullptr);
  self.database.reset(database);
  if (outcome != SQLITE_OK) return self.failed();
  TWINCHAIN_TRY(self.execute(prelude));
  TWINCHAIN_TRY(
      self.prepare("INSERT INTO windows(source, sequence, start_ns, end_ns, kind, rows, "
                   "first_event_ns, last_event_ns) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
                   self.insert_window));
  TWINCHAIN_TRY(self.prepare("INSERT INTO rejects VALUES(?, ?, ?, ?, ?, ?)", self.insert_reject));
  TWINCHAIN_TRY(
      self.prepare("UPDATE windows SET frame_root = ?, link_hash = ? WHERE source = ? AND "
                   "sequence = ? AND link_hash IS NULL",
                   self.update_link));
  TWINCHAIN_TRY(self.prepare("INSERT INTO odd_values VALUES(?, ?, ?, ?)", self.insert_odd));
  return made;
}

Result<Source*> SqliteExport::State::source_of(const Id128& id) {
  const auto found = sources.find(id);
  if (found != sources.end()) return &found->second;
  Source& source = sources[id];
  source.number = static_cast<std::int64_t>(sources.size());
  Statement insert;
  TWINCHAIN_TRY(prepare("INSERT INTO sources(source, id) VALUES(?, ?)", insert));
  const std::string hex = to_hex(id);
  Binder(insert.get()).integer(source.number).text(hex);
  TWINCHAIN_TRY(step(insert));
  return &source;
}

Status SqliteExport::State::make_table(const Id128& id, Source& source) {
  if (!source.table.empty()) return {};
  std::int64_t tables = 1;
  for (const auto& [other, made] : sources) tables += made.table.empty() ? 0 : 1;
  source.table = tables == 1 ? "samples" : "samples_" + decimal(tables);
  TWINCHAIN_TRY(execute("CREATE TABLE " + source.table +
                        "(row INTEGER PRIMARY KEY, window INTEGER NOT NULL REFERENCES windows, "
                        "time_ns INTEGER NOT NULL)"));
  // Division rounds towards zero and times may be before 1970.
  TWINCHAIN_TRY(execute("CREATE VIEW " + source.table +
                        "_utc AS SELECT strftime('%Y-%m-%dT%H:%M:%S', "
                        "(time_ns - ((time_ns % 1000000000) + 1000000000) % 1000000000) / "
                        "1000000000, 'unixepoch') || printf('.%09dZ', ((time_ns % 1000000000) + "
                        "1000000000) % 1000000000) AS time_utc, * FROM " +
                        source.table));
  Statement update;
  TWINCHAIN_TRY(prepare("UPDATE sources SET samples_table = ? WHERE id = ?", update));
  const std::string hex = to_hex(id);
  Binder(update.get()).text(source.table).text(hex);
  return step(update);
}

Status SqliteExport::State::add_column(Source& source, const Channel& channel) {
  if (source.columns.size() >= max_sqlite_channels) {
    return fail(ExitCode::usage,
                "more than " + decimal(std::uint64_t{max_sqlite_channels}) +
                    " channels, which are more than an SQLite table has columns",
                "choose some with --channel, or use frames cat");
  }
  const std::string wanted = identifier_of(channel.name);
  std::string name = wanted;
  for (std::uint64_t i = 2; !source.taken.insert(folded(name)).second; ++i) {
    name = wanted + "_" + decimal(i);
  }
  TWINCHAIN_TRY(execute("ALTER TABLE " + source.table + " ADD COLUMN " + quoted(name) + " " +
                        sql_type(channel.type)));
  Statement insert;
  TWINCHAIN_TRY(prepare("INSERT INTO channels VALUES(?, ?, ?, ?, ?, ?)", insert));
  const std::string type = value_type_name(channel.type);
  Binder(insert.get())
      .integer(source.number)
      .text(name)
      .text(channel.name)
      .text(type)
      .text_or_null(channel.unit)
      .text_or_null(channel.label);
  TWINCHAIN_TRY(step(insert));
  source.columns.push_back({channel.name, channel.type, std::move(name)});
  return {};
}

Status SqliteExport::State::take_schema(Source& source, const Schema& schema) {
  if (source.insert && source.schema == schema) return {};
  source.schema = schema;
  source.insert.reset();
  Statement update;
  TWINCHAIN_TRY(prepare("UPDATE sources SET name = ?, time_note = ? WHERE source = ?", update));
  Binder(update.get())
      .text(schema.source_name)
      .text_or_null(schema.time_note)
      .integer(source.number);
  TWINCHAIN_TRY(step(update));
  std::map<std::pair<std::string_view, ValueType>, bool> known;
  for (const SampleColumn& column : source.columns) known[{column.channel, column.type}] = true;
  std::vector<const Channel*> added;
  for (const Channel& channel : schema.channels) {
    const auto& chosen = options.channels;
    if (!chosen.empty()) {
      if (std::find(chosen.begin(), chosen.end(), channel.name) == chosen.end()) continue;
      met.insert(channel.name);
    }
    if (!known.contains({channel.name, channel.type})) added.push_back(&channel);
  }
  for (const Channel* channel : added) TWINCHAIN_TRY(add_column(source, *channel));
  return prepare_insert(source);
}

Status SqliteExport::State::prepare_insert(Source& source) {
  std::string sql = "INSERT INTO " + source.table + "(row, window, time_ns";
  std::string values = ") VALUES(?, ?, ?";
  for (const SampleColumn& column : source.columns) {
    sql += ", " + quoted(column.column_name);
    values += ", ?";
  }
  return prepare(sql + values + ")", source.insert);
}

Status SqliteExport::State::bind_value(Source& source, Binder& binder, const SampleColumn& column,
                                       const Column& values, std::size_t at) {
  switch (values.type) {
    case ValueType::f64:
      binder.real(values.f64[at]);
      // SQLite makes NULL of NaN and 0.0 of -0.0 (it stores whole numbers as integers): their bits
      // are kept beside.
      if (!std::isnan(values.f64[at]) && !(values.f64[at] == 0 && std::signbit(values.f64[at]))) {
        break;
      }
      Binder(insert_odd.get())
          .integer(source.number)
          .integer(source.rows)
          .text(column.column_name)
          .integer(std::bit_cast<std::int64_t>(values.f64[at]));
      return step(insert_odd);
    case ValueType::i64:
      binder.integer(values.i64[at]);
      break;
    case ValueType::boolean:
      binder.integer(values.boolean[at] != 0 ? 1 : 0);
      break;
    case ValueType::string:
      binder.text(values.string[at]);
      break;
  }
  return {};
}

Status SqliteExport::State::add_rows(Source& source, std::int64_t window_number,
                                     const Window& window, const Schema& schema) {
  std::vector<RowWalk> walks(source.columns.size());
  for (const Column& column : window.columns) {
    if (column.channel >= schema.channels.size()) continue;
    const Channel& channel = schema.channels[column.channel];
    for (std::size_t i = 0; i < walks.size(); ++i) {
      if (source.columns[i].channel == channel.name && source.columns[i].type == column.type) {
        walks[i].column = &column;
      }
    }
  }
  for (std::uint32_t row = 0; row < window.times_ns.size(); ++row) {
    ++source.rows;
    Binder binder(source.insert.get());
    binder.integer(source.rows).integer(window_number).integer(window.times_ns[row]);
    for (std::size_t i = 0; i < walks.size(); ++i) {
      const std::ptrdiff_t at = walks[i].at(row);
      if (at < 0) {
        binder.null();
      } else {
        TWINCHAIN_TRY(bind_value(source, binder, source.columns[i], *walks[i].column,
                                 static_cast<std::size_t>(at)));
      }
    }
    TWINCHAIN_TRY(step(source.insert));
  }
  uncommitted_rows += window.times_ns.size();
  if (uncommitted_rows < rows_a_transaction) return {};
  uncommitted_rows = 0;
  return execute("COMMIT; BEGIN");
}

Status SqliteExport::add_window(const Window& window, const Schema& schema, bool whole) {
  auto source = state_->source_of(window.header.source);
  if (!source) return pass(source);
  TWINCHAIN_TRY(state_->make_table(window.header.source, **source));
  TWINCHAIN_TRY(state_->take_schema(**source, schema));
  const DataHeader& header = window.header;
  Binder binder(state_->insert_window.get());
  binder.integer((*source)->number).integer(as_signed(header.sequence));
  binder.integer(header.window_start_ns).integer(header.window_end_ns);
  binder.text(whole ? "data" : "slice").integer(as_signed(header.rows));
  if (header.rows > 0) {
    binder.integer(header.first_event_ns).integer(header.last_event_ns);
  } else {
    binder.null().null();
  }
  TWINCHAIN_TRY(state_->step(state_->insert_window));
  const std::int64_t number = sqlite3_last_insert_rowid(state_->database.get());
  return state_->add_rows(**source, number, window, schema);
}

Status SqliteExport::add_lost_window(const Id128& source_id, std::uint64_t sequence,
                                     std::int64_t start_ns, std::int64_t end_ns) {
  auto source = state_->source_of(source_id);
  if (!source) return pass(source);
  Binder(state_->insert_window.get())
      .integer((*source)->number)
      .integer(as_signed(sequence))
      .integer(start_ns)
      .integer(end_ns)
      .text("lost")
      .null()
      .null()
      .null();
  return state_->step(state_->insert_window);
}

Status SqliteExport::add_link(const Id128& source_id, std::uint64_t sequence,
                              const Hash256& frame_root, const Hash256& link_hash) {
  auto source = state_->source_of(source_id);
  if (!source) return pass(source);
  const std::string root = to_hex(frame_root);
  const std::string hash = to_hex(link_hash);
  Binder(state_->update_link.get())
      .text(root)
      .text(hash)
      .integer((*source)->number)
      .integer(as_signed(sequence));
  return state_->step(state_->update_link);
}

Status SqliteExport::add_reject(const Id128& source_id, std::uint64_t sequence,
                                const Reject& reject) {
  auto source = state_->source_of(source_id);
  if (!source) return pass(source);
  Binder binder(state_->insert_reject.get());
  binder.integer((*source)->number).integer(as_signed(sequence));
  if (reject.line > 0) {
    binder.integer(as_signed(reject.line));
  } else {
    binder.null();
  }
  binder.integer(reject.arrival_ns).text(reject.reason).text(reject.text);
  return state_->step(state_->insert_reject);
}

std::vector<std::string> SqliteExport::missing_channels() const {
  std::vector<std::string> missing;
  for (const std::string& name : state_->options.channels) {
    if (!state_->met.contains(name)) missing.push_back(name);
  }
  return missing;
}

Status SqliteExport::commit() {
  State& self = *state_;
  TWINCHAIN_TRY(self.execute("COMMIT"));
  // Back to what a reader expects of a file: the journal mode is not kept in it when it is OFF.
  for (auto& [id, source] : self.sources) source.insert.reset();
  for (Statement* statement :
       {&self.insert_window, &self.insert_reject, &self.update_link, &self.insert_odd}) {
    statement->reset();
  }
  if (sqlite3_close(self.database.release()) != SQLITE_OK) {
    return fail(ExitCode::system, escape(self.path) + ": cannot close the database");
  }
  auto fd = open_file(self.temporary, O_RDWR | O_CLOEXEC);
  if (!fd) return pass(fd);
  TWINCHAIN_TRY(fsync_fd(fd->get()));
  TWINCHAIN_TRY(real_fs().rename(self.temporary, self.path));
  self.committed = true;
  return real_fs().sync_folder(parent_folder(self.path));
}

}  // namespace twinchain::record
