#include "twinchain/chain/keys.hpp"

#include <doctest/doctest.h>

#include <set>

#include "seal_fixture.hpp"
#include "twinchain/base/hex.hpp"
#include "twinchain/crypto/sha256.hpp"
#include "twinchain/sys/faulty_fs.hpp"

using namespace twinchain;
using namespace twinchain::chain;

namespace {

const std::string secret_text =
    "twinchain secret key 1\n"
    "name: node\n"
    "epoch: 7\n"
    "secret: 9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60\n"
    "next-secret: 4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb\n";

std::string refused(const Result<SecretKeyFile>& result) {
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ExitCode::malformed);
  return result.error().message;
}
std::string refused(const Result<PublicKeyFile>& result) {
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ExitCode::malformed);
  return result.error().message;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string text_of(Fs& fs, const std::string& path) {
  auto bytes = read_whole_file(fs, path, 1 << 20);
  REQUIRE(bytes);
  return std::string(as_text(*bytes));
}

}  // namespace

TEST_CASE("key files: paths") {
  CHECK(secret_key_path("a/node") == "a/node.key");
  CHECK(secret_key_path("a/node.key") == "a/node.key");
  CHECK(secret_key_path("a/node.pub") == "a/node.key");
  CHECK(public_key_path("node") == "node.pub");
  CHECK(public_key_path("node.key") == "node.pub");
}

