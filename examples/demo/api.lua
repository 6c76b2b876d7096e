-- The API of the demo: countries, their subdivisions, languages and currencies from the package iso-codes,
-- with what makes real APIs laborious: three kinds of pagination, a rate limit, passing failures, latency.
--
--   lurcher examples/demo/api.lua [--port=N] [--rate=1000] [--faults=0.05] [--latency=0.01] [--seed=1]
--
--   GET /countries?page=1&per_page=50          a list; Link header with rel="next"
--   GET /subdivisions?limit=100&cursor=…       { data, next_cursor, total }
--   GET /subdivisions/CODE                     one of them, with its country
--   GET /languages?offset=0&limit=500          { items, offset, total }
--   GET /languages.ndjson                      all of them, one a line
--   GET /currencies                            a list
--   POST /subscriptions (JSON: url)            three events are posted to that URL
--   GET /events                                server-sent events of prices, five a connection; ?last= ends them
--   POST /login (form: user, password)         sets the session's cookie; GET /account wants it
--   GET /echo, /slow?seconds=5, /mirrors/1     for the examples
--
-- Its first line of output is its URL. It runs until it is interrupted.

local crypto = require "lurcher.crypto"
local fs = require "lurcher.fs"
local http = require "lurcher.http"
local json = require "lurcher.json"
local server = require "lurcher.server"
local task = require "lurcher.task"

local options = { port = 0, rate = 1000, faults = 0.05, latency = 0.01, seed = 1 }
for _, word in ipairs(arg) do
  local name, value = word:match("^%-%-(%w+)=(.+)$")
  if not (name and options[name] and tonumber(value)) then
    error(("what is '%s'? Options: --port= --rate= --faults= --latency= --seed="):format(word), 0)
  end
  options[name] = tonumber(value)
end

local function load_list(name)
  local text, err = fs.read("/usr/share/iso-codes/json/iso_" .. name .. ".json")
  if not text then error(tostring(err) .. "\nThe data is in Debian's package iso-codes.", 0) end
  return assert(json.decode(text))[name]
end

local countries, languages, currencies = load_list "3166-1", load_list "639-3", load_list "4217"
local subdivisions = load_list "3166-2"
table.sort(subdivisions, function(a, b) return a.code < b.code end)

local country_of, place_of = {}, {}
for _, country in ipairs(countries) do country_of[country.alpha_2] = country end
for i, subdivision in ipairs(subdivisions) do place_of[subdivision.code] = i end

local function answer(value, headers)
  headers = headers or {}
  headers["Content-Type"] = "application/json"
  return { status = 200, headers = headers, body = json.encode(value, { sort = true }) }
end

local function refuse(status, message, headers)
  local response = answer({ error = message }, headers)
  response.status = status
  return response
end

-- A whole number from the query, within bounds.
local function number(req, name, default, most)
  local value = tonumber(req.query[name]) or default
  return math.max(0, math.min(math.floor(value), most))
end

