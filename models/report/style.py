"""The look of reports: an instrument's. Dense, tabular numerals, readable on screen by day and by night, and on paper."""

from __future__ import annotations

# Series colours after Okabe and Ito (https://jfly.uni-koeln.de/color/), darkened or lightened for contrast with the ground.
STYLE = """
:root { color-scheme: light dark; --ground: #fafbfb; --ink: #0f1719; --muted: #435458; --line: #c3cccd; --well: #edf1f1;
  --accent: #005a68; --caution: #6d4300;
  --s0: #005a8c; --s1: #b04a00; --s2: #00704f; --s3: #8a3a70; --s4: #6b5a00; --s5: #3a3a3a; }
@media (prefers-color-scheme: dark) { :root { --ground: #12191b; --ink: #e0e8e9; --muted: #9db0b3; --line: #2b383b; --well: #1b2427;
  --accent: #5ec6d4; --caution: #efb664;
  --s0: #6bbcf0; --s1: #f09a5c; --s2: #4cc9a0; --s3: #e09cc8; --s4: #e3d35a; --s5: #d0d0d0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1280px; padding: 1rem 1.25rem 3rem; background: var(--ground); color: var(--ink);
  font: 15px/1.45 system-ui, "Segoe UI", "Liberation Sans", sans-serif; font-variant-numeric: tabular-nums; }
h1 { font-size: 1.5rem; margin: 0.4rem 0 0; }
h2 { font-size: 1.15rem; margin: 2rem 0 0.3rem; border-top: 1px solid var(--line); padding-top: 0.8rem; }
h3 { font-size: 1rem; margin: 0.6rem 0 0.2rem; }
p { max-width: 75ch; margin: 0.3rem 0 0.7rem; } .muted, figcaption { color: var(--muted); } .caution { color: var(--caution); }
nav { margin: 0.5rem 0; } nav a { margin-right: 1rem; } a { color: var(--accent); }
table { border-collapse: collapse; margin: 0.4rem 0 1rem; }
th, td { padding: 0.22rem 0.7rem 0.22rem 0; text-align: left; vertical-align: top; }
th { color: var(--muted); font-weight: 600; white-space: nowrap; border-bottom: 1px solid var(--line); }
td { border-bottom: 1px solid var(--line); }
td.number, th.number { text-align: right; } tr.chosen td { font-weight: 700; }
.scroll { overflow-x: auto; }
.cards { display: flex; flex-wrap: wrap; gap: 0.5rem; margin: 0.8rem 0; padding: 0; list-style: none; }
.cards li { background: var(--well); border: 1px solid var(--line); padding: 0.5rem 0.8rem; min-width: 9rem; }
.cards b { display: block; font-size: 1.45rem; } .cards span { display: block; color: var(--muted); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(440px, 1fr)); gap: 1rem 1.5rem; }
figure { margin: 0; break-inside: avoid; } figcaption { max-width: 65ch; margin: 0.2rem 0 0.6rem; }
svg.plot, svg.wide { width: 100%; height: auto; display: block; } svg.plot { max-width: 620px; } svg.wide { max-width: 860px; }
svg text { fill: var(--ink); font-size: 12px; }
svg text.axis { fill: var(--muted); font-size: 13px; }
svg .grid { stroke: var(--line); stroke-width: 1; } svg .guide { stroke: var(--ink); stroke-width: 1.4; }
svg .zero { stroke: var(--ink); stroke-width: 1.2; }
svg .series { fill: none; stroke-width: 2; stroke-linejoin: round; } svg .dot { fill-opacity: 0.55; } svg .bar { fill-opacity: 0.8; }
svg .s0 { stroke: var(--s0); } svg .s1 { stroke: var(--s1); } svg .s2 { stroke: var(--s2); }
svg .s3 { stroke: var(--s3); } svg .s4 { stroke: var(--s4); } svg .s5 { stroke: var(--s5); }
svg .dot.s0, svg .bar.s0 { fill: var(--s0); } svg .dot.s1, svg .bar.s1 { fill: var(--s1); } svg .dot.s2, svg .bar.s2 { fill: var(--s2); }
svg .dot.s3, svg .bar.s3 { fill: var(--s3); } svg .dot.s4, svg .bar.s4 { fill: var(--s4); } svg .dot.s5, svg .bar.s5 { fill: var(--s5); }
table.matrix td, table.matrix th { padding: 0.3rem 0.6rem; border: 1px solid var(--line); }
table.matrix td { text-align: right; background: color-mix(in srgb, var(--accent) calc(var(--share) * 55%), var(--ground)); }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(560px, 1fr)); gap: 1rem; }
.pictures svg { width: 100%; height: auto; display: block; background: #1b2224; } .pictures figcaption { overflow-wrap: anywhere; }
.marks svg { width: 4.5rem; height: 2rem; vertical-align: middle; background: #1b2224; }
.marks span { margin-right: 1.4rem; white-space: nowrap; }
svg .halo { fill: none; stroke: #000; stroke-opacity: 0.75; } svg .right { fill: none; stroke: #6bd0ff; }
svg .missed { fill: none; stroke: #ffe14d; stroke-dasharray: 7 4; } svg .false { fill: none; stroke: #ff8a4c; }
@media print { :root { --ground: #fff; --ink: #000; --muted: #333; --line: #bbb; --well: #f4f4f4; --accent: #005a68; --caution: #6d4300;
  --s0: #005a8c; --s1: #b04a00; --s2: #00704f; --s3: #8a3a70; --s4: #6b5a00; --s5: #3a3a3a; }
  body { max-width: none; padding: 0; font-size: 10.5pt; } nav { display: none; } h2 { break-after: avoid; }
  .charts { grid-template-columns: 1fr 1fr; } .pictures { grid-template-columns: 1fr 1fr; }
  table.matrix td, svg, .cards li { print-color-adjust: exact; } }
@media (max-width: 640px) { .pictures { grid-template-columns: 1fr; } }
"""
