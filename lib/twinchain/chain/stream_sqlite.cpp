// frames export: samples, windows and rejects as an SQLite database.

#include "twinchain/base/text.hpp"
#include "twinchain/chain/link.hpp"
#include "twinchain/chain/stream_tools_common.hpp"

namespace twinchain::chain {
namespace {

Status take_link(const Frame& frame, bool lost_wanted, record::SqliteExport& out) {
  auto link = parse_link_frame(frame.header, frame.body.view());
  if (!link) {
    link.error().message.insert(0, at_frame(frame));
    return pass(link);
  }
  const Link& content = link->link;
  if (lost_wanted && (content.flags & link_lost_window) != 0) {
    TWINCHAIN_TRY(out.add_lost_window(content.source, content.number, content.window_start_ns,
                                      content.window_end_ns));
  }
  return out.add_link(content.source, content.number, content.frame_root, link_hash(content));
}

Status take_rejects(const Frame& frame, record::SqliteExport& out) {
  auto rejects = record::parse_reject_body(frame.body.view());
  if (!rejects) {
    rejects.error().message.insert(0, at_frame(frame));
    return pass(rejects);
  }
  for (const record::Reject& reject : *rejects) {
    TWINCHAIN_TRY(out.add_reject(frame.header.source, frame.header.sequence, reject));
  }
  return {};
}

Status take_window(const Frame& frame, const Schemas& schemas, record::SqliteExport& out) {
  const record::Schema* schema = schemas.find(frame.header.source);
  if (schema == nullptr) {
    return fail(ExitCode::malformed, at_frame(frame) + "no SCHEMA frame before it");
  }
  auto window = read_window(frame, *schema);
  if (!window) {
    window.error().message.insert(0, at_frame(frame));
    return pass(window);
  }
  return out.add_window(*window, *schema, frame.header.type == FrameType::data);
}

}  // namespace

Result<ExitCode> export_samples(StreamReader& in, const record::Selection& selection,
                                record::SqliteExport& out, const Complain& complain) {
  Schemas schemas;
  auto code = for_each_frame(in, complain, [&](Frame& frame) -> Status {
    if (!selection.wants_source(frame.header.source)) return {};
    switch (frame.header.type) {
      case FrameType::schema:
        return schemas.learn(frame);
      case FrameType::data:
      case FrameType::slice:
        if (!selection.wants_data(frame.header, frame.body.view())) return {};
        return take_window(frame, schemas, out);
      case FrameType::link:
        // Of a window whose event times reach into the range the window itself may not: a link that
        // finds no window changes nothing.
        return take_link(frame, selection.wants_data(frame.header, {}), out);
      case FrameType::reject:
        return selection.wants_data(frame.header, {}) ? take_rejects(frame, out) : Status();
      default:
        return {};
    }
  });
  if (!code) return code;
  // Only now: a channel may be new in any frame. Damage may have hidden it, and is said first.
  const auto missing = out.missing_channels();
  if (!missing.empty() && *code == ExitCode::success) {
    return fail(ExitCode::usage, "no source has a channel " + escape(missing.front()));
  }
  return code;
}

}  // namespace twinchain::chain
