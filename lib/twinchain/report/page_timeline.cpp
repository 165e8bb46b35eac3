// The timeline: what was recorded, what is damaged or missing, clocks, starts, anchors.
//
// Drawn with lengths in per cent of the width and in pixels of height, so that text and marks keep
// their size from a phone to a desktop.

#include <algorithm>
#include <bitset>

#include "twinchain/report/page_parts.hpp"

namespace twinchain::report {
namespace {

using chain::Severity;

constexpr std::size_t columns = 500;
constexpr std::size_t max_timelines = 8;
constexpr int lane_height = 46;

struct TimeRange {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 1;

  [[nodiscard]] double per_cent(double time_ns) const {
    const auto start = static_cast<double>(start_ns);
    const double span = std::max(1.0, static_cast<double>(end_ns) - start);
    return std::clamp((time_ns - start) / span, 0.0, 1.0) * 100;
  }
  [[nodiscard]] double per_cent(std::int64_t time_ns) const {
    return per_cent(static_cast<double>(time_ns));
  }
};

/// Which columns of the picture have something; so that any number of findings takes a bounded
/// number of shapes.
class Columns {
 public:
  void set(double start_per_cent, double end_per_cent) {
    const auto column = [](double per_cent) {
      return std::min(columns - 1, static_cast<std::size_t>(per_cent / 100 * columns));
    };
    for (std::size_t i = column(start_per_cent); i <= column(end_per_cent); ++i) bits_.set(i);
  }
  /// take(first, one past the last), in per cent, for each run.
  template <class Take>
  void each_run(const Take& take) const {
    for (std::size_t i = 0; i < columns; ++i) {
      if (!bits_[i]) continue;
      const std::size_t first = i;
      while (i < columns && bits_[i]) ++i;
      take(static_cast<double>(first) * 100 / columns, static_cast<double>(i) * 100 / columns);
    }
  }

 private:
  std::bitset<columns> bits_;
};

/// Marks keep a distance from each other: the one drawn stands for those near it.
class MarkPlaces {
 public:
  bool take(double per_cent) {
    const auto place = std::min<std::size_t>(99, static_cast<std::size_t>(per_cent));
    if (taken_[place]) return false;
    taken_.set(place);
    return true;
  }

 private:
  std::bitset<100> taken_;
};

/// One picture under construction: lanes from top to bottom.
class Lanes {
 public:
  Lanes(Html& html, const TimeRange& range) : html_(html), range_(range) {}

  void begin(const char* label, const Html& note) {
    html_.raw("<text class=\"label\" x=\"0\" y=\"").count(top_ + 12);
    html_.raw("\">").text(label).raw("<tspan dx=\"8\" style=\"fill:var(--soft)\">");
    html_.append(note).raw("</tspan></text>\n<rect class=\"track\" x=\"0\" y=\"");
    html_.count(top_ + 19).raw("\" width=\"100%\" height=\"14\"/>\n");
  }
  void end() { top_ += lane_height; }

  void bar(double start, double end, const char* css_class, const char* pattern) {
    html_.raw("<rect class=\"").text(css_class).raw("\" x=\"").decimal3(start).raw("%\" y=\"");
    html_.count(top_ + 19).raw("\" width=\"").decimal3(end - start);
    html_.raw("%\" height=\"14\"");
    if (pattern != nullptr) {
      html_.raw(" style=\"fill:url(#").text(pattern).raw(");stroke:currentColor\"");
    }
    html_.raw("/>\n");
  }
  void mark(double at, const char* symbol, const char* css_class) {
    html_.raw("<svg class=\"").text(css_class).raw("\" x=\"").decimal3(at).raw("%\" y=\"");
    html_.count(top_ + 26);
    html_.raw("\" style=\"overflow:visible\"><use href=\"#").text(symbol).raw("\"/></svg>\n");
  }
  [[nodiscard]] const TimeRange& range() const { return range_; }

