#include "twinchain/sys/faulty_fs.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace twinchain;

namespace {

std::string read_text(Fs& fs, const std::string& path) {
  auto bytes = read_whole_file(fs, path, 1 << 20);
  return bytes ? std::string(as_text(*bytes)) : "(" + bytes.error().message + ")";
}

void append_text(File& file, std::string_view text) {
  const ByteView piece = as_bytes(text);
  REQUIRE(file.append({&piece, 1}));
}

}  // namespace

TEST_CASE("memory fs behaves as a file system does") {
  MemoryFs fs;
  CHECK(fs.make_folders("a/b"));
  CHECK(*fs.exists("a/b/"));
  CHECK_FALSE(*fs.exists("a/c"));
  CHECK_FALSE(fs.open("a/b/x", OpenMode::read));
  CHECK_FALSE(fs.open("c/x", OpenMode::create));
  auto file = fs.open("a/b/x", OpenMode::create_new);
  REQUIRE(file);
  CHECK_FALSE(fs.open("./a//b/x", OpenMode::create_new));
  append_text(**file, "hello ");
  append_text(**file, "world");
  REQUIRE((*file)->pwrite(as_bytes("W"), 6));
  CHECK(*(*file)->size_bytes() == 11);
  CHECK(read_text(fs, "a/b/x") == "hello World");
  REQUIRE((*file)->truncate(5));
  CHECK(fs.rename("a/b/x", "a/y"));
  CHECK(read_text(fs, "a/y") == "hello");
  CHECK(*fs.list("a") == std::vector<std::string>{"b", "y"});
  CHECK(fs.list("a/b")->empty());
  auto reading = fs.open("a/y", OpenMode::read);
  CHECK_FALSE((*reading)->truncate(0));
  CHECK(fs.remove("a/y"));
  CHECK_FALSE(fs.remove("a/y"));
  CHECK(fs.make_folders("a/b"));
}

TEST_CASE("memory fs: one lock at a time") {
  MemoryFs fs;
  auto first = fs.lock("LOCK");
  REQUIRE(first);
  auto second = fs.lock("LOCK");
  REQUIRE_FALSE(second);
  CHECK(second.error().code == ExitCode::system);
  CHECK(second.error().message == ". is in use by another process");
  fs.kill_processes();
  auto third = fs.lock("LOCK");
  REQUIRE(third);
  first->reset();  // of a dead process: does not free the new one
  CHECK_FALSE(fs.lock("LOCK"));
  third->reset();
  CHECK(fs.lock("LOCK"));
}

TEST_CASE("memory fs: a power cut keeps what was synced, and no more is promised") {
  MemoryFs fs;
  auto file = fs.open("a", OpenMode::create_new);
  append_text(**file, "durable");
  REQUIRE((*file)->sync());
  SUBCASE("the name was not") {
    fs.power_cut(Survival::nothing);
    CHECK_FALSE(*fs.exists("a"));
  }
  SUBCASE("content and name were") {
    REQUIRE(fs.sync_folder("."));
    append_text(**file, " lost");
    CHECK(read_text(fs, "a") == "durable lost");
    fs.power_cut(Survival::nothing);
    CHECK(read_text(fs, "a") == "durable");
    CHECK_FALSE((*file)->sync());
  }
  SUBCASE("a rename and a removal are names too") {
    REQUIRE(fs.sync_folder("."));
    REQUIRE(fs.rename("a", "b"));
    fs.power_cut(Survival::nothing);
    CHECK(*fs.list(".") == std::vector<std::string>{"a"});
    REQUIRE(fs.rename("a", "b"));
    REQUIRE(fs.sync_folder(""));
    REQUIRE(fs.remove("b"));
    fs.power_cut(Survival::nothing);
    CHECK(*fs.list(".") == std::vector<std::string>{"b"});
    REQUIRE(fs.remove("b"));
    fs.power_cut(Survival::everything);
    CHECK(fs.list(".")->empty());
  }
}

