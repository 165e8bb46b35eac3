// A store whose segments are in a MemoryFs and whose index is on a real (memory) disk.
#pragma once

#include <map>
#include <set>

#include "twinchain/storage/catalog.hpp"
#include "twinchain/storage/fsck.hpp"
#include "twinchain/storage/gc.hpp"
#include "twinchain/storage/get.hpp"
#include "twinchain/storage/put.hpp"
#include "twinchain/storage/summary.hpp"
#include "twinchain/sys/faulty_fs.hpp"
#include "twinchain/sys/fd.hpp"
#include "unit/storage/frames_for_tests.hpp"

namespace twinchain::testing {

struct TestStore {
  MemoryFs memory;
  FaultyFs fs{memory};
  TemporaryFolder scratch;
  std::vector<std::string> notes;
  std::string folder = "rec";
  std::uint64_t segment_bytes = std::uint64_t{256} << 20;

  [[nodiscard]] std::string index_folder() const { return scratch.path() + "/index"; }
  [[nodiscard]] storage::Notes note() {
    return [this](const std::string& text) { notes.push_back(text); };
  }
  [[nodiscard]] bool noted(std::string_view part) const {
    return std::ranges::any_of(
        notes, [&](const std::string& text) { return text.find(part) != std::string::npos; });
  }
  [[nodiscard]] storage::WriterOptions writer_options() const {
    storage::WriterOptions options;
    options.other_index_folder = index_folder();
    options.segment_bytes = segment_bytes;
    return options;
  }
  Result<std::unique_ptr<storage::StoreWriter>> writer() {
    return storage::StoreWriter::open(fs, folder, writer_options(), note());
  }
  Result<std::unique_ptr<storage::Catalog>> catalog() {
    storage::CatalogOptions options;
    options.other_index_folder = index_folder();
    return storage::Catalog::open(fs, folder, options, note());
  }
  /// Adds and commits; every frame must be taken.
  void put(const std::vector<TestFrame>& frames) {
    auto store = writer();
    REQUIRE_MESSAGE(store, (store ? "" : store.error().message));
    for (const TestFrame& wanted : frames) {
      Frame frame = wanted.frame();
      std::string reason;
      auto taken = (*store)->add(frame, &reason);
      REQUIRE(taken);
      REQUIRE_MESSAGE(*taken != storage::Taken::refused, reason);
    }
    REQUIRE((*store)->close());
  }
  std::vector<Bytes> exported() {
    auto store = catalog();
    REQUIRE_MESSAGE(store, (store ? "" : store.error().message));
    return collect([&](StreamWriter& out) {
      return storage::export_frames(fs, **store, out, [](const Error&) {}, nullptr);
    });
  }
  std::vector<Bytes> got(const storage::GetRequest& request,
                         std::vector<std::string>* errors = nullptr) {
    auto store = catalog();
    REQUIRE_MESSAGE(store, (store ? "" : store.error().message));
    return collect([&](StreamWriter& out) {
      return storage::get_frames(**store, request, out, [errors](const Error& error) {
        if (errors != nullptr) errors->push_back(error.message);
      });
    });
  }
  storage::FsckResult check(bool repair = false,
                            std::vector<storage::Finding>* findings = nullptr) {
    storage::FsckOptions options;
    options.repair = repair;
    options.other_index_folder = index_folder();
    auto result = storage::check_store(
        fs, folder, options,
        [findings](const storage::Finding& finding) {
          if (findings != nullptr) findings->push_back(finding);
        },
        nullptr, note());
    REQUIRE_MESSAGE(result, (result ? "" : result.error().message));
    return *result;
  }
  Bytes& segment(std::uint32_t number) {
    Bytes* content = memory.content(folder + "/segments/" + storage::segment_name(number));
    REQUIRE(content != nullptr);
    return *content;
  }

  /// What a function writes into a StreamWriter, frame by frame, END left out.
  template <class Function>
  static std::vector<Bytes> collect(const Function& write) {
    TemporaryFolder folder;
    const std::string path = folder.path() + "/out";
    {
      auto out = open_file(path, 0101 /* O_WRONLY | O_CREAT */);
      REQUIRE(out);
      StreamWriter writer(out->get());
      auto result = write(writer);
      REQUIRE_MESSAGE(result, (result ? "" : result.error().message));
    }
    auto in = open_file(path, 0);
    REQUIRE(in);
    StreamReader::Options options;
    options.end_required = false;
    StreamReader reader(in->get(), options);
    std::vector<Bytes> frames;
    while (true) {
      auto event = reader.next();
      REQUIRE(event);
      if (event->kind == StreamEventKind::finished) return frames;
      REQUIRE(event->kind != StreamEventKind::damage);
      if (event->kind != StreamEventKind::frame) continue;
      Bytes body(event->frame.body.view().begin(), event->frame.body.view().end());
      frames.push_back(encode_frame(event->frame.header, body));
    }
  }
};

inline std::vector<Bytes> bytes_of(const std::vector<TestFrame>& frames) {
  std::vector<Bytes> out;
  out.reserve(frames.size());
  for (const TestFrame& frame : frames) out.push_back(frame.bytes());
  return out;
}

}  // namespace twinchain::testing
