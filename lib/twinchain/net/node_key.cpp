#include "twinchain/net/node_key.hpp"

#include <sys/stat.h>

#include <string_view>

#include "twinchain/base/text.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace twinchain::net {
namespace {

constexpr std::string_view node_key_title = "twinchain node key 1\n";
constexpr std::size_t max_node_key_file_bytes = 256;

/// Wipes what held a secret when the scope ends.
class NodeKeyWipe {
 public:
  explicit NodeKeyWipe(std::span<std::uint8_t> bytes) : bytes_(bytes) {}
  NodeKeyWipe(const NodeKeyWipe&) = delete;
  NodeKeyWipe& operator=(const NodeKeyWipe&) = delete;
  ~NodeKeyWipe() { wipe(bytes_); }

 private:
  std::span<std::uint8_t> bytes_;
};

// base/hex would leave copies of the secret on the heap.
int node_key_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool decode_seed(std::string_view text, std::array<std::uint8_t, 32>& seed) {
  if (!text.starts_with(node_key_title)) return false;
  text.remove_prefix(node_key_title.size());
  if (text.size() != 2 * seed.size() + 1 || text.back() != '\n') return false;
  for (std::size_t i = 0; i < seed.size(); ++i) {
    const int high = node_key_digit(text[2 * i]);
    const int low = node_key_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    seed[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return true;
}

}  // namespace

Result<SecretKey> load_node_key(Fs& fs, const std::string& path) {
  // Asked of the system, not of Fs: only a real file has owners. A path that cannot be looked at
  // fails in the next step, with its reason.
  struct stat info{};
  if (::stat(path.c_str(), &info) == 0 && (info.st_mode & 077) != 0) {
    return fail(ExitCode::usage, escape(path, 400) + ": others can read or change this node key",
                "chmod 600 " + escape(path, 400));
  }
  auto text = read_whole_file(fs, path, max_node_key_file_bytes);
  if (!text) return pass(text);
  const NodeKeyWipe text_guard(*text);
  std::array<std::uint8_t, 32> seed{};
  const NodeKeyWipe seed_guard(seed);
  if (!decode_seed(as_text(*text), seed)) {
    return fail(ExitCode::malformed, escape(path, 400) + ": not a twinchain node key");
  }
  return SecretKey::from_seed(seed);
}

Result<SecretKey> load_or_make_node_key(Fs& fs, const std::string& path) {
  auto there = fs.exists(path);
  if (!there) return pass(there);
  if (*there) return load_node_key(fs, path);
  SecretKey key = SecretKey::generate();
  Bytes text(node_key_title.begin(), node_key_title.end());
  text.resize(node_key_title.size() + 2 * key.seed().size() + 1);
  const NodeKeyWipe guard(text);  // from here on it does not grow, which would leave copies
  std::size_t at = node_key_title.size();
  static constexpr std::string_view digits = "0123456789abcdef";
  for (const std::uint8_t byte : key.seed()) {
    text[at++] = static_cast<std::uint8_t>(digits[byte >> 4]);
    text[at++] = static_cast<std::uint8_t>(digits[byte & 15]);
  }
  text[at] = '\n';
  TWINCHAIN_TRY(write_file_atomically(fs, path, text, true));
  return key;
}

}  // namespace twinchain::net
