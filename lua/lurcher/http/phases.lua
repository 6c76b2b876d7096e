--- What an attempt goes through, and what is waited for between two: one row each, in the order of time. The
--- recorder measures them; --trace, --explain and --report show them; responses have the times.
---
---   [1]       the phase's name
---   timing    its name in `timings`, if it is there
---   within    the time of `timings` that it is a part of, which is why lines of --trace do without it
---   between   it lies between two attempts
---   title     what it is, in legends; `help`: in the manual
---   short     how a row of --explain names it
---   cell, colour   how --explain draws it (SGR)
---   light, dark    its colours in --report

local phases = {
  { "slot", timing = "queue", title = "waits for a slot", short = "slot",
    help = "waits for a slot of the client and one of the origin; `queue` in `timings` is this and the wait \z
      for the rate",
    cell = "░", colour = "90", light = "#b9bbc6", dark = "#62666f" },
  { "rate", timing = "rate", within = "queue", title = "waits for the rate",
    help = "waits for the rate, or a hold that the server asked for",
    short = "rate", cell = "▒", colour = "33", light = "#e2a336", dark = "#c98a1b" },
  { "retry", between = true, title = "waits before a retry", help = "waits before another attempt",
    cell = "┈", colour = "33", light = "#f0c36d", dark = "#8f6a1f" },
  { "breaker", between = true, title = "waits for the breaker", help = "waits for the circuit breaker",
    cell = "╌", colour = "31", light = "#e99a8b", dark = "#9c4a3c" },
  { "dns", timing = "dns", title = "dns",
    help = "looks up the name",
    short = "dns", cell = "d", colour = "36",
    light = "#12a594", dark = "#0eb39e" },
  { "connect", timing = "connect", title = "connect", help = "connects by TCP", short = "connect", cell = "c",
    colour = "36", light = "#3e63dd", dark = "#5b7fff" },
  { "tls", timing = "tls", title = "tls",
    help = "the TLS handshake",
    short = "tls", cell = "t", colour = "35",
    light = "#8e4ec6", dark = "#a46be0" },
  { "first_byte", timing = "first_byte", title = "until the first byte", short = "first byte",
    help = "sends the request and waits for the first byte; `first_byte` in `timings` counts from the start \z
      of the attempt",
    cell = "━", colour = "34", light = "#5eb1ef", dark = "#3b9eff" },
  { "body", title = "body", help = "receives the rest", short = "body", cell = "█", colour = "32",
    light = "#46a758", dark = "#3d9a50" },
}

---The phases of an attempt.
---@type string[]
phases.OF_ATTEMPT = {}
---The names of times in `timings`, without "total".
---@type string[]
phases.TIMINGS = {}
---Those of them in lines of --trace.
---@type string[]
phases.TRACED = {}
for _, phase in ipairs(phases) do
  if not phase.between then table.insert(phases.OF_ATTEMPT, phase[1]) end
  if phase.timing then table.insert(phases.TIMINGS, phase.timing) end
  if phase.timing and not phase.within then table.insert(phases.TRACED, phase.timing) end
end

---What `timings` say, in the order of time.
---@param times table<string, number>
---@return string
function phases.told(times)
  local units = require "lurcher.base.units"
  local words = {}
  for i, name in ipairs(phases.TIMINGS) do words[i] = ("%s %s"):format(name, units.duration(times[name] or 0)) end
  words[#words + 1] = "total " .. units.duration(times.total or 0)
  return table.concat(words, ", ")
end

---The `timings` of what never came to the network.
---@return table<string, number>
function phases.no_time()
  local times = { total = 0 }
  for _, name in ipairs(phases.TIMINGS) do times[name] = 0 end
  return times
end

return phases
