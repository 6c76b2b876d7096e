--- The order of fetching: one page after the other, each leading to the next, or, once the total is known,
--- many at once. Gives *sources* for `task.stream`: functions that return the next entry, which is a page, or
--- `{ number, failure = err }` as the last one, or `{ number, position }` for a page that may be fetched at
--- the same time.

local secret = require "lurcher.base.secret"

local schedule = {}

---@class lurcher.Schedule
---@field private fetcher lurcher.PageFetcher
---@field private max_pages integer
---@field private max_empty integer
---@field private repeats boolean? a page may come again
local Schedule = {}
Schedule.__index = Schedule

-- What is remembered of the way here, to notice that it is a loop. Bounded: in a longer loop
-- `max_pages` ends it.
local REMEMBERED = 1000

local function trail()
  local seen, ring, at = {}, {}, 0
  return function(key)
    if seen[key] then return true end
    at = at % REMEMBERED + 1
    if ring[at] then seen[ring[at]] = nil end
    ring[at], seen[key] = key, true
    return false
  end
end

local function failure(self, number, position, fields)
  return { number = number, failure = self.fetcher:failure(number, position, fields) }
end

local function beyond(self, number, position)
  if number <= self.max_pages then return nil end
  return failure(self, number, position, { kind = "limit", limit = self.max_pages,
    message = ("there are more than max_pages = %d pages"):format(self.max_pages) })
end

local function try(self, place)
  local ok, page = pcall(self.fetcher.fetch, self.fetcher, place.position, place.number, place.foreign)
  if ok then return page end
  return { number = place.number, failure = page }
end

-- The end behind a page that leads nowhere.
local function dead_end(page)
  return page.no_way_on and { number = page.number, failure = page.no_way_on[1] }
end

local function in_a_loop(self, page)
  return failure(self, page.number + 1, page.following, { kind = "protocol",
    message = "the pages form a loop: the next one was there before" })
end

---The failure of a list of which too many pages in turn were empty.
---@param page lurcher.Page the last of them
---@return table entry
function Schedule:too_many_empty(page)
  return failure(self, page.number, page.position, { kind = "limit", limit = self.max_empty,
    message = ("%d pages in turn were empty (max_empty)"):format(self.max_empty) })
end

---One page after the other.
---@param place table? position, number, foreign of the first
---@param empty integer pages in turn so far
---@return fun(): table?
function Schedule:sequence(place, empty)
  local seen, last = trail(), nil
  local strategy = self.fetcher.strategy
  local function ended(entry)
    place, last = nil, nil
    return entry
  end
  -- Where it goes on after the last page; an entry when it must not.
  local function go_on()
    local looping = last and not self.repeats and seen(strategy:key(last.following))
    return looping and in_a_loop(self, last)
      or last and empty >= self.max_empty and self:too_many_empty(last)
      or beyond(self, place.number, place.position)
  end
  return function()
    if not place then
      local failed = last and dead_end(last)
      last = nil
      return failed
    end
    local refused = go_on()
    if refused then return ended(refused) end
    local page = try(self, place)
    if page.failure then return ended(page) end
    if strategy.follows_links then seen(strategy:key(secret.reveal(page.res.url))) end
    if not last then seen(strategy:key(place.position)) end
    empty = page.n == 0 and page.items and empty + 1 or 0
    last = page
    place = page.following ~= nil
      and { position = page.following, number = page.number + 1, foreign = page.foreign_next } or nil
    return page
  end
end

---The first page, then the places of all others, as far as the total reaches that is known so far; whoever
---has taken the last one asks it whether it goes on (`following`).
---@param place table? position, number, foreign of the first
---@return fun(): table?
function Schedule:parallel(place)
  local fetcher, first = self.fetcher, nil
  return function()
    if not place then return nil end
    local refused = beyond(self, place.number, place.position)
    if refused then
      place = nil
      return refused
    end
    local entry = place
    if not first then
      entry = try(self, place)
      if entry.no_way_on then entry = dead_end(entry) end
      first = entry
      if entry.failure or entry.following == nil then
        place = nil
        return entry
      end
    end
    local after = fetcher.strategy:after(place.position, fetcher.run)
    place = after and { position = after, number = place.number + 1 }
    return entry
  end
end

---The page of an entry.
---@param entry table
---@return table page or failure
function Schedule:resolve(entry)
  if entry.res or entry.failure then return entry end
  local page = try(self, entry)
  return dead_end(page) or page
end

---@param fields table fetcher, max_pages, max_empty, repeats
---@return lurcher.Schedule
function schedule.new(fields)
  return setmetatable({ fetcher = fields.fetcher, max_pages = fields.max_pages, max_empty = fields.max_empty,
    repeats = fields.repeats }, Schedule)
end

return schedule