local function slice(list, first, count)
  local part = json.array {}
  for i = first, math.min(first + count - 1, #list) do part[#part + 1] = list[i] end
  return part
end

-- ---- what is offered ----

local routes = {}
local base_url

routes["/countries"] = function(req)
  local page, size = math.max(1, number(req, "page", 1, 1e6)), math.max(1, number(req, "per_page", 50, 100))
  local last = math.ceil(#countries / size)
  local function link(to, rel)
    return ('<%s/countries?page=%d&per_page=%d>; rel="%s"'):format(base_url, to, size, rel)
  end
  local links = { link(1, "first"), link(last, "last") }
  if page < last then table.insert(links, 1, link(page + 1, "next")) end
  return answer(slice(countries, (page - 1) * size + 1, size), { Link = table.concat(links, ", ") })
end

routes["/subdivisions"] = function(req)
  local limit, cursor = math.max(1, number(req, "limit", 100, 200)), req.query.cursor
  if cursor and not place_of[cursor] then return refuse(400, "this cursor was not given out here") end
  local first = cursor and place_of[cursor] + 1 or 1
  local data = json.array {}
  for i, subdivision in ipairs(slice(subdivisions, first, limit)) do
    data[i] = { code = subdivision.code, name = subdivision.name }
  end
  local more = first + limit <= #subdivisions
  return answer { data = data, next_cursor = more and data[#data].code or json.null, total = #subdivisions }
end

local function subdivision_details(code)
  local subdivision = subdivisions[place_of[code] or 0]
  if not subdivision then return refuse(404, "there is no subdivision " .. code) end
  local country = country_of[code:sub(1, 2)]
  return answer {
    code = code,
    name = subdivision.name,
    type = subdivision.type,
    parent = subdivision.parent,
    country = { code = country.alpha_2, name = country.common_name or country.name, flag = country.flag },
  }
end

routes["/languages"] = function(req)
  local offset, limit = number(req, "offset", 0, 1e6), number(req, "limit", 100, 500)
  return answer { items = slice(languages, offset + 1, limit), offset = offset, total = #languages }
end

routes["/languages.ndjson"] = function()
  local i = 0
  return { headers = { ["Content-Type"] = "application/x-ndjson" }, body = function()
    i = i + 1
    return languages[i] and json.encode(languages[i], { sort = true }) .. "\n"
  end }
end

routes["/currencies"] = function() return answer(currencies) end

-- Goes on behind the last event that the client knows, and breaks off after five.
routes["/events"] = function(req)
  local first = (tonumber(req.headers["Last-Event-ID"]) or 0) + 1
  local last = math.min(first + 4, tonumber(req.query.last) or 20)
  if first > last then return { status = 204 } end
  local id, lines = first, { "retry: 100\n\n" }
  while id <= last do
    local place = currencies[id]
    lines[#lines + 1] = ("id: %d\nevent: price\ndata: %s\n\n"):format(id,
      json.encode({ currency = place.alpha_3, price = 1 + id / 100 }, { sort = true }))
    id = id + 1
  end
  return { status = 200, headers = { ["Content-Type"] = "text/event-stream" }, body = table.concat(lines) }
end

routes["/login"] = function(req)
  local user, password = req.body:match("user=(%w+)"), req.body:match("password=(%w+)")
  if not user or password ~= "secret" then return refuse(401, "wrong user or password") end
  return answer({ welcome = user }, { ["Set-Cookie"] = "session=" .. user .. "; Path=/; HttpOnly" })
end

routes["/account"] = function(req)
  local user = (req.headers.cookie or ""):match("session=(%w+)")
  if not user then return refuse(401, "log in first") end
  return answer { user = user }
end

routes["/subscriptions"] = function(req)
  local wanted = json.decode(req.body)
  if type(wanted) ~= "table" or type(wanted.url) ~= "string" then return refuse(400, "a url is missing") end
  task.spawn(function()
    for i = 1, 3 do
      http.post(wanted.url, { json = { event = "country.changed", code = countries[i].alpha_2 } })
    end
  end)
  return answer { subscribed = wanted.url }
end

routes["/echo"] = function(req)
  local headers = {}
  for name, value in req:each_header() do headers[name:lower()] = value end
  return answer { method = req.method, headers = headers, body = req.body }
end

-- PUT /uploads/NAME: what came is only counted.
local function uploaded(req, name)
  return answer { name = name, bytes = #(req.body or ""), sha256 = crypto.sha256(req.body or "") }
end

routes["/slow"] = function(req)
  task.sleep(math.min(tonumber(req.query.seconds) or 5, 60))
  return answer { slow = true }
end

-- The second one is the fastest.
for i, seconds in ipairs { 0.5, 0.01, 1 } do
  routes["/mirrors/" .. i] = function()
    task.sleep(seconds)
    return answer { mirror = i }
  end
end

-- ---- what makes it laborious ----

-- Spreads texts evenly over [0, 1), the same for the same seed.
local function chance(text)
  local hash = options.seed % 65521
  for i = 1, #text do hash = (hash * 31 + text:byte(i)) % 2147483647 end
  return (hash * 16807 % 2147483647) / 2147483647
end

-- A fixed number of requests in each second.
local second, taken = -1, 0
local function over_rate()
  local now = math.floor(task.now())
  if now ~= second then second, taken = now, 0 end
  taken = taken + 1
  return taken > options.rate
end

-- Some targets fail the first time they are asked for, a few of them twice; then they answer, and it begins
-- again.
local asked = {}
local function fails_now(target)
  local luck = chance(target)
  if luck >= options.faults then return false end
  local times = luck < options.faults / 5 and 2 or 1
  asked[target] = ((asked[target] or 0) + 1) % (times + 1)
  return asked[target] ~= 0
end

local function handle(req)
  if over_rate() then
    return refuse(429, ("more than %d requests a second"):format(options.rate), { ["Retry-After"] = "1" })
  end
  task.sleep(options.latency * (0.5 + chance(req.target)))
  if fails_now(req.target) then return refuse(503, "try again") end
  local code = req.path:match("^/subdivisions/([%w-]+)$")
  if code then return subdivision_details(code) end
  local upload = req.method == "PUT" and req.path:match("^/uploads/([^/]+)$")
  if upload then return uploaded(req, upload) end
  local route = routes[req.path]
  return route and route(req) or refuse(404, "there is nothing at " .. req.path)
end

local api = assert(server.start { handler = handle, port = options.port, record = 0 })
base_url = api.url
print(base_url)
io.stdout:flush()
while true do task.sleep(3600) end
