#include "twinchain/net/payer_key.hpp"

#include <sys/stat.h>

#include <algorithm>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace twinchain::net {
namespace {

constexpr std::string_view payer_key_title = "twinchain payer key 1\n";
constexpr std::size_t payer_key_digits = 64;
constexpr std::uint64_t max_payer_key_file_bytes = 4096;

}  // namespace

std::string payer_key_path(const std::string& name_or_path) {
  return name_or_path.ends_with(".key") ? name_or_path : name_or_path + ".key";
}

Result<EcdsaSecretKey> create_payer_key(Fs& fs, const std::string& path) {
  EcdsaSecretKey key = EcdsaSecretKey::generate();
  auto there = fs.exists(path);
  if (!there) return pass(there);
  if (*there) {
    return fail(ExitCode::usage,
                escape(path, 400) + " is there already, keys are never overwritten");
  }
  std::string digits = to_hex(key.bytes());
  Bytes text;
  text.reserve(payer_key_title.size() + payer_key_digits + 1);
  append(text, payer_key_title);
  append(text, digits);
  text.push_back('\n');
  auto file = fs.open(path, OpenMode::create_secret);
  Status status = file ? Status{} : pass(file);
  const ByteView pieces[] = {text};
  if (status) status = (*file)->append(pieces);
  if (status) status = (*file)->sync();
  if (status) status = fs.sync_folder(parent_folder(path));
  wipe(text);
  wipe({reinterpret_cast<std::uint8_t*>(digits.data()), digits.size()});
  if (!status) return pass(status);
  return key;
}

Result<EcdsaSecretKey> parse_payer_key(ByteView text) {
  const auto refused = fail(ExitCode::usage, "not a payer's key",
                            "twin-tx key NAME makes one; twin-key makes keys that sign records");
  const std::string_view all = as_text(text);
  if (!all.starts_with(payer_key_title)) return refused;
  std::string_view digits = all.substr(payer_key_title.size());
  if (digits.ends_with('\n')) digits.remove_suffix(1);
  auto secret = digits.size() == payer_key_digits ? hash_from_hex(digits) : std::nullopt;
  if (!secret) return refused;
  auto key = EcdsaSecretKey::from_bytes(*secret);
  wipe(*secret);
  if (!key) return refused;
  return *key;
}

Result<EcdsaSecretKey> read_payer_key(Fs& fs, const std::string& path) {
  // Asked of the system, not of Fs: only a real file has owners.
  struct stat info{};
  if (::stat(path.c_str(), &info) == 0 && (info.st_mode & 077) != 0) {
    return fail(ExitCode::usage, escape(path, 400) + ": others can read or change this secret key",
                "chmod 600 " + escape(path, 400));
  }
  auto text = read_whole_file(fs, path, max_payer_key_file_bytes);
  if (!text) return pass(text);
  auto key = parse_payer_key(*text);
  wipe(*text);
  if (!key) key.error().message = escape(path, 400) + ": " + key.error().message;
  return key;
}

}  // namespace twinchain::net
