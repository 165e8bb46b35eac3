// Plots of the chosen signals.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "twinchain/base/text.hpp"
#include "twinchain/report/page_parts.hpp"

namespace twinchain::report {
namespace {

using chain::Severity;

constexpr int plot_height = 132;
constexpr std::size_t max_bands = 100;

/// As many digits as the step of an axis needs.
std::string value_label(double value, double step) {
  std::array<char, 64> buffer{};
  const double digits = step > 0 ? -std::floor(std::log10(step) + 1e-9) : 6;
  if (std::fabs(value) >= 1e7 || digits > 6) {
    static_cast<void>(std::snprintf(buffer.data(), buffer.size(), "%.6g", value));
  } else {
    static_cast<void>(std::snprintf(buffer.data(), buffer.size(), "%.*f",
                                    std::max(0, static_cast<int>(digits)),
                                    value == 0 ? 0.0 : value));
  }
  return buffer.data();
}

struct Plot {
  PlotArea area;
  std::int64_t low_ns = 0;
  std::int64_t high_ns = 1;

  [[nodiscard]] double per_cent(std::int64_t time_ns) const {
    const double x =
        (static_cast<double>(time_ns) - area.low_ns) / std::max(1.0, area.high_ns - area.low_ns);
    return std::clamp(x, 0.0, 1.0) * 100;
  }
};

/// The range of time of all plots of a source, so that they can be compared.
bool time_range(const PageContent& page, const ScannedSource& source, Plot& plot) {
  if (page.options.incident_ns) {
    plot.low_ns = page.options.from_ns;
    plot.high_ns = page.options.to_ns;
  } else {
    std::optional<double> low;
    double high = 0;
    for (const auto& [channel, signal] : source.signals) {
      if (signal.buckets.empty()) continue;
      const double start = signal.buckets.start_ns(0);
      const double end = signal.buckets.start_ns(signal.buckets.size());
      high = low ? std::max(high, end) : end;
      low = std::min(start, low.value_or(start));
    }
    if (!low) return false;
    plot.low_ns = static_cast<std::int64_t>(std::max(*low, -9.2e18));
    plot.high_ns = static_cast<std::int64_t>(std::min(high, 9.2e18));
  }
  plot.high_ns = std::max(plot.high_ns, plot.low_ns + 1);
  plot.area.low_ns = static_cast<double>(plot.low_ns);
  plot.area.high_ns = static_cast<double>(plot.high_ns);
  return true;
}

/// Room above and below, so that the line does not lie on the frame.
void value_range(const Signal& signal, PlotArea& area) {
  const double span = signal.largest - signal.smallest;
  double margin = std::isfinite(span) ? span * 0.06 : 0;
  if (!(margin > 0)) margin = std::max(std::fabs(signal.largest) * 0.05, 1e-12);
  if (signal.channel.type == record::ValueType::boolean) {
    area.low = -0.15;
    area.high = 1.15;
    return;
  }
  constexpr double most = std::numeric_limits<double>::max();
  area.low = std::clamp(signal.smallest - margin, -most, most);
  area.high = std::clamp(signal.largest + margin, -most, most);
}

/// Where there is no data to draw, and where there is some that must not be believed.
void draw_bands(Html& html, const PageContent& page, const ScannedSource& source,
                const Plot& plot) {
  std::size_t drawn = 0;
  for (const VerdictFinding& finding : page.file.findings) {
    const bool absent = finding.kind == "gap" || finding.severity == Severity::loss;
    if (!absent && finding.severity < Severity::malformed) continue;
    if (!finding.window_start_ns || !finding.window_end_ns || drawn >= max_bands) continue;
    if (*finding.window_end_ns < plot.low_ns || *finding.window_start_ns > plot.high_ns) continue;
    if (!finding.source.empty() && finding.source != source.schema.source_name) continue;
    const double start = plot.per_cent(*finding.window_start_ns);
    const double end = plot.per_cent(*finding.window_end_ns);
    html.raw("<rect class=\"").text(absent ? "mark-loss" : "mark-refuted").raw("\" x=\"");
    html.decimal3(start).raw("%\" y=\"0\" width=\"").decimal3(std::max(0.2, end - start));
    html.raw("%\" height=\"").count(plot_height).raw("\" opacity=\".35\" style=\"fill:url(#");
    html.text(absent ? "hatch" : "cross").raw(")\"/>\n");
    ++drawn;
  }
}

void draw_values(Html& html, const Ticks& ticks, const PlotArea& area, bool is_boolean) {
  for (const double value : ticks.at) {
    const double y =
        plot_height * (1 - (value / 2 - area.low / 2) / (area.high / 2 - area.low / 2));
    html.raw("<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"").decimal3(y).raw("\" y2=\"");
    html.decimal3(y).raw("\"/>");
    // Labels stand over the line, so that they do not narrow the plot on a phone.
    html.raw("<text class=\"halo\" x=\"2\" y=\"").decimal3(y < 14 ? y + 12 : y - 3).raw("\">");
    if (is_boolean) {
      html.text(value > 0.5 ? "true" : "false");
    } else {
      html.text(value_label(value, ticks.step));
    }
    html.raw("</text>\n");
  }
}

void draw_times(Html& html, const Plot& plot) {
  html.raw("<line class=\"axis\" x1=\"0\" x2=\"100%\" y1=\"").count(plot_height).raw("\" y2=\"");
  html.count(plot_height).raw("\"/>\n");
  const auto ticks = time_ticks(plot.low_ns, plot.high_ns, 9);
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    const double at = plot.per_cent(ticks[i].time_ns);
    html.raw("<g class=\"").text(i % 2 == 1 ? "odd" : "even");
    html.raw("\"><line class=\"axis\" x1=\"").decimal3(at).raw("%\" x2=\"").decimal3(at);
    html.raw("%\" y1=\"").count(plot_height).raw("\" y2=\"").count(plot_height + 5);
    html.raw("\"/><text x=\"").decimal3(at).raw("%\" y=\"").count(plot_height + 18);
    html.raw("\" text-anchor=\"").text(at < 4 ? "start" : at > 96 ? "end" : "middle");
    html.raw("\">").text(ticks[i].label).raw("</text></g>\n");
  }
}

void draw_incident(Html& html, const PageContent& page, const Plot& plot) {
  if (!page.options.incident_ns) return;
  const double at = plot.per_cent(*page.options.incident_ns);
  html.raw("<line class=\"incident\" x1=\"").decimal3(at).raw("%\" x2=\"").decimal3(at);
  html.raw("%\" y1=\"0\" y2=\"").count(plot_height).raw("\"/><text class=\"halo label\" x=\"");
  html.decimal3(at).raw("%\" dx=\"").text(at > 80 ? "-5" : "5").raw("\" y=\"12\" text-anchor=\"");
  html.text(at > 80 ? "end" : "start").raw("\">incident</text>\n");
}

void write_caption(Html& html, const Signal& signal) {
  html.raw("<figcaption><strong>").name(signal.channel.name).raw("</strong>");
  if (!signal.channel.label.empty()) html.raw("<span>").name(signal.channel.label).raw("</span>");
  if (!signal.channel.unit.empty()) {
    html.raw("<span>in ").name(signal.channel.unit).raw("</span>");
  }
  html.raw("<span>");
  if (signal.count > 0) {
    html.text(shortest(signal.smallest)).raw(" to ").text(shortest(signal.largest)).raw(", ");
  }
  html.counted(signal.count, "value");
  if (signal.not_finite > 0) {
    html.raw(", ").count(signal.not_finite).raw(" more are not numbers and not drawn");
  }
  html.raw("</span></figcaption>\n");
}

void write_signal(Html& html, const PageContent& page, const ScannedSource& source,
                  const Signal& signal, Plot plot, std::size_t number) {
  html.raw("<figure class=\"plot\">\n");
  write_caption(html, signal);
  if (signal.count == 0) {
    html.raw("<p class=\"small\">No value in this time.</p>\n</figure>\n");
    return;
  }
  value_range(signal, plot.area);
  const bool is_boolean = signal.channel.type == record::ValueType::boolean;
  Ticks ticks = value_ticks(plot.area.low, plot.area.high, 4);
  if (is_boolean) ticks = {{0, 1}, 1};
  html.raw("<svg height=\"").count(plot_height + 24).raw("\" role=\"img\" aria-labelledby=\"sg");
  html.count(number).raw("t sg").count(number).raw("d\">\n<title id=\"sg").count(number);
  html.raw("t\">").text(signal.channel.name, 120).raw(" over time</title>\n<desc id=\"sg");
  html.count(number).raw("d\">").counted(signal.count, "value").raw(" between ");
  html.text(shortest(signal.smallest)).raw(" and ").text(shortest(signal.largest));
  html.raw(" from ").text(spoken_time(plot.low_ns)).raw(" to ").text(spoken_time(plot.high_ns));
  html.raw(".</desc>\n");
  draw_bands(html, page, source, plot);
  draw_values(html, ticks, plot.area, is_boolean);
  draw_times(html, plot);
  html.raw("<svg viewBox=\"0 0 1000 100\" preserveAspectRatio=\"none\" width=\"100%\" height=\"");
  html.count(plot_height).raw("\"><path class=\"signal\" d=\"");
  html.text(signal_path(signal, plot.area), SIZE_MAX).raw("\"/></svg>\n");
  draw_incident(html, page, plot);
  html.raw("</svg>\n</figure>\n");
}

void write_left_out(Html& html, const ScannedSource& source) {
  const std::size_t channels = source.schema.channels.size();
  if (channels > source.signals.size()) {
    html.raw("<p class=\"small\">").count(source.signals.size()).raw(" of ");
    html.counted(channels, "channel").raw(" of ").name(source.schema.source_name);
    html.raw(" drawn; <code>--channel</code> chooses others.</p>\n");
  }
  for (const std::string& name : source.text_channels) {
    html.raw("<p class=\"small\">").name(name).raw(" holds text and is not drawn.</p>\n");
  }
}

}  // namespace

