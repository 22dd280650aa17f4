"""How `report.html` looks, by day and by night, on a phone and on paper."""

from __future__ import annotations

from edge_mrl.cli.quality_plot import ON_WHITE

_BITS = " ".join(f"--bits{bits}: {colour};" for bits, colour in ON_WHITE.bits.items())
_DAY = f""":root {{
  color-scheme: light dark;
  --page: {ON_WHITE.page}; --ink: {ON_WHITE.ink}; --soft: {ON_WHITE.soft};
  --faint: {ON_WHITE.faint}; --panel: #f5f6f8; --good: #e8f3ec; --bad: #fbe6e2;
  {_BITS}
}}
"""

# By night the same hues are lighter, so that they show.
STYLE = (
    _DAY
    + """@media (prefers-color-scheme: dark) {
  :root {
    --page: #15181c; --ink: #e4e7eb; --soft: #9aa3ad; --faint: #2c3138; --panel: #1e2227;
    --good: #1b3326; --bad: #45221c;
    --bits1: #f07a2b; --bits2: #e6b422; --bits4: #2cc79a; --bits8: #56b4e9; --bits16: #dd9cc0;
    --bits32: #b4bcc6;
  }
}
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif;
}
main { max-width: 50rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0.5rem 0; }
h2 {
  font-size: 1.25rem; margin: 2.2rem 0 0.5rem; padding-top: 1rem;
  border-top: 1px solid var(--faint);
}
h3 { font-size: 1rem; margin: 1.4rem 0 0.3rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.2rem 1rem; margin: 1rem 0; }
dt { color: var(--soft); }
dd { margin: 0; min-width: 0; }
ul { padding-left: 1.2rem; margin: 0.5rem 0; }
.note, figcaption { color: var(--soft); font-size: 0.875rem; }
figure { margin: 1rem 0; }
svg { width: 100%; height: auto; display: block; }
svg.at360 { display: none; }
.wide { overflow-x: auto; margin: 1rem 0; }
table {
  border-collapse: collapse; width: 100%;
  font-size: 0.875rem; font-variant-numeric: tabular-nums;
}
th, td {
  padding: 0.25rem 0.4rem; text-align: right; overflow-wrap: normal;
  border-bottom: 1px solid var(--faint);
}
td { white-space: nowrap; }
thead th { color: var(--soft); font-weight: normal; vertical-align: bottom; }
th:first-child { text-align: left; }
tbody th { font-weight: normal; white-space: nowrap; }
tr.best th { font-weight: bold; }
tr.best { background: var(--good); }
tr.refused { background: var(--bad); }
pre {
  background: var(--panel); padding: 0.75rem; border-radius: 6px; font-size: 0.8125rem;
  overflow-x: auto;
}
code { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: 0.9em; }
pre code { font-size: inherit; }
@media (max-width: 560px) {
  svg.at720 { display: none; }
  svg.at360 { display: block; }
  main { padding: 0.75rem; }
  th, td { padding: 0.25rem 0.3rem; }
  dl { column-gap: 0.6rem; }
}
"""
)
