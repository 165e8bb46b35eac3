#include "twinchain/record/recorder_output.hpp"

#include "twinchain/stream/writer.hpp"
#include "twinchain/sys/fd.hpp"

namespace twinchain::record {
namespace {

class StreamOutput final : public FrameOutput {
 public:
  StreamOutput(int fd, bool delivers) : writer_(fd), fd_(fd), delivers_(delivers) {}

  Status start() override { return writer_.start(); }
  Status write(const FrameHeader& header, ByteView body) override {
    return writer_.write_unchanged(header, body);
  }
  Result<bool> settle() override {
    if (delivers_) TWINCHAIN_TRY(fsync_fd(fd_));
    return delivers_;
  }
  Status finish() override { return writer_.finish(); }

 private:
  StreamWriter writer_;
  int fd_;
  bool delivers_;
};

}  // namespace

std::unique_ptr<FrameOutput> make_stream_output(int fd, bool delivers) {
  return std::make_unique<StreamOutput>(fd, delivers);
}

}  // namespace twinchain::record
