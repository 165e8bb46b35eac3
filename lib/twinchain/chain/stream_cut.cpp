// frames cut.
#include <map>

#include "twinchain/base/text.hpp"
#include "twinchain/chain/slice.hpp"
#include "twinchain/chain/stream_tools_common.hpp"

namespace twinchain::chain {
namespace {

/// State of cut_stream.
class Cutter {
 public:
  Cutter(const record::Selection& selection, const std::vector<std::string>& channels,
         StreamWriter& out)
      : selection_(selection), channels_(channels), out_(out) {}

  Status take(Frame& frame) {
    const FrameHeader& header = frame.header;
    if (!selection_.wants_source(header.source)) return {};
    Pending& pending = pending_[header.source];
    switch (header.type) {
      case FrameType::schema:
        TWINCHAIN_TRY(schemas_.learn(frame));
        pending.schema.emplace();
        pending.schema->header = header;
        pending.schema->body.append(frame.body.view());
        return {};
      case FrameType::reject: {
        std::erase_if(pending.rejects,
                      [&](const Frame& kept) { return kept.header.sequence != header.sequence; });
        Frame copy;
        copy.header = header;
        copy.body.append(frame.body.view());
        pending.rejects.push_back(std::move(copy));
        return {};
      }
      case FrameType::data:
      case FrameType::slice:
        return take_data(frame, pending);
      default:
        break;
    }
    if (!chosen_.contains(header.source, header.sequence)) return {};
    return out_.write_unchanged(header, frame.body.view());
  }

 private:
  struct Pending {
    std::optional<Frame> schema;
    std::vector<Frame> rejects;
  };

  Status take_data(const Frame& frame, Pending& pending) {
    if (!selection_.wants_data(frame.header, frame.body.view())) {
      pending.rejects.clear();
      return {};
    }
    if (pending.schema) {
      TWINCHAIN_TRY(out_.write_unchanged(pending.schema->header, pending.schema->body.view()));
      pending.schema.reset();
    }
    for (const Frame& reject : pending.rejects) {
      // Rejected rows are whole rows: they would show what the channels that are not wanted had.
      if (channels_.empty() && reject.header.sequence == frame.header.sequence) {
        TWINCHAIN_TRY(out_.write_unchanged(reject.header, reject.body.view()));
      }
    }
    pending.rejects.clear();
    chosen_.add(frame.header.source, frame.header.sequence);
    if (channels_.empty()) return out_.write_unchanged(frame.header, frame.body.view());
    return write_slice(frame);
  }

  Status write_slice(const Frame& frame) {
    const record::Schema* schema = schemas_.find(frame.header.source);
    if (schema == nullptr) {
      return fail(ExitCode::malformed, at_frame(frame) + "no SCHEMA frame before it");
    }
    std::vector<std::uint32_t> wanted;
    for (const std::string& name : channels_) {
      for (std::uint32_t i = 0; i < schema->channels.size(); ++i) {
        if (schema->channels[i].name == name) wanted.push_back(i);
      }
    }
    if (wanted.empty()) {
      return fail(ExitCode::usage,
                  "source " + escape(schema->source_name) + " has none of the channels asked for");
    }
    auto slice = make_slice(frame.header, frame.body.view(), wanted);
    if (!slice) {
      slice.error().message.insert(0, at_frame(frame));
      return pass(slice);
    }
    return out_.write_unchanged(slice->header, slice->body);
  }

  const record::Selection& selection_;
  const std::vector<std::string>& channels_;
  StreamWriter& out_;
  Schemas schemas_;
  std::map<Id128, Pending> pending_;
  record::SequenceSet chosen_;
};

}  // namespace

Result<ExitCode> cut_stream(StreamReader& in, const record::Selection& selection,
                            const std::vector<std::string>& channels, StreamWriter& out,
                            const Complain& complain) {
  Cutter cutter(selection, channels, out);
  auto code = for_each_frame(in, complain, [&](Frame& frame) { return cutter.take(frame); });
  if (code && *code == ExitCode::success) TWINCHAIN_TRY(out.finish());
  return code;
}

}  // namespace twinchain::chain
