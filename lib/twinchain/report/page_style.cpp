// How the page looks: one style sheet, and the shapes that stand for what colour alone may not say.

#include "twinchain/report/page_parts.hpp"

namespace twinchain::report {

void write_style(Html& html) {
  html.raw(R"css(<style>
:root{color-scheme:light dark;
--paper:#fcfbf8;--panel:#f4f2ec;--ink:#1c1b18;--soft:#5b584f;--rule:#d8d4c8;--line:#2d4a6b;
--ok:#1e5b39;--refuted:#8c1c1c;--loss:#7a4a00;--unproven:#31517c;--hatch:#8a8475;--data:#5f7f9f}
@media (prefers-color-scheme:dark){:root{
--paper:#161614;--panel:#20201d;--ink:#eae7de;--soft:#aaa699;--rule:#3b3933;--line:#9cc0e6;
--ok:#86cfa4;--refuted:#f0958c;--loss:#e2b565;--unproven:#a3c1ea;--hatch:#8f8a7c;--data:#6f93b8}}
@media print{:root{color-scheme:light;
--paper:#fff;--panel:#fff;--ink:#000;--soft:#444;--rule:#bbb;--line:#12304f;
--ok:#123f26;--refuted:#701010;--loss:#5c3800;--unproven:#1d3760;--hatch:#777;--data:#56738f}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);
font:1.0625rem/1.55 "Iowan Old Style","Palatino Linotype",Palatino,"Book Antiqua","Source Serif 4",
Charter,Georgia,"Noto Serif","Liberation Serif","DejaVu Serif",serif;
font-variant-numeric:oldstyle-nums;-webkit-print-color-adjust:exact;print-color-adjust:exact}
main{max-width:64rem;margin:0 auto;padding:3.5rem 1.5rem 5rem}
h1,h2,h3{font-weight:600;line-height:1.2;text-wrap:balance}
h1{font-size:2.25rem;margin:.15em 0 .5em;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:1.3rem;margin:0 0 .7rem}
h3{font-size:1.0625rem;margin:1.8rem 0 .3rem;overflow-wrap:anywhere}
p{margin:0 0 .8rem}
section{margin:3.25rem 0 0}
section>h2{border-top:1px solid var(--rule);padding-top:1rem}
a{color:inherit;text-underline-offset:.15em}
a:focus-visible{outline:2px solid var(--line);outline-offset:2px}
.eyebrow,.made,.subject,.small,.aside,.lead,table,figcaption,svg text,.key,footer{
font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans","DejaVu Sans",sans-serif;
font-variant-numeric:tabular-nums lining-nums}
.eyebrow{font-size:.8125rem;letter-spacing:.12em;text-transform:uppercase;color:var(--soft);margin:0}
.subject{font-size:1rem;margin:0 0 .15rem}
.made,.small,.aside,.lead{font-size:.875rem;color:var(--soft)}
.made{margin:0}
.lead{max-width:44rem}
.none{color:var(--soft);font-style:italic}
time{white-space:nowrap}
code{font:.85em/1.5 ui-monospace,"SF Mono",Menlo,Consolas,"Liberation Mono","DejaVu Sans Mono",monospace;
font-variant-numeric:normal}
.hash{overflow-wrap:anywhere;word-break:break-all}
.verdict{--tone:var(--ok);display:grid;grid-template-columns:3.5rem 1fr;gap:0 1.5rem;
margin-top:2.25rem;padding:1.75rem 1.75rem 1.1rem;background:var(--panel);
border:1px solid var(--rule);border-top:4px solid var(--tone)}
.verdict h2{color:var(--tone);font-size:1.75rem;margin:0 0 .3rem}
.seal{width:3.5rem;height:3.5rem;color:var(--tone);margin-top:.1rem}
.sentence{font-size:1.25rem;line-height:1.45;max-width:44rem;text-wrap:pretty}
.aside{margin-bottom:.6rem}
.refuted,.malformed{--tone:var(--refuted)}
.loss{--tone:var(--loss)}
.peer,.unproven{--tone:var(--unproven)}
.note{--tone:var(--soft)}
.verdict.note{--tone:var(--ok)}
.mismatch{padding-left:1.2rem}
.columns{display:grid;grid-template-columns:repeat(3,minmax(0,1fr));gap:2.25rem;
border-top:1px solid var(--rule);padding-top:1.1rem}
.columns h2{font-size:1.125rem}
.columns ul{list-style:none;margin:0;padding:0;font-size:.9688rem;line-height:1.5}
.columns li{margin:0 0 .8rem;padding:0;overflow-wrap:anywhere}
.columns div:last-child li{color:var(--soft)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.875rem;line-height:1.45}
th,td{text-align:left;vertical-align:top;padding:.5rem 1rem .5rem 0;border-bottom:1px solid var(--rule);
overflow-wrap:anywhere}
th:last-child,td:last-child{padding-right:0}
thead th{font-weight:600;color:var(--soft);font-size:.8125rem;border-bottom:1px solid var(--ink);
white-space:nowrap}
tbody th{font-weight:600}
td.number,th.number{text-align:right}
.badge{display:inline-flex;align-items:center;gap:.4em;color:var(--tone);font-weight:600;white-space:nowrap}
.badge svg{width:1em;height:1em;flex:none}
figure{margin:0 0 1.75rem;break-inside:avoid}
figcaption{display:flex;flex-wrap:wrap;gap:.1rem 1rem;align-items:baseline;font-size:.875rem;margin:0 0 .4rem}
figcaption strong{font-size:.9375rem;overflow-wrap:anywhere}
figcaption span{color:var(--soft)}
figure>svg{display:block;width:100%;overflow:visible}
svg text{font-size:12px;fill:var(--soft)}
svg .label{fill:var(--ink)}
.track{fill:var(--panel);stroke:var(--rule)}
.data{fill:var(--data)}
.grid{stroke:var(--rule);stroke-width:1}
.axis{stroke:var(--soft);stroke-width:1}
.signal{fill:none;stroke:var(--line);stroke-width:1.5;stroke-linejoin:round;stroke-linecap:round;
vector-effect:non-scaling-stroke}
.halo{paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round}
.incident{stroke:var(--ink);stroke-width:1.5;stroke-dasharray:5 3}
.mark{color:var(--tone)}
.mark-refuted,.mark-malformed{color:var(--refuted)}
.mark-loss{color:var(--loss)}
.mark-unproven,.mark-peer{color:var(--unproven)}
.mark-note{color:var(--soft)}
.mark-anchor{color:var(--ok)}
.key+.small,.scroll+.small,figure+.small{margin-top:.9rem}
.counts{max-width:44rem}
.counts tbody th{font-weight:400}
.key{display:flex;flex-wrap:wrap;gap:.3rem 1.4rem;list-style:none;margin:.25rem 0 0;padding:0;
font-size:.8125rem;color:var(--soft)}
.key li{display:flex;align-items:center;gap:.45em}
.key svg{width:18px;height:12px;flex:none}
dl{margin:0;font-size:.9375rem}
.meanings{display:grid;grid-template-columns:minmax(9rem,max-content) 1fr;gap:.35rem 1.5rem;margin-top:1.25rem}
.meanings dt{font-weight:600;overflow-wrap:anywhere}
.meanings dd{margin:0;color:var(--soft)}
pre{overflow-x:auto;background:var(--panel);border:1px solid var(--rule);padding:.8rem 1rem;margin:0 0 1rem;
white-space:pre-wrap;overflow-wrap:anywhere}
@media (max-width:46rem){
main{padding:2rem 1.1rem 3rem}
h1{font-size:1.7rem}
section{margin-top:2.5rem}
.verdict{grid-template-columns:1fr;padding:1.25rem 1.1rem .6rem;gap:.6rem}
.seal{width:2.75rem;height:2.75rem}
.sentence{font-size:1.125rem}
.columns{grid-template-columns:1fr;gap:1.75rem}
.meanings{grid-template-columns:1fr;gap:.1rem}
.meanings dd{margin-bottom:.7rem}
.odd{display:none}
table.cards thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
table.cards tr{display:block;border-bottom:1px solid var(--rule);padding:.65rem 0}
table.cards th,table.cards td{display:grid;grid-template-columns:6.5rem minmax(0,1fr);border:0;padding:.12rem 0}
table.cards td.number,table.cards th.number{text-align:left}
table.cards td[colspan]{display:block}
table.cards [data-label]::before{content:attr(data-label);color:var(--soft);font-weight:400;grid-row:1/9}
table.cards [data-label]>*{grid-column:2}
table.cards .hashes code{display:block}
}
@media print{
@page{margin:18mm 16mm}
body{font-size:10.5pt}
main{max-width:none;padding:0}
section{margin-top:8mm}
h2,h3,figcaption{break-after:avoid}
tr,li,.verdict{break-inside:avoid}
thead{display:table-header-group}
.scroll{overflow:visible}
.verdict{border-width:1pt;border-top-width:3pt}
a{text-decoration:none}
}
</style>
)css");
}

void write_symbols(Html& html) {
  // Shapes differ in outline, so that they are told apart without colour and when printed small.
  html.raw(
      R"svg(<svg width="0" height="0" style="position:absolute" aria-hidden="true" focusable="false"><defs>
<symbol id="shape-verified" viewBox="0 0 24 24"><circle cx="12" cy="12" r="10.5" fill="none" stroke="currentColor" stroke-width="1.6"/><path d="M6.8 12.4l3.6 3.6 6.9-7.4" fill="none" stroke="currentColor" stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round"/></symbol>
<symbol id="shape-refuted" viewBox="0 0 24 24"><path d="M7.6 1.5h8.8l6.1 6.1v8.8l-6.1 6.1H7.6l-6.1-6.1V7.6z" fill="none" stroke="currentColor" stroke-width="1.6"/><path d="M7.8 7.8l8.4 8.4M16.2 7.8l-8.4 8.4" stroke="currentColor" stroke-width="2.2" stroke-linecap="round"/></symbol>
<symbol id="shape-malformed" viewBox="0 0 24 24"><path d="M12 2L23 21.5H1z" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linejoin="round"/><path d="M12.9 8.2l-2.7 4.6h3.4l-2.6 4.8" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linejoin="round" stroke-linecap="round"/></symbol>
<symbol id="shape-loss" viewBox="0 0 24 24"><rect x="1.8" y="1.8" width="20.4" height="20.4" fill="none" stroke="currentColor" stroke-width="1.6" stroke-dasharray="5.1 3"/><path d="M12 6.4v7" stroke="currentColor" stroke-width="2.2" stroke-linecap="round"/><circle cx="12" cy="17.2" r="1.4" fill="currentColor"/></symbol>
<symbol id="shape-unproven" viewBox="0 0 24 24"><path d="M12 1.5L22.5 12 12 22.5 1.5 12z" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linejoin="round"/><path d="M9.5 9.9c0-1.6 1.1-2.5 2.6-2.5s2.6.9 2.6 2.3c0 1.9-2.6 2-2.6 4" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round"/><circle cx="12.1" cy="16.6" r="1.2" fill="currentColor"/></symbol>
<symbol id="shape-peer" viewBox="0 0 24 24"><circle cx="12" cy="12" r="10.5" fill="none" stroke="currentColor" stroke-width="1.6" stroke-dasharray="3.4 2.1"/><path d="M7.5 12h9" stroke="currentColor" stroke-width="2.2" stroke-linecap="round"/></symbol>
<symbol id="shape-note" viewBox="0 0 24 24"><circle cx="12" cy="12" r="10.5" fill="none" stroke="currentColor" stroke-width="1.6"/><path d="M12 10.8v6" stroke="currentColor" stroke-width="2.2" stroke-linecap="round"/><circle cx="12" cy="7.3" r="1.3" fill="currentColor"/></symbol>
<symbol id="mark-cross" viewBox="-7 -7 14 14" width="14" height="14" x="-7" y="-7"><path d="M-5 -5L5 5M5 -5L-5 5" stroke="currentColor" stroke-width="2.6" stroke-linecap="round"/></symbol>
<symbol id="mark-diamond" viewBox="-7 -7 14 14" width="14" height="14" x="-7" y="-7"><path d="M0 -6L6 0 0 6 -6 0z" fill="currentColor"/></symbol>
<symbol id="mark-up" viewBox="-7 -7 14 14" width="14" height="14" x="-7" y="-7"><path d="M0 -6L6 5H-6z" fill="currentColor"/></symbol>
<symbol id="mark-right" viewBox="-7 -7 14 14" width="14" height="14" x="-7" y="-7"><path d="M-4 -6L6 0 -4 6z" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linejoin="round"/></symbol>
<symbol id="mark-bar" viewBox="-7 -7 14 14" width="14" height="14" x="-7" y="-7"><path d="M0 -6V6M0 -5.2L6 -2.2 0 .8" fill="currentColor" stroke="currentColor" stroke-width="1.8"/></symbol>
<pattern id="hatch" class="mark-loss" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0V6" stroke="currentColor" stroke-width="2.4"/></pattern>
<pattern id="cross" class="mark-refuted" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0V5M0 0H5" stroke="currentColor" stroke-width="2"/></pattern>
<pattern id="dots" class="mark-note" width="5" height="5" patternUnits="userSpaceOnUse"><circle cx="2.5" cy="2.5" r="1" fill="currentColor"/></pattern>
</defs></svg>
)svg");
}

const char* severity_class(chain::Severity severity) {
  return chain::severity_name(severity);
}

void write_severity_shape(Html& html, chain::Severity severity) {
  html.raw("<svg aria-hidden=\"true\"><use href=\"#shape-").text(severity_class(severity));
  html.raw("\"/></svg>");
}

}  // namespace twinchain::report
