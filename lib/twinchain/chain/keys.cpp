#include "twinchain/chain/keys.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <optional>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace twinchain::chain {
namespace {

constexpr std::string_view secret_title = "twinchain secret key 1";
constexpr std::string_view public_title = "twinchain public key 1";
constexpr std::size_t max_secret_file_bytes = 4096;
constexpr std::size_t max_public_file_bytes = std::size_t{4} << 20;

using Secret = std::array<std::uint8_t, 32>;

/// Wipes a buffer that held secrets when the scope ends.
class WipeGuard {
 public:
  explicit WipeGuard(Bytes& bytes) : bytes_(bytes) {}
  WipeGuard(const WipeGuard&) = delete;
  WipeGuard& operator=(const WipeGuard&) = delete;
  ~WipeGuard() { wipe(bytes_); }

 private:
  Bytes& bytes_;
};

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// base/hex would leave copies of the secret on the heap.
bool decode_secret(std::string_view text, Secret& into) {
  if (text.size() != 2 * into.size()) return false;
  for (std::size_t i = 0; i < into.size(); ++i) {
    const int high = hex_digit(text[2 * i]);
    const int low = hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    into[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return true;
}

void append_secret_hex(Bytes& out, ByteView secret) {
  static constexpr std::string_view digits = "0123456789abcdef";
  for (const std::uint8_t byte : secret) {
    out.push_back(static_cast<std::uint8_t>(digits[byte >> 4]));
    out.push_back(static_cast<std::uint8_t>(digits[byte & 15]));
  }
}

/// The file's text; the caller wipes it. Reserved in one piece, so that growing leaves no copies.
Bytes encode_secret_key(const std::string& name, std::uint32_t epoch, const SecretKey& current,
                        const SecretKey& next) {
  Bytes out;
  out.reserve(max_secret_file_bytes);
  append(out, secret_title);
  append(out, "\nname: ");
  append(out, name);
  append(out, "\nepoch: ");
  append(out, decimal(std::uint64_t{epoch}));
  append(out, "\nsecret: ");
  append_secret_hex(out, current.seed());
  append(out, "\nnext-secret: ");
  append_secret_hex(out, next.seed());
  append(out, "\n");
  return out;
}

/// Takes the lines off a key file one by one.
class LineReader {
 public:
  explicit LineReader(std::string_view text) : text_(text) {}

  /// The next line without its newline; nothing at the end or when the newline is missing.
  std::optional<std::string_view> next() {
    ++number_;
    const std::size_t end = text_.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = text_.substr(0, end);
    text_.remove_prefix(end + 1);
    return line;
  }
  /// The value of the next line, which is "LABEL: value".
  std::optional<std::string_view> field(std::string_view label) {
    const auto line = next();
    if (!line || !line->starts_with(label)) return std::nullopt;
    std::string_view rest = line->substr(label.size());
    if (!rest.starts_with(": ")) return std::nullopt;
    return rest.substr(2);
  }
  [[nodiscard]] bool at_end() const { return text_.empty(); }
  [[nodiscard]] std::unexpected<Error> malformed(std::string_view what) const {
    std::string message = "line " + decimal(std::uint64_t{number_}) + ": ";
    message += what;
    return fail(ExitCode::malformed, std::move(message));
  }

 private:
  std::string_view text_;
  std::uint64_t number_ = 0;
};

bool is_signer_name(std::string_view name) {
  return !name.empty() && name.size() <= max_key_name_bytes && trim(name) == name &&
         escape(name, max_key_name_bytes) == name;
}

std::optional<std::uint32_t> parse_epoch(std::string_view text) {
  const auto number = parse_decimal(text);
  if (!number || *number > 0xffff'ffff) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

Result<PublicKeyFile::Epoch> parse_epoch_line(LineReader& lines, const PublicKeyFile& before) {
  const auto value = lines.field("key");
  if (!value) return lines.malformed("\"key: EPOCH KEY NEXT-KEY-HASH\" expected");
  const auto parts = split(*value, ' ');
  if (parts.size() != 3) return lines.malformed("\"key: EPOCH KEY NEXT-KEY-HASH\" expected");
  const auto number = parse_epoch(parts[0]);
  const auto key = hash_from_hex(parts[1]);
  const auto next_key_hash = hash_from_hex(parts[2]);
  if (!number) return lines.malformed("epoch is not a number");
  if (!key || !next_key_hash) return lines.malformed("64 hex digits expected");
  PublicKeyFile::Epoch epoch{*number, *key, *next_key_hash};
  if (!before.epochs.empty()) {
    const PublicKeyFile::Epoch& last = before.epochs.back();
    if (last.number == 0xffff'ffff || epoch.number != last.number + 1) {
      return lines.malformed("epochs are not numbered one after another");
    }
    if (key_id(epoch.key) != last.next_key_hash) {
      return lines.malformed("key is not the one that the epoch before committed to");
    }
  }
  return epoch;
}

std::string with_suffix(const std::string& name_or_path, std::string_view suffix) {
  std::string path = name_or_path;
  if (path.ends_with(".key") || path.ends_with(".pub")) path.resize(path.size() - 4);
  path += suffix;
  return path;
}

void put_path_before(Error& error, const std::string& path) {
  std::string message = escape(path, 400);
  message += ": ";
  message += error.message;
  error.message = std::move(message);
}

/// Zeros over the whole of an open file. What the disk below keeps is out of reach.
Status overwrite(File& file) {
  auto size = file.size_bytes();
  if (!size) return pass(size);
  const Bytes zeros(std::min<std::uint64_t>(*size, max_secret_file_bytes));
  TWINCHAIN_TRY(file.pwrite(zeros, 0));
  return file.sync();
}

/// Temporary files that write_file_atomically() left in a crash hold secrets.
Status erase_leftovers(Fs& fs, const std::string& key_path) {
  const std::string folder = parent_folder(key_path);
  auto names = fs.list(folder);
  if (!names) return pass(names);
  const std::size_t slash = key_path.find_last_of('/');
  std::string prefix = slash == std::string::npos ? key_path : key_path.substr(slash + 1);
  prefix += ".tmp-";
  for (const std::string& name : *names) {
    if (!name.starts_with(prefix)) continue;
    const std::string path = folder + "/" + name;
    auto file = fs.open(path, OpenMode::read_write);
    if (!file) return pass(file);
    TWINCHAIN_TRY(overwrite(**file));
    TWINCHAIN_TRY(fs.remove(path));
  }
  return {};
}

Status write_new_file(Fs& fs, const std::string& path, OpenMode mode, ByteView content) {
  auto file = fs.open(path, mode);
  if (!file) return pass(file);
  const ByteView pieces[] = {content};
  auto status = (*file)->append(pieces);
  if (status) status = (*file)->sync();
  if (!status) (void)fs.remove(path);  // the first error is the one to report
  return status;
}

enum class Agreement { same, public_lags, none };

Agreement agreement(const SecretKeyFile& secret, const PublicKeyFile& published) {
  const PublicKeyFile::Epoch now = public_epoch(secret);
  const PublicKeyFile::Epoch& last = published.epochs.back();
  if (last == now) return Agreement::same;
  if (last.number != 0xffff'ffff && last.number + 1 == now.number &&
      last.next_key_hash == key_id(now.key)) {
    return Agreement::public_lags;
  }
  return Agreement::none;
}

}  // namespace

Hash256 key_id(const PublicKey& key) {
  return sha256(ByteView(key));
}

Hash256 SecretKeyFile::next_key_hash() const {
  return key_id(next.public_key());
}

PublicKeyFile::Epoch public_epoch(const SecretKeyFile& key) {
  return {key.epoch, key.current.public_key(), key.next_key_hash()};
}

Result<SecretKeyFile> parse_secret_key(ByteView text) {
  LineReader lines(as_text(text));
  if (lines.next() != secret_title) return lines.malformed("not a twinchain secret key");
  const auto name = lines.field("name");
  if (!name || !is_signer_name(*name)) return lines.malformed("\"name: NAME\" expected");
  const auto epoch_text = lines.field("epoch");
  const auto epoch = epoch_text ? parse_epoch(*epoch_text) : std::nullopt;
  if (!epoch) return lines.malformed("\"epoch: NUMBER\" expected");
  Secret current{};
  Secret next{};
  const auto read = [&]() -> Status {
    const auto current_text = lines.field("secret");
    if (!current_text || !decode_secret(*current_text, current)) {
      return lines.malformed("\"secret: 64 hex digits\" expected");
    }
    const auto next_text = lines.field("next-secret");
    if (!next_text || !decode_secret(*next_text, next)) {
      return lines.malformed("\"next-secret: 64 hex digits\" expected");
    }
    if (!lines.at_end()) {
      (void)lines.next();
      return lines.malformed("nothing may follow the next secret");
    }
    return {};
  };
  auto status = read();
  if (!status) {
    wipe(current);
    wipe(next);
    return pass(status);
  }
  SecretKeyFile key{std::string(*name), *epoch, SecretKey::from_seed(current),
                    SecretKey::from_seed(next)};
  wipe(current);
  wipe(next);
  return key;
}

Result<PublicKeyFile> parse_public_key(ByteView text) {
  LineReader lines(as_text(text));
  PublicKeyFile key;
  const auto title = lines.next();
  if (title == secret_title) {
    return lines.malformed("this is a secret key, the public one is in the file ending in .pub");
  }
  if (title != public_title) return lines.malformed("not a twinchain public key");
  const auto name = lines.field("name");
  if (!name || !is_signer_name(*name)) return lines.malformed("\"name: NAME\" expected");
  key.name = *name;
  do {
    auto epoch = parse_epoch_line(lines, key);
    if (!epoch) return pass(epoch);
    key.epochs.push_back(*epoch);
  } while (!lines.at_end());
  return key;
}

std::string encode_public_key(const PublicKeyFile& key) {
  std::string text(public_title);
  text += "\nname: ";
  text += key.name;
  text += '\n';
  for (const PublicKeyFile::Epoch& epoch : key.epochs) {
    text += "key: ";
    text += decimal(std::uint64_t{epoch.number});
    text += ' ';
    text += to_hex(epoch.key);
    text += ' ';
    text += to_hex(epoch.next_key_hash);
    text += '\n';
  }
  return text;
}

Result<SecretKeyFile> read_secret_key(Fs& fs, const std::string& path) {
  // Asked of the system, not of Fs: only a real file has owners. A path that cannot be looked at
  // fails in the next step, with its reason.
  struct stat info{};
  if (::stat(path.c_str(), &info) == 0 && (info.st_mode & 077) != 0) {
    return fail(ExitCode::usage, escape(path, 400) + ": others can read or change this secret key",
                "chmod 600 " + escape(path, 400));
  }
  auto text = read_whole_file(fs, path, max_secret_file_bytes);
  if (!text) return pass(text);
  const WipeGuard guard(*text);
  auto key = parse_secret_key(*text);
  if (!key) put_path_before(key.error(), path);
  return key;
}

Result<PublicKeyFile> read_public_key(Fs& fs, const std::string& path) {
  auto text = read_whole_file(fs, path, max_public_file_bytes);
  if (!text) return pass(text);
  auto key = parse_public_key(*text);
  if (!key) put_path_before(key.error(), path);
  return key;
}

Result<PublicKeyFile> read_public_part(Fs& fs, const std::string& path) {
  auto text = read_whole_file(fs, path, max_public_file_bytes);
  if (!text) return pass(text);
  const bool is_secret = as_text(*text).starts_with(secret_title);
  wipe(*text);
  if (!is_secret) return read_public_key(fs, path);
  auto secret = read_secret_key(fs, path);
  if (!secret) return pass(secret);
  return PublicKeyFile{secret->name, {public_epoch(*secret)}};
}

std::string secret_key_path(const std::string& name_or_path) {
  return with_suffix(name_or_path, ".key");
}

std::string public_key_path(const std::string& name_or_path) {
  return with_suffix(name_or_path, ".pub");
}

Result<PublicKeyFile> create_key_files(Fs& fs, const std::string& name_or_path,
                                       const std::string& signer_name) {
  if (!is_signer_name(signer_name)) {
    return fail(ExitCode::usage, "a signer's name is 1 to 255 bytes of printable text");
  }
  const std::string key_path = secret_key_path(name_or_path);
  const std::string public_path = public_key_path(name_or_path);
  for (const std::string& path : {key_path, public_path}) {
    auto there = fs.exists(path);
    if (!there) return pass(there);
    if (*there) {
      return fail(ExitCode::usage,
                  escape(path, 400) + " is there already, keys are never overwritten",
                  "twin-key rotate changes to the next key");
    }
  }
  const SecretKeyFile key{signer_name, 0, SecretKey::generate(), SecretKey::generate()};
  PublicKeyFile published{signer_name, {public_epoch(key)}};
  Bytes text = encode_secret_key(key.name, key.epoch, key.current, key.next);
  const WipeGuard guard(text);
  TWINCHAIN_TRY(write_new_file(fs, key_path, OpenMode::create_secret, text));
  auto status =
      write_new_file(fs, public_path, OpenMode::create_new, as_bytes(encode_public_key(published)));
  if (!status) {
    (void)fs.remove(key_path);
    return pass(status);
  }
  TWINCHAIN_TRY(fs.sync_folder(parent_folder(key_path)));
  return published;
}

Result<Rotation> rotate_key_files(
    Fs& fs, const std::string& name_or_path,
    const std::function<Status(const PublicKeyFile::Epoch&)>& may_rotate) {
  const std::string key_path = secret_key_path(name_or_path);
  const std::string public_path = public_key_path(name_or_path);
  auto secret = read_secret_key(fs, key_path);
  if (!secret) return pass(secret);
  auto lock = fs.lock(with_suffix(name_or_path, ".lock"));
  if (!lock) return pass(lock);
  // Again, now that nobody else changes it.
  secret = read_secret_key(fs, key_path);
  if (!secret) return pass(secret);
  auto published = read_public_key(fs, public_path);
  if (!published) return pass(published);
  Rotation rotation;
  switch (agreement(*secret, *published)) {
    case Agreement::none:
      return fail(ExitCode::refuted, escape(key_path, 400) + " and " + escape(public_path, 400) +
                                         " do not belong together");
    case Agreement::public_lags:
      rotation.finished_interrupted = true;
      break;
    case Agreement::same: {
      if (secret->epoch == 0xffff'ffff) return fail(ExitCode::usage, "no epoch is left");
      if (may_rotate) TWINCHAIN_TRY(may_rotate(public_epoch(*secret)));
      TWINCHAIN_TRY(erase_leftovers(fs, key_path));
      auto old_file = fs.open(key_path, OpenMode::read_write);
      if (!old_file) return pass(old_file);
      SecretKeyFile after{secret->name, secret->epoch + 1, secret->next, SecretKey::generate()};
      Bytes text = encode_secret_key(after.name, after.epoch, after.current, after.next);
      const WipeGuard guard(text);
      TWINCHAIN_TRY(write_file_atomically(fs, key_path, text, true));
      TWINCHAIN_TRY(overwrite(**old_file));
      secret = std::move(after);
      break;
    }
  }
  published->epochs.push_back(public_epoch(*secret));
  TWINCHAIN_TRY(write_file_atomically(fs, public_path, as_bytes(encode_public_key(*published))));
  rotation.public_key = std::move(*published);
  return rotation;
}

}  // namespace twinchain::chain
