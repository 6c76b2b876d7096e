--- The options of retry policies (retry.policy), and what others call them.

local arguments = require "lurcher.retry.arguments"
local backoff = require "lurcher.retry.backoff"
local rows = require "lurcher.base.rows"

local CALLBACK = "fun(call: lurcher.RetryCall)"

local ROWS = {
  { "attempts", check = "count|huge|false", shown = "3, or no limit where another stop is given", help = "in all",
    example = "attempts = 5", words = backoff.ATTEMPTS_ELSEWHERE },
  { "time", check = "duration",
    help = "seconds, waits included: no attempt begins later",
    example = "time = 60",
    words = { timeout = "time", max_time = "time", deadline = "time" } },
  { "event", check = arguments.event_mismatch, type = "lurcher.Event",
    help = "once it is set, waits and attempts are over", example = "event = stopping" },
  { "stop", check = "callable", type = "fun(call: lurcher.RetryCall): boolean",
    help = "true: no more attempts", example = "stop = retry.stop.before(60)" },
  { "wait", check = "seconds|callable", type = "number|fun(call: lurcher.RetryCall): number",
    shown = "exponential, by the four below", help = "seconds between two attempts",
    example = "wait = retry.wait.fibonacci(0.5, 10)" },
  { "when", check = "callable", type = "fun(call: lurcher.RetryCall): boolean",
    shown = "every failure that may pass", help = "true: this attempt should be followed by another",
    example = "when = retry.when.message \"busy\"",
    words = { on_exception = "kinds or when", retry_on = "kinds or when" } },
  { "kinds", check = "table", type = "lurcher.ErrorKind[]", help = "of errors to repeat, in place of `when`",
    example = 'kinds = { "timeout", "connect" }' },
}
for _, row in ipairs(backoff.ROWS) do
  local own = {}
  for key, value in pairs(row) do own[key] = value end
  own.example = row.example and row.example:match("^retry = { (.*) }$") or row.example
  ROWS[#ROWS + 1] = own
end
for _, row in ipairs {
  { "before", check = "callable", type = CALLBACK,
    help = "called before each attempt",
    example = "before = print" },
  { "after", check = "callable", type = CALLBACK,
    help = "called after each attempt",
    example = "after = print" },
  { "before_sleep", check = "callable", type = CALLBACK, help = "called before each wait",
    example = "before_sleep = function(call) print(call.wait) end" },
  { "on_giving_up", check = "callable", type = CALLBACK, help = "called when no more attempts are made",
    example = "on_giving_up = function(call) print(call.err) end" },
} do ROWS[#ROWS + 1] = row end

return {
  ROWS = ROWS,
  KNOWN = rows.specs(ROWS),
  ELSEWHERE = rows.hints(ROWS, "%s"),
}
