-- N: the simulated outage with the N-th set of policies; prints its name and figures.

local json = require "lurcher.json"
local outage = require "spec.support.outage"

local ROWS = {
  { "defaults", {} },
  { "20 attempts, default budget", { retry = { attempts = 20 } } },
  { "3 attempts, no budget", { retry = { budget = false } } },
  { "20 attempts, no budget", { retry = { attempts = 20, budget = false } } },
  { "the same without jitter", { retry = { attempts = 20, budget = false, jitter = "none" } } },
  { "defaults and a breaker", { breaker = { cooldown = 1, max_cooldown = 5 } } },
}

local row = ROWS[tonumber((...))]
if row then row[2].clients = 1000 end
local figures = row and outage.run(row[2]) or {}
figures.name = row and row[1]
print(json.encode(figures))