TEST_CASE("key files: a secret key is read, its hash is that of the next public key") {
  auto key = parse_secret_key(as_bytes(secret_text));
  REQUIRE(key);
  CHECK(key->name == "node");
  CHECK(key->epoch == 7);
  CHECK(to_hex(key->current.public_key()) ==
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  const PublicKey next = key->next.public_key();
  CHECK(to_hex(next) == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  CHECK(key->next_key_hash() == sha256(ByteView(next)));
  const PublicKeyFile::Epoch epoch = public_epoch(*key);
  CHECK(epoch.number == 7);
  CHECK(epoch.key == key->current.public_key());
  CHECK(epoch.next_key_hash == key->next_key_hash());
}

TEST_CASE("key files: malformed secret keys name the line and no secret") {
  const auto message = [](const std::string& text) {
    const std::string said = refused(parse_secret_key(as_bytes(text)));
    CHECK(said.find("9d61b1") == std::string::npos);
    return said;
  };
  CHECK(message("") == "line 1: not a twinchain secret key");
  CHECK(message(replaced(secret_text, "key 1", "key 2")) == "line 1: not a twinchain secret key");
  CHECK(message(replaced(secret_text, "name: node", "name: ")) ==
        "line 2: \"name: NAME\" expected");
  CHECK(message(replaced(secret_text, "name: node", "name: a\tb")) ==
        "line 2: \"name: NAME\" expected");
  CHECK(message(replaced(secret_text, "7", "-7")) == "line 3: \"epoch: NUMBER\" expected");
  CHECK(message(replaced(secret_text, "7", "4294967296")) == "line 3: \"epoch: NUMBER\" expected");
  CHECK(message(replaced(secret_text, "9d61", "9d6")) ==
        "line 4: \"secret: 64 hex digits\" expected");
  CHECK(message(replaced(secret_text, "9d61", "9x61")) ==
        "line 4: \"secret: 64 hex digits\" expected");
  CHECK(message(replaced(secret_text, "next-secret", "nextsecret")) ==
        "line 5: \"next-secret: 64 hex digits\" expected");
  CHECK(message(secret_text.substr(0, secret_text.size() - 1)) ==
        "line 5: \"next-secret: 64 hex digits\" expected");
  CHECK(message(secret_text + "more\n") == "line 6: nothing may follow the next secret");
  for (std::size_t size = 0; size < secret_text.size(); ++size) {
    CHECK_FALSE(parse_secret_key(as_bytes(secret_text).first(size)));
  }
}

TEST_CASE("key files: a public key file comes back as it was, and its epochs must be a chain") {
  const SecretKey keys[] = {SecretKey::generate(), SecretKey::generate(), SecretKey::generate()};
  PublicKeyFile file{"Haulier Ltd, Köln", {}};
  for (std::uint32_t i = 0; i < 2; ++i) {
    file.epochs.push_back({i + 3, keys[i].public_key(), key_id(keys[i + 1].public_key())});
  }
  const std::string text = encode_public_key(file);
  auto parsed = parse_public_key(as_bytes(text));
  REQUIRE(parsed);
  CHECK(parsed->name == file.name);
  CHECK(parsed->epochs == file.epochs);

  CHECK(refused(parse_public_key(as_bytes(secret_text))) ==
        "line 1: this is a secret key, the public one is in the file ending in .pub");
  CHECK(refused(parse_public_key(as_bytes("hello\n"))) == "line 1: not a twinchain public key");
  CHECK(refused(parse_public_key(as_bytes(replaced(text, "key: 4 ", "key: 5 ")))) ==
        "line 4: epochs are not numbered one after another");
  PublicKeyFile broken = file;
  broken.epochs[1].key = keys[2].public_key();
  CHECK(refused(parse_public_key(as_bytes(encode_public_key(broken)))) ==
        "line 4: key is not the one that the epoch before committed to");
  CHECK(refused(parse_public_key(as_bytes(replaced(text, "key: 4 ", "key: 4  ")))) ==
        "line 4: \"key: EPOCH KEY NEXT-KEY-HASH\" expected");
  CHECK(refused(parse_public_key(as_bytes("twinchain public key 1\nname: x\n"))) ==
        "line 3: \"key: EPOCH KEY NEXT-KEY-HASH\" expected");
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto part = parse_public_key(as_bytes(text).first(size));
    CHECK((!part || part->epochs.size() == 1));
  }
}

TEST_CASE("key files: new makes both, 0600 and 0644, and never overwrites") {
  const test::TemporaryFolder folder;
  const std::string name = folder / "node";
  auto made = create_key_files(real_fs(), name, "node 1");
  REQUIRE(made);
  auto secret = read_secret_key(real_fs(), name + ".key");
  REQUIRE(secret);
  auto published = read_public_key(real_fs(), name + ".pub");
  REQUIRE(published);
  CHECK(secret->name == "node 1");
  CHECK(secret->epoch == 0);
  CHECK(published->epochs == std::vector{public_epoch(*secret)});
  CHECK(read_public_part(real_fs(), name + ".key")->epochs == published->epochs);
  CHECK(read_public_part(real_fs(), name + ".pub")->epochs == published->epochs);
  struct stat info{};
  REQUIRE(::stat((name + ".key").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);

  const std::string before = text_of(real_fs(), name + ".key");
  auto again = create_key_files(real_fs(), name, "node 1");
  REQUIRE_FALSE(again);
  CHECK(again.error().code == ExitCode::usage);
  REQUIRE(real_fs().remove(name + ".key"));
  again = create_key_files(real_fs(), name, "node 1");
  REQUIRE_FALSE(again);  // NAME.pub is there still
  CHECK_FALSE(*real_fs().exists(name + ".key"));
  CHECK_FALSE(create_key_files(real_fs(), folder / "other", "two\nlines"));
  CHECK_FALSE(*real_fs().exists(folder / "other.key"));
}

TEST_CASE("key files: a secret key that others can read is refused") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "node.key";
  REQUIRE(create_key_files(real_fs(), path, "node"));
  for (const unsigned mode : {0640U, 0604U, 0660U, 0601U}) {
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    auto key = read_secret_key(real_fs(), path);
    REQUIRE_FALSE(key);
    CHECK(key.error().code == ExitCode::usage);
  }
  REQUIRE(::chmod(path.c_str(), 0400) == 0);
  CHECK(read_secret_key(real_fs(), path));
}

TEST_CASE("key files: rotation takes the successor, appends the epoch, erases the old secret") {
  const test::TemporaryFolder folder;
  const std::string name = folder / "node";
  REQUIRE(create_key_files(real_fs(), name, "node"));
  auto before = read_secret_key(real_fs(), name + ".key");
  REQUIRE(before);
  const UniqueFd old_file(::open((name + ".key").c_str(), O_RDONLY | O_CLOEXEC));
  // What a crash of an earlier rotation left.
  REQUIRE(write_file_atomically(real_fs(), name + ".key.tmp-1", as_bytes(secret_text), true));

  auto rotation = rotate_key_files(real_fs(), name);
  REQUIRE(rotation);
  CHECK_FALSE(rotation->finished_interrupted);
  auto after = read_secret_key(real_fs(), name + ".key");
  REQUIRE(after);
  CHECK(after->epoch == 1);
  CHECK(after->current.public_key() == before->next.public_key());
  CHECK(after->next.public_key() != before->next.public_key());
  auto published = read_public_key(real_fs(), name + ".pub");
  REQUIRE(published);
  CHECK(published->epochs == std::vector{public_epoch(*before), public_epoch(*after)});
  // The old file has no name any more, but through a descriptor its bytes can be seen.
  for (const std::uint8_t byte : test::content_of(old_file.get())) CHECK(byte == 0);
  CHECK_FALSE(*real_fs().exists(name + ".key.tmp-1"));
  REQUIRE(rotate_key_files(real_fs(), name + ".key"));
  CHECK(read_public_key(real_fs(), name + ".pub")->epochs.size() == 3);
}

TEST_CASE("key files: rotation asks first, and refuses files of different keys") {
  MemoryFs fs;
  REQUIRE(create_key_files(fs, "a", "a"));
  REQUIRE(create_key_files(fs, "b", "b"));
  const std::string before = text_of(fs, "a.key");
  auto denied = rotate_key_files(fs, "a", [](const PublicKeyFile::Epoch& epoch) -> Status {
    CHECK(epoch.number == 0);
    return fail(ExitCode::refuted, "not now");
  });
  REQUIRE_FALSE(denied);
  CHECK(denied.error().message == "not now");
  CHECK(text_of(fs, "a.key") == before);
  REQUIRE(fs.rename("b.pub", "a.pub"));
  auto mixed = rotate_key_files(fs, "a");
  REQUIRE_FALSE(mixed);
  CHECK(mixed.error().code == ExitCode::refuted);
  CHECK(mixed.error().message == "a.key and a.pub do not belong together");
  CHECK(text_of(fs, "a.key") == before);
}

TEST_CASE("key files: a crash anywhere in a rotation leaves keys that can be used and finished") {
  const auto run = [](std::uint64_t operation, FaultKind kind, std::uint64_t seed) {
    MemoryFs memory;
    FaultyFs fs(memory);
    REQUIRE(create_key_files(fs, "node", "node"));
    const auto first = public_epoch(*read_secret_key(fs, "node.key"));
    fs.set_fault({.kind = kind, .operation = operation, .seed = seed});
    const auto crashed = rotate_key_files(fs, "node");
    const bool happened = fs.happened();
    CHECK(crashed.has_value() != happened);
    fs.reboot();

    auto secret = read_secret_key(fs, "node.key");
    REQUIRE(secret);
    auto published = read_public_key(fs, "node.pub");
    REQUIRE(published);
    CHECK(published->epochs.front() == first);
    CHECK((secret->epoch == 0 || secret->epoch == 1));
    const std::uint32_t epoch_before = secret->epoch;
    const std::size_t lines_before = published->epochs.size();

    // Whatever happened, the next rotation brings both files to one epoch, and skips none.
    auto rotation = rotate_key_files(fs, "node");
    REQUIRE(rotation);
    secret = read_secret_key(fs, "node.key");
    REQUIRE(secret);
    published = read_public_key(fs, "node.pub");
    REQUIRE(published);
    CHECK(published->epochs.back() == public_epoch(*secret));
    CHECK(rotation->finished_interrupted == (lines_before == epoch_before));
    CHECK(secret->epoch == epoch_before + (rotation->finished_interrupted ? 0 : 1));
    auto names = fs.list(".");
    REQUIRE(names);
    for (const std::string& one : *names) CHECK(one.find(".key.tmp-") == std::string::npos);
    return happened;
  };
  for (const FaultKind kind : {FaultKind::error, FaultKind::kill, FaultKind::power_cut}) {
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
      std::uint64_t operation = 1;
      while (run(operation, kind, seed)) ++operation;
      CHECK(operation > 8);
    }
  }
}

TEST_CASE("key files: a crash while making new keys leaves no half of a pair in use") {
  for (const FaultKind kind : {FaultKind::error, FaultKind::kill, FaultKind::power_cut}) {
    for (std::uint64_t operation = 1;; ++operation) {
      MemoryFs memory;
      FaultyFs fs(memory);
      fs.set_fault({.kind = kind, .operation = operation, .seed = operation});
      const auto made = create_key_files(fs, "node", "node");
      if (!fs.happened()) {
        REQUIRE(made);
        break;
      }
      CHECK_FALSE(made);
      fs.reboot();
      if (kind == FaultKind::error && !*fs.exists("node.key")) continue;
      // A public key that is there belongs to the secret one.
      auto published = read_public_key(fs, "node.pub");
      auto secret = read_secret_key(fs, "node.key");
      if (published) {
        REQUIRE(secret);
        CHECK(published->epochs.back() == public_epoch(*secret));
      }
    }
  }
}