 private:
  Html& html_;
  TimeRange range_;
  std::uint64_t top_ = 0;
};

struct Chosen {
  std::vector<const VerdictFinding*> timed;
  std::uint64_t all = 0;
};

template <class Want>
Chosen choose(const PageContent& page, const VerdictRecord& record, const Want& want) {
  Chosen chosen;
  for (const VerdictFinding& finding : page.file.findings) {
    if (!want(finding)) continue;
    // What belongs to no source may concern any.
    if (!finding.source_id.empty() && finding.source_id != record.source_id) continue;
    chosen.all += finding.count;
    if (finding.window_start_ns && finding.window_end_ns) chosen.timed.push_back(&finding);
  }
  return chosen;
}

bool is_clock(const VerdictFinding& finding) {
  const auto kind = finding_kind_by_name(finding.kind);
  return kind && chain::is_clock_finding(*kind);
}
bool is_absence(const VerdictFinding& finding) {
  return finding.kind == "gap" || finding.severity == Severity::loss || finding.kind == "torn-tail";
}
bool is_damage(const VerdictFinding& finding) {
  return !is_clock(finding) && !is_absence(finding) && finding.severity >= Severity::malformed;
}

void draw_findings(Lanes& lanes, const char* label, const Chosen& chosen, const char* pattern,
                   const char* symbol, const char* css_class) {
  Html note;
  if (chosen.all == 0) {
    note.raw("none");
  } else {
    note.counted(chosen.all, "finding");
  }
  lanes.begin(label, note);
  Columns found;
  for (const VerdictFinding* finding : chosen.timed) {
    found.set(lanes.range().per_cent(*finding->window_start_ns),
              lanes.range().per_cent(static_cast<double>(*finding->window_end_ns) - 1));
  }
  found.each_run([&](double start, double end) {
    if (pattern != nullptr) lanes.bar(start, end, css_class, pattern);
  });
  MarkPlaces places;
  for (const VerdictFinding* finding : chosen.timed) {
    if (symbol == nullptr) break;
    const double middle = (lanes.range().per_cent(*finding->window_start_ns) +
                           lanes.range().per_cent(*finding->window_end_ns)) /
                          2;
    if (places.take(middle)) lanes.mark(middle, symbol, css_class);
  }
  lanes.end();
}

void draw_data(Lanes& lanes, const ScannedSource* source) {
  Html note;
  if (source == nullptr || source->windows == 0) {
    lanes.begin("Data", Html().raw("none here"));
    lanes.end();
    return;
  }
  note.counted(source->windows, "window").raw(", ").counted(source->rows, "row");
  lanes.begin("Data", note);
  // Bucket by bucket, not column by column, so that a single missing window shows.
  const auto& coverage = source->coverage;
  const auto state = [&](std::size_t i) {
    return coverage[i].rows ? 2 : coverage[i].silent ? 1 : 0;
  };
  for (std::size_t i = 0; i < coverage.size();) {
    const std::size_t first = i;
    while (i < coverage.size() && state(i) == state(first)) ++i;
    const double start = lanes.range().per_cent(coverage.start_ns(first));
    const double end = lanes.range().per_cent(coverage.start_ns(i));
    if (state(first) == 2) lanes.bar(start, end, "data", nullptr);
    if (state(first) == 1) lanes.bar(start, end, "mark-note", "dots");
  }
  lanes.end();
}

void draw_moments(Lanes& lanes, const char* label, const Html& note,
                  const TimeBuckets<Marks>* moments, const char* symbol, const char* css_class) {
  lanes.begin(label, note);
  MarkPlaces places;
  for (std::size_t i = 0; moments != nullptr && i < moments->size(); ++i) {
    if ((*moments)[i].count == 0) continue;
    const double at = (moments->start_ns(i) + moments->start_ns(i + 1)) / 2;
    const auto low = static_cast<double>(lanes.range().start_ns);
    const auto high = static_cast<double>(lanes.range().end_ns);
    if (at < low || at > high) continue;
    const double per_cent = lanes.range().per_cent(at);
    if (places.take(per_cent)) lanes.mark(per_cent, symbol, css_class);
  }
  lanes.end();
}

Html anchor_note(const ScannedSource* source, const TimeRange& range) {
  Html note;
  if (source == nullptr || source->anchor_count == 0) return note.raw("none");
  note.counted(source->anchor_count, "anchor");
  bool later = false;
  bool earlier = false;
  double last_ns = 0;
  for (std::size_t i = 0; i < source->anchors.size(); ++i) {
    if (source->anchors[i].count == 0) continue;
    last_ns = source->anchors.start_ns(i);
    later = last_ns > static_cast<double>(range.end_ns);
    earlier = earlier || source->anchors.start_ns(i + 1) < static_cast<double>(range.start_ns);
  }
  if (later && last_ns < 9.2e18) {
    note.raw(", the last later: ");
    note.text(spoken_time(static_cast<std::int64_t>(last_ns)).substr(0, 10));
  }
  if (earlier) note.raw(", some earlier");
  return note;
}

/// The windows, and a little on for anchors that come soon after the last.
TimeRange range_of(const VerdictRecord& record, const ScannedSource* source) {
  TimeRange range;
  range.start_ns = record.window_start_ns;
  range.end_ns = record.window_end_ns;
  if (source != nullptr && source->window_start_ns) {
    const bool known = record.links > 0;
    range.start_ns =
        known ? std::min(range.start_ns, *source->window_start_ns) : *source->window_start_ns;
    range.end_ns = known ? std::max(range.end_ns, *source->window_end_ns) : *source->window_end_ns;
  }
  range.start_ns = std::min(range.start_ns, INT64_MAX - 1);
  range.end_ns = std::max(range.end_ns, range.start_ns + 1);
  const double span = static_cast<double>(range.end_ns) - static_cast<double>(range.start_ns);
  if (source == nullptr) return range;
  for (std::size_t i = 0; i < source->anchors.size(); ++i) {
    const double at = source->anchors.start_ns(i + 1);
    if (source->anchors[i].count == 0 || at < static_cast<double>(range.end_ns)) continue;
    if (at < static_cast<double>(record.window_start_ns) + span * 1.35 && at < 9.2e18) {
      range.end_ns = static_cast<std::int64_t>(at);
    }
  }
  return range;
}

void draw_axis(Html& html, const TimeRange& range, int top) {
  const auto y = static_cast<std::uint64_t>(top);
  html.raw("<line class=\"axis\" x1=\"0\" x2=\"100%\" y1=\"").count(y).raw("\" y2=\"").count(y);
  html.raw("\"/>\n");
  const auto ticks = time_ticks(range.start_ns, range.end_ns, 9);
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    const double at = range.per_cent(ticks[i].time_ns);
    const char* anchor = at < 4 ? "start" : at > 96 ? "end" : "middle";
    html.raw("<g class=\"")
        .text(i % 2 == 1 ? "odd" : "even")
        .raw("\"><line class=\"axis\" x1=\"")
        .decimal3(at)
        .raw("%\" x2=\"")
        .decimal3(at);
    html.raw("%\" y1=\"").count(y).raw("\" y2=\"").count(y + 5).raw("\"/><text x=\"");
    html.decimal3(at).raw("%\" y=\"").count(y + 19).raw("\" text-anchor=\"").text(anchor);
    html.raw("\">").text(ticks[i].label).raw("</text></g>\n");
  }
}

void write_key(Html& html) {
  html.raw(
      "<ul class=\"key\">\n"
      "<li><svg aria-hidden=\"true\"><rect class=\"data\" width=\"18\" "
      "height=\"12\"/></svg>data</li>\n"
      "<li class=\"mark-note\"><svg aria-hidden=\"true\"><rect width=\"18\" height=\"12\" "
      "style=\"fill:url(#dots);stroke:currentColor\"/></svg>silent window: nothing came, and that "
      "is "
      "sealed</li>\n"
      "<li class=\"mark-refuted\"><svg aria-hidden=\"true\"><rect width=\"18\" height=\"12\" "
      "style=\"fill:url(#cross);stroke:currentColor\"/></svg>damaged or refuted</li>\n"
      "<li class=\"mark-loss\"><svg aria-hidden=\"true\"><rect width=\"18\" height=\"12\" "
      "style=\"fill:url(#hatch);stroke:currentColor\"/></svg>gap or loss</li>\n"
      "<li class=\"mark-unproven\"><svg viewBox=\"-9 -6 18 12\" aria-hidden=\"true\"><use "
      "href=\"#mark-diamond\"/></svg>clock</li>\n"
      "<li class=\"mark-anchor\"><svg viewBox=\"-9 -6 18 12\" aria-hidden=\"true\"><use "
      "href=\"#mark-up\"/></svg>block with an anchor</li>\n</ul>\n");
}

void write_one(Html& html, const PageContent& page, const VerdictRecord& record,
               std::size_t number) {
  const ScannedSource* source = scanned_source(page.scan, record);
  const TimeRange range = range_of(record, source);
  const Chosen damage = choose(page, record, is_damage);
  const Chosen absence = choose(page, record, is_absence);
  const Chosen clocks = choose(page, record, is_clock);
  constexpr int lane_count = 6;
  constexpr int height = lane_count * lane_height + 26;
  html.raw("<figure class=\"timeline\">\n<figcaption><strong>").name(source_title(record));
  html.raw("</strong><span>").time(range.start_ns).raw(" to ").time(range.end_ns).raw("</span>");
  html.raw("</figcaption>\n<svg height=\"")
      .count(height)
      .raw("\" role=\"img\" aria-labelledby=\"tl");
  html.count(number).raw("t tl").count(number).raw("d\">\n<title id=\"tl").count(number);
  html.raw("t\">Timeline of ").text(source_title(record), 120).raw("</title>\n<desc id=\"tl");
  html.count(number).raw("d\">From ").text(spoken_time(range.start_ns)).raw(" to ");
  html.text(spoken_time(range.end_ns)).raw(": ");
  html.counted(source != nullptr ? source->windows : 0, "window").raw(" with data, ");
  html.counted(damage.all, "finding").raw(" of damage or contradiction, ");
  html.counted(absence.all, "gap").raw(" or losses, ").counted(clocks.all, "clock finding");
  html.raw(", ").counted(source != nullptr ? source->anchor_count : 0, "anchor").raw(".</desc>\n");
  Lanes lanes(html, range);
  draw_data(lanes, source);
  draw_findings(lanes, "Damaged or refuted", damage, "cross", nullptr, "mark-refuted");
  draw_findings(lanes, "Gaps and losses", absence, "hatch", nullptr, "mark-loss");
  draw_findings(lanes, "Clocks", clocks, nullptr, "mark-diamond", "mark-unproven");
  Html starts;
  if (source == nullptr || source->start_count == 0) {
    starts.raw("not in these data");
  } else {
    starts.counted(source->start_count, "time");
  }
  draw_moments(lanes, "Recorder started", starts, source != nullptr ? &source->starts : nullptr,
               "mark-bar", "mark-note");
  draw_moments(lanes, "Anchors", anchor_note(source, range),
               source != nullptr ? &source->anchors : nullptr, "mark-up", "mark-anchor");
  draw_axis(html, range, lane_count * lane_height);
  html.raw("</svg>\n</figure>\n");
}

}  // namespace

void write_timeline(Html& html, const PageContent& page) {
  html.raw("<section id=\"timeline\">\n<h2>Timeline</h2>\n");
  if (page.file.records.empty()) {
    html.raw("<p>The verdict names no source.</p>\n</section>\n");
    return;
  }
  std::size_t number = 0;
  for (const VerdictRecord& record : page.file.records) {
    if (number >= max_timelines) break;
    write_one(html, page, record, number++);
  }
  write_key(html);
  if (page.file.records.size() > max_timelines) {
    html.raw("<p class=\"small\">")
        .counted(page.file.records.size() - max_timelines, "further record")
        .raw(" not drawn.</p>\n");
  }
  html.raw(
      "<p class=\"small\">Along the recorder’s clock, in UTC. Findings without a time are only "
      "in the <a href=\"#findings\">table</a>. What is shorter than 1/500 of the width is drawn "
      "that wide.</p>\n</section>\n");
}

}  // namespace twinchain::report