TEST_CASE("memory fs: a seeded power cut leaves the synced bytes and any of many tails") {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    MemoryFs fs;
    auto file = fs.open("a", OpenMode::create_new);
    append_text(**file, "synced ");
    REQUIRE((*file)->sync());
    REQUIRE(fs.sync_folder("."));
    append_text(**file, "first ");
    append_text(**file, "second");
    fs.power_cut(Survival::seeded, seed);
    const std::string left = read_text(fs, "a");
    CHECK(left.starts_with("synced "));
    CHECK(left.size() <= 19);
    seen.insert(left);
    MemoryFs again;
    file = again.open("a", OpenMode::create_new);
    append_text(**file, "synced ");
    REQUIRE((*file)->sync());
    REQUIRE(again.sync_folder("."));
    append_text(**file, "first ");
    append_text(**file, "second");
    again.power_cut(Survival::seeded, seed);
    CHECK(read_text(again, "a") == left);
  }
  CHECK(seen.contains("synced "));
  CHECK(seen.contains("synced first second"));
  CHECK(seen.contains("synced fir"));
  CHECK(seen.size() > 20);
}

TEST_CASE("faulty fs: each operation fails once, with its error, and is counted") {
  const auto work = [](Fs& fs) -> Status {
    TWINCHAIN_TRY(fs.make_folders("d"));
    return write_file_atomically(fs, "d/file", as_bytes("content"));
  };
  MemoryFs counting_base;
  FaultyFs counting(counting_base);
  REQUIRE(work(counting));
  const std::uint64_t operations = counting.operations();
  CHECK(operations == 6);  // make folder, create, append, sync, rename, sync folder
  CHECK(counting.trace()[0] == "make folder d");
  CHECK(counting.trace()[2].starts_with("append d/file.tmp-"));
  CHECK(counting.trace()[5] == "sync folder d");
  for (std::uint64_t k = 1; k <= operations; ++k) {
    MemoryFs memory;
    FaultyFs fs(memory);
    fs.set_fault({.kind = FaultKind::error, .operation = k, .error_number = ENOSPC});
    const auto status = work(fs);
    REQUIRE_FALSE(status);
    CHECK(status.error().code == ExitCode::system);
    CHECK(status.error().message.ends_with("no space left on device"));
    CHECK(fs.happened());
    if (k > 1) CHECK(fs.list("d")->size() == (k == operations ? 1 : 0));
    CHECK(work(fs));
    CHECK(read_text(fs, "d/file") == "content");
  }
}

TEST_CASE("faulty fs: after a kill or a power cut all fails until the reboot") {
  for (const FaultKind kind : {FaultKind::kill, FaultKind::power_cut}) {
    for (std::uint64_t k = 1; k <= 5; ++k) {
      for (std::uint64_t seed = 0; seed < 20; ++seed) {
        MemoryFs memory;
        FaultyFs fs(memory);
        REQUIRE(write_file_atomically(fs, "file", as_bytes("old")));
        auto held = fs.lock("LOCK");
        fs.set_fault({.kind = kind, .operation = k, .seed = seed});
        CHECK_FALSE(write_file_atomically(fs, "file", as_bytes("new content")));
        CHECK_FALSE(fs.exists("file"));
        CHECK_FALSE(fs.open("file", OpenMode::read));
        fs.reboot();
        const std::string left = read_text(fs, "file");
        CHECK((left == "old" || left == "new content"));
        CHECK(fs.lock("LOCK"));
        CHECK(write_file_atomically(fs, "file", as_bytes("third")));
      }
    }
  }
}

TEST_CASE("faulty fs: a failed sync has lost the bytes, and the next one does not say so") {
  MemoryFs memory;
  FaultyFs fs(memory);
  auto file = fs.open("a", OpenMode::create_new);
  REQUIRE(fs.sync_folder("."));
  append_text(**file, "one");
  REQUIRE((*file)->sync());
  fs.set_fault({.kind = FaultKind::error, .operation = 2});
  append_text(**file, "two");
  CHECK_FALSE((*file)->sync());
  CHECK(read_text(fs, "a") == "onetwo");
  REQUIRE((*file)->sync());
  append_text(**file, "three");
  REQUIRE((*file)->sync());
  memory.power_cut(Survival::nothing);
  CHECK(read_text(memory, "a") == std::string("one\0\0\0three", 11));
}

TEST_CASE("faulty fs: a full disk stays full") {
  MemoryFs memory;
  FaultyFs fs(memory);
  fs.set_fault({.kind = FaultKind::error_for_good, .operation = 2, .error_number = ENOSPC});
  auto file = fs.open("a", OpenMode::create);
  REQUIRE(file);
  const ByteView piece = as_bytes("bytes");
  for (int i = 0; i < 3; ++i) CHECK_FALSE((*file)->append({&piece, 1}));
  CHECK_FALSE(fs.open("b", OpenMode::create));
  CHECK(fs.open("a", OpenMode::read));
  fs.set_fault({});
  CHECK((*file)->append({&piece, 1}));
}
