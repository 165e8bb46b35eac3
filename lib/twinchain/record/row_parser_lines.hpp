// The part of a row parser that all text formats share: finding rows, cutting what is too long,
// rejects, the limits of ParseControl, save and restore. Floor 3, internal to record.
#pragma once

#include <string>
#include <string_view>

#include "twinchain/record/row_parser.hpp"
#include "twinchain/record/row_parser_values.hpp"

namespace twinchain::record {

class LineParser : public RowParser {
 public:
  Result<ParseOutcome> parse(ByteView input, bool at_end, WindowBuilder& builder,
                             const ParseControl& control) final;
  [[nodiscard]] Bytes save() const final;
  Status restore(ByteView saved) final;

 protected:
  /// A quoted value may span this many lines; then its quote counts as one that nobody closed.
  static constexpr std::uint64_t max_quoted_lines = 100;
  /// Bytes that may be read after the end of a row that take_row() is given.
  static constexpr std::size_t row_padding = 64;

  /// A row at the front of what is left of the input.
  struct Extent {
    std::size_t size = 0;      ///< without its line end
    std::size_t line_end = 0;  ///< bytes of it; 0: no line end was found
    std::uint64_t lines = 1;   ///< lines of the input that it takes
    /// The quotes do not match: refuse this one line and go on with the next.
    bool quote_open = false;
  };
  enum class Kind { values, nothing, refused };

  explicit LineParser(const ParserOptions& options);

  /// `give_up`: no more bytes will make the row whole, so what has begun in quotes is broken.
  virtual Extent find_row(std::string_view input, bool give_up) const;
  /// Fills row_ with the values of a row without its line end, followed by row_padding readable
  /// bytes. refused: row_.fault says why. An error ends the parsing.
  virtual Result<Kind> take_row(std::string_view row) = 0;
  /// The fast path: a row that has a number for each of the channels 0 .. dense_columns_ - 1, all
  /// f64, and nothing else; and the time, if the rows have one. False when it is any other row:
  /// then take_row() is asked. Such rows go to the builder in blocks.
  virtual bool take_dense_row(std::string_view /*row*/, double* /*values*/,
                              std::int64_t& /*time_ns*/) {
    return false;
  }
  /// Whether the next row says what the others mean, so that none can be read when it cannot.
  [[nodiscard]] virtual bool at_header() const { return false; }
  /// Channel numbers that were remembered are void: another builder.
  virtual void forget_channels() = 0;
  virtual void save_state(Bytes& out) const = 0;
  virtual bool restore_state(ByteCursor& in) = 0;

  /// Ends a row with a fault.
  Kind refuse(std::string fault);
  /// "line 5 at byte 1234"
  [[nodiscard]] std::string place() const;
  [[nodiscard]] bool at_first_byte() const { return offset_ == 0; }

  const ParserOptions options_;
  ChannelTable channels_;
  RowValues row_;
  std::uint32_t dense_columns_ = 0;  ///< 0: no fast path

 private:
  static constexpr std::size_t max_block_values = 4096;

  Status parse_rows(std::string_view text, bool at_end, ParseOutcome& outcome,
                    WindowBuilder& builder, const ParseControl& control);
  /// Steps over the first `consumed` bytes of the input.
  void advance(ParseOutcome& outcome, std::size_t consumed, std::uint64_t lines);
  Status reject(std::string_view text, const char* why, WindowBuilder& builder,
                const ParseControl& control);
  Status cut_long_row(std::string_view rest, const Extent& extent, ParseOutcome& outcome,
                      WindowBuilder& builder, const ParseControl& control);
  /// A line whose quote nobody closes: the next one is a row again.
  Status refuse_line(std::string_view rest, const Extent& line, ParseOutcome& outcome,
                     WindowBuilder& builder, const ParseControl& control);
  /// False when the row has to wait for the next window.
  Result<bool> take(std::string_view rest, const Extent& extent, ParseOutcome& outcome,
                    WindowBuilder& builder, const ParseControl& control);
  /// The row with row_padding readable bytes after it.
  std::string_view pad(std::string_view row, std::string_view rest);
  /// Takes a row on the fast path. Nothing when it has to take the other one.
  std::optional<bool> take_dense(std::string_view rest, const Extent& extent, ParseOutcome& outcome,
                                 WindowBuilder& builder, const ParseControl& control);
  void put_block(WindowBuilder& builder);
  [[nodiscard]] bool is_full(const WindowBuilder& builder, const ParseControl& control) const;
  bool put_row(WindowBuilder& builder);
  bool add_channels();
  bool check_added();

  std::uint64_t line_ = 1;    ///< of the next row
  std::uint64_t offset_ = 0;  ///< of the next row in the input
  bool cutting_ = false;      ///< inside of a row that is too long
  std::string padded_;
  // Rows of the fast path that the builder does not have yet; none between two calls.
  std::uint32_t block_columns_ = 0;
  std::vector<double> block_;
  std::vector<std::int64_t> block_times_;
};

/// A saved state: what says that it is one, its format, the content, a checksum.
Bytes seal_state(RowFormat format, ByteView content);
/// The content; nothing when seal_state() did not make these bytes, for this format.
std::optional<ByteView> open_state(RowFormat format, ByteView saved);
Status wrong_state();
/// Writes and reads the texts of saved states.
void append_text(Bytes& out, std::string_view text);
std::string read_text(ByteCursor& in);

}  // namespace twinchain::record
