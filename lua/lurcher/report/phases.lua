--- What an attempt goes through, and what is waited for between two: one row each, in the order of time. The
--- recorder measures them, --explain, --report and --trace show them.
---
---   [1]      the phase's name
---   help     what it is
---   trace    its name in lines of --trace and in `timings`, when it stands there
---   between  it lies between two attempts
---   short    how a row of --explain names it
---   cell     how --explain draws it, and its colour (SGR)
---   light, dark   its colours in --report

return {
  { "slot", help = "waits for a slot", short = "slot", cell = "░", colour = "90", light = "#b9bbc6",
    dark = "#62666f" },
  { "rate", help = "waits for the rate", short = "rate", cell = "▒", colour = "33", light = "#e2a336",
    dark = "#c98a1b" },
  { "retry", help = "waits before a retry", between = true, short = "", cell = "┈", colour = "33",
    light = "#f0c36d", dark = "#8f6a1f" },
  { "breaker", help = "waits for the breaker", between = true, short = "", cell = "╌", colour = "31",
    light = "#e99a8b", dark = "#9c4a3c" },
  { "dns", help = "looks up the name", short = "dns", cell = "d", colour = "36", light = "#12a594",
    dark = "#0eb39e" },
  { "connect", help = "connects by TCP", short = "connect", cell = "c", colour = "36", light = "#3e63dd",
    dark = "#5b7fff" },
  { "tls", help = "the TLS handshake", short = "tls", cell = "t", colour = "35", light = "#8e4ec6",
    dark = "#a46be0" },
  { "first_byte", help = "sends the request and waits for the first byte", short = "first byte", cell = "━",
    colour = "34", light = "#5eb1ef", dark = "#3b9eff" },
  { "body", help = "receives the rest", short = "body", cell = "█", colour = "32", light = "#46a758",
    dark = "#3d9a50" },
}
