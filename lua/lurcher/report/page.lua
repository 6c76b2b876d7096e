--- What every page of --report has in common: its style and its script, both written for browsers without any
--- other file.

local phases = require "lurcher.http.phases"

local page = {}

local STYLE = [[
:root { color-scheme: light dark; --text: #1c2024; --soft: #60646c; --line: #e0e1e6; --back: #ffffff;
  --panel: #f6f7f9; --good: #2b7d4b; --bad: #ce2c31;
  --unknown: #e5484d; %(light)s}
@media (prefers-color-scheme: dark) {
  :root { --text: #edeef0; --soft: #a5a9b2; --line: #363a3f; --back: #111113; --panel: #1b1c1f;
    --good: #53b365; --bad: #ff6369;
    %(dark)s}
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1240px; padding: 24px 20px 60px; background: var(--back);
  color: var(--text); font: 14px/1.45 system-ui, "Segoe UI", "Helvetica Neue", "DejaVu Sans", sans-serif; }
h1 { font-size: 22px; margin: 0 0 2px; }
h2 { font-size: 16px; margin: 34px 0 10px; }
p { margin: 4px 0; color: var(--soft); }
code, .url { font-family: ui-monospace, "SF Mono", Menlo, "DejaVu Sans Mono", monospace; font-size: 12.5px; }
.cards { display: flex; flex-wrap: wrap; gap: 10px; margin-top: 18px; }
.cards div { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 8px 16px;
  min-width: 110px; }
.cards b { display: block; font-size: 20px; font-weight: 600; font-variant-numeric: tabular-nums; }
.cards span { color: var(--soft); font-size: 12px; }
.bad { color: var(--bad); }
.good { color: var(--good); }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; margin-bottom: 10px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { padding: 5px 10px; text-align: right; white-space: nowrap; border-top: 1px solid var(--line); }
thead th { border-top: 0; color: var(--soft); font-weight: 500; background: var(--panel); }
thead tr + tr th { padding-top: 0; }
th:first-child, td:first-child { text-align: left; max-width: 380px; overflow: hidden;
  text-overflow: ellipsis; }
.list { text-align: left; white-space: normal; min-width: 200px; }
.g { border-left: 1px solid var(--line); }
thead tr:first-child th { text-align: left; }
tr.all td { font-weight: 600; }
svg { display: block; width: 100%; height: auto; background: var(--panel); border: 1px solid var(--line);
  border-radius: 8px; }
svg text { fill: var(--soft); font-size: 11px; }
svg .mark { stroke: var(--text); stroke-width: 1; stroke-dasharray: 3 3; }
svg .bar { fill: var(--first_byte); opacity: .85; }
svg .outline { fill: none; stroke: var(--body); stroke-width: 1.6; }
svg .axis { stroke: var(--line); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; font-size: 12px; color: var(--soft); margin: 6px 0; }
.legend i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 5px;
  vertical-align: -1px; }
.tools { display: flex; flex-wrap: wrap; gap: 8px 14px; align-items: center; margin: 8px 0; }
input[type=search] { font: inherit; padding: 4px 9px; border: 1px solid var(--line); border-radius: 6px;
  background: var(--back); color: inherit; width: 260px; }
button, select { font: inherit; padding: 4px 10px; border: 1px solid var(--line); border-radius: 6px;
  background: var(--panel); color: inherit; }
.calls { border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
.call { border-top: 1px solid var(--line); }
.call:first-child { border-top: 0; }
.call > summary, .row { display: grid; gap: 10px;
  grid-template-columns: minmax(0, 5fr) 70px 76px minmax(0, 6fr);
  align-items: center; padding: 4px 12px; }
.call > summary { cursor: pointer; list-style: none; }
.call > summary:hover { background: var(--panel); }
.call > summary::-webkit-details-marker { display: none; }
.url { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.url b { font-weight: 600; }
.url em { font-style: normal; color: var(--soft); margin-left: 8px; }
.took { text-align: right; font-variant-numeric: tabular-nums; font-size: 12.5px; }
.status { font-size: 12.5px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.lane { position: relative; height: 12px; }
.span { position: absolute; top: 0; bottom: 0; border-radius: 2px; overflow: hidden; min-width: 3px;
  left: var(--left); width: var(--width); }
.calls.own .call > summary .span { left: 0; width: 100%; }
.lane i { position: absolute; top: 0; bottom: 0; min-width: 1px; }
.rows { background: var(--panel); padding: 4px 0 8px; font-size: 12.5px; }
.rows .row { padding: 5px 12px 0 28px; }
.rows .more { padding: 1px 12px 3px 28px; color: var(--soft); overflow-wrap: anywhere; }
%(classes)s.p-unknown { background: var(--unknown); }
[hidden] { display: none !important; }
@media (max-width: 700px) { .call > summary, .row { grid-template-columns: minmax(0, 1fr) 60px 70px; }
  .lane { grid-column: 1 / -1; } }
@media print { .tools { display: none; } }
]]

-- A piece of style for each phase, where %s is its name and its colour.
local function each(format, value)
  local out = {}
  for i, phase in ipairs(phases) do out[i] = format:format(phase[1], phase[value]) end
  return table.concat(out)
end

local PIECES = {
  light = each("--%s: %s; ", "light"), dark = each("--%s: %s; ", "dark"),
  classes = each(".p-%s { background: var(--%s); }\n", 1),
}

page.STYLE = STYLE:gsub("%%%((%a+)%)s", PIECES)

page.SCRIPT = [[
(function () {
  var list = document.querySelector('.calls');
  if (!list) return;
  var calls = Array.prototype.slice.call(list.children);
  var search = document.getElementById('search'), failed = document.getElementById('failed');
  var order = document.getElementById('order'), scale = document.getElementById('scale');
  document.querySelector('.tools').hidden = false;
  function filter() {
    var wanted = search.value.toLowerCase(), shown = 0;
    calls.forEach(function (call) {
      var fits = (!failed.checked || call.dataset.failed) &&
        call.firstElementChild.textContent.toLowerCase().indexOf(wanted) >= 0;
      call.hidden = !fits;
      shown += fits;
    });
    document.getElementById('shown').textContent = shown + ' of ' + calls.length + ' shown';
  }
  search.oninput = failed.onchange = filter;
  order.onchange = function () {
    var by = order.value;
    calls.sort(function (a, b) {
      return by === 'took' ? b.dataset.took - a.dataset.took : a.dataset.number - b.dataset.number;
    });
    calls.forEach(function (call) { list.appendChild(call); });
  };
  scale.onchange = function () { list.classList.toggle('own', scale.value === 'own'); };
  scale.value = list.classList.contains('own') ? 'own' : 'run';
  filter();
})();
]]

return page
