"""The look of `report.html`: system fonts, one column, light and dark."""

STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --quiet: #657084; --paper: #fbfbfa; --card: #ffffff;
  --rule: #e3e5ea; --c0: #2563c9; --c1: #c2571a; --c2: #2a8a57; --c3: #8a4fb5; --c4: #b3892a; --c5: #3b8ea5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --quiet: #98a2b3; --paper: #14171c; --card: #1c2027;
  --rule: #2f3540; --c0: #7aa7f5; --c1: #ec9a63; --c2: #6cc795; --c3: #c29be0; --c4: #dcbc6c; --c5: #7fc4d8; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: 26px; font-weight: 650; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 17px; font-weight: 650; margin: 44px 0 12px; }
p.lead, p.note, figcaption, .axis { color: var(--quiet); }
p.lead { margin: 0 0 28px; }
p.note { font-size: 13px; max-width: 78ch; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(148px, 1fr)); gap: 12px; }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 14px 16px; }
.card b { display: block; font-size: 23px; font-weight: 650; font-variant-numeric: tabular-nums; }
.card b small { font-size: 14px; font-weight: 500; color: var(--quiet); }
.card span { color: var(--quiet); font-size: 13px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 6px 12px; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th { color: var(--quiet); font-weight: 500; font-size: 13px; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
table.facts td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
table.facts td:first-child { color: var(--quiet); width: 40%; }
figure { margin: 0 0 28px; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 8px; }
.panel { position: relative; }
.panel img { display: block; width: 100%; height: auto; border-radius: 6px; }
.panel span { position: absolute; left: 8px; top: 8px; padding: 1px 8px; border-radius: 4px; font-size: 12px;
  background: rgba(0, 0, 0, 0.6); color: #fff; }
figcaption { font-size: 13px; margin: 0 0 6px; }
figcaption b { color: var(--ink); font-weight: 600; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 460px), 1fr)); gap: 0 32px; }
.chart { width: 100%; max-width: 820px; height: auto; display: block; }
.chart text { fill: var(--quiet); font-size: 11px; }
.chart .grid { stroke: var(--rule); stroke-width: 1; }
.chart polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
.axis { font-size: 13px; margin: 0 0 4px; }
.key { margin-left: 16px; } .key i { display: inline-block; width: 14px; height: 3px; margin: 0 6px 3px 0; }
.line-0 { stroke: var(--c0); } .line-1 { stroke: var(--c1); } .line-2 { stroke: var(--c2); }
.line-3 { stroke: var(--c3); } .line-4 { stroke: var(--c4); } .line-5 { stroke: var(--c5); }
.key-0 { background: var(--c0); } .key-1 { background: var(--c1); } .key-2 { background: var(--c2); }
.key-3 { background: var(--c3); } .key-4 { background: var(--c4); } .key-5 { background: var(--c5); }
circle.line-0, circle.line-1, circle.line-2 { fill: currentColor; }
details { border: 1px solid var(--rule); border-radius: 10px; background: var(--card); padding: 10px 16px;
  margin-bottom: 12px; }
summary { cursor: pointer; font-weight: 600; }
"""