void write_signals(Html& html, const PageContent& page) {
  html.raw("<section id=\"signals\">\n<h2>Signals</h2>\n<p class=\"lead\">");
  if (page.options.incident_ns) {
    html.raw("Around ").time(*page.options.incident_ns).raw(", from ").time(page.options.from_ns);
    html.raw(" to ").time(page.options.to_ns).raw(". ");
  }
  html.raw(
      "Along the times of the measurements. Hatched: gaps and losses; cross-hatched: damaged or "
      "refuted, by the recorder’s clock.</p>\n");
  std::size_t number = 0;
  for (const auto& [id, source] : page.scan.sources) {
    if (source.signals.empty() && source.text_channels.empty()) continue;
    if (page.scan.sources.size() > 1) {
      html.raw("<h3>").name(source.schema.source_name).raw("</h3>\n");
    }
    Plot plot;
    if (!time_range(page, source, plot)) {
      html.raw("<p>There is no value to draw.</p>\n");
      write_left_out(html, source);
      continue;
    }
    for (const auto& [channel, signal] : source.signals) {
      write_signal(html, page, source, signal, plot, number++);
    }
    write_left_out(html, source);
  }
  if (number == 0) {
    html.raw("<p>There is no number to draw.</p>\n");
  } else {
    html.raw(
        "<p class=\"small\">Each plot is decimated to at most 1536 stretches of time: of each "
        "the first, smallest, largest and last value is drawn, so every peak is visible, but "
        "not every value. The line is broken where no value came for much longer than usual. "
        "The exact values are in the record (<code>frames cat</code>).</p>\n");
  }
  if (page.scan.undecodable_columns > 0) {
    html.raw("<p class=\"small\">").counted(page.scan.undecodable_columns, "column");
    html.raw(" could not be decoded and are not drawn.</p>\n");
  }
  html.raw("</section>\n");
}

}  // namespace twinchain::report
