-- The examples of README and manual, the API that they talk to, and how one of them is run: by a Lurcher of
-- its own, in a directory of its own. What they call https://….example.com (or .org, .net) is that API.
--
--   for _, block in ipairs(manual.blocks "README.md") do … manual.run(block, directory) … end

local children = require "spec.support.process"
local fs = require "lurcher.fs"
local json = require "lurcher.json"
local process = require "lurcher.process"
local server = require "lurcher.server"
local task = require "lurcher.task"

local websocket_peer = require "spec.support.websocket_peer"

local manual = {}

local function echo(p)
  p:accept()
  p:echo()
end

---@class Block
---@field path string
---@field line integer of the fence
---@field code string
---@field info string "", "spec" (run by lurcher test), "warns" (or may), "no-run: why"

---The fenced Lua blocks of a file.
---@param path string
---@return Block[]
function manual.blocks(path)
  local blocks, block, number = {}, nil, 0
  for line in fs.lines(path) do
    number = number + 1
    local info = line:match("^```lua%s*(.*)$")
    if info then
      block = { path = path, line = number, info = info, lines = {} }
    elseif block and line == "```" then
      block.code = table.concat(block.lines, "\n") .. "\n"
      blocks[#blocks + 1], block = block, nil
    elseif block then
      table.insert(block.lines, line)
    end
  end
  return blocks
end

-- ---- the API ----

local ITEMS, PER_PAGE = 9, 3

local function answer(value, headers, status)
  headers = headers or {}
  headers["Content-Type"] = headers["Content-Type"] or "application/json"
  return { status = status or 200, headers = headers, body = json.encode(value, { sort = true }) }
end

local function text(body, content_type)
  return { status = 200, headers = { ["Content-Type"] = content_type }, body = body }
end

local function item(id) return { id = id, name = "item " .. id, price = id * 1.5 } end

local function items_from(first, count)
  local list = {}
  for id = first, math.min(first + count - 1, ITEMS) do list[#list + 1] = item(id) end
  return json.array(list)
end

local paths = {}

-- Pages by number with a Link header, by offset, or by cursor.
function paths.items(req)
  local query = req.query
  if req.method == "POST" then return answer(json.decode(req.body), { Location = "/v1/items/10" }, 201) end
  if query.offset then
    return answer { items = items_from(query.offset + 1, tonumber(query.limit) or PER_PAGE), total = ITEMS }
  end
  local page = tonumber(query.page or query.cursor) or 1
  local more = page * PER_PAGE < ITEMS
  return answer({
    items = items_from((page - 1) * PER_PAGE + 1, PER_PAGE), total = ITEMS,
    next_cursor = more and tostring(page + 1) or json.null,
  }, more and { Link = ('<?page=%d>; rel="next"'):format(page + 1) } or nil)
end

paths.orders = paths.items

paths["export.ndjson"] = function()
  local lines = {}
  for id = 1, 3 do lines[id] = json.encode({ id = id, name = "item " .. id }, { sort = true }) .. "\n" end
  return text(table.concat(lines), "application/x-ndjson")
end

paths["report.csv"] = function() return text("name,price\nitem 1,1.5\nitem 2,3\n", "text/csv") end
paths["image.iso"] = function()
  return { body = ("x"):rep(300000),
    headers = { ETag = '"1"', ["Content-Disposition"] = 'attachment; filename="disk.iso"' } }
end
paths["latin1.txt"] = function() return text("caf\233", "text/plain; charset=iso-8859-1") end
function paths.big() return text(("x"):rep(300000), "application/octet-stream") end
function paths.missing() return answer({ error = "no such thing" }, nil, 404) end
function paths.always503() return answer({ error = "broken" }, nil, 503) end
function paths.refuse() return answer({ error = "no" }, nil, 403) end

function paths.flaky(_, state)
  state.flaky = (state.flaky or 0) + 1
  if state.flaky <= 2 then return paths.always503() end
  return answer { ok = true }
end

function paths.busy(_, state)
  state.busy = (state.busy or 0) + 1
  if state.busy == 1 then return answer({ error = "slowly" }, { ["Retry-After"] = "1" }, 429) end
  return answer { ok = true }
end

function paths.slow(req)
  task.sleep(tonumber(req.query.seconds) or 0.3)
  return answer { ok = true }
end

function paths.echo(req)
  local headers = {}
  for name, value in req:each_header() do headers[name:lower()] = value end
  return answer { method = req.method, query = json.object(req.query), headers = headers, body = req.body }
end

function paths.old() return { status = 302, headers = { Location = "/v1/items/1" } } end
function paths.loop() return { status = 302, headers = { Location = "/v1/loop" } } end
function paths.elsewhere() return { status = 302, headers = { Location = "ftp://files.example.com/" } } end
paths["not-json"] = function() return text("<html>", "application/json") end

function paths.login()
  return answer({ ok = true }, { ["Set-Cookie"] = { "session=abc; HttpOnly; Path=/", "theme=dark; Path=/" } })
end

function paths.account(req)
  local cookie = req.headers.Cookie or ""
  if not cookie:find("session=abc", 1, true) then return answer({ error = "who?" }, nil, 401) end
  return answer { user = "ann", cookie = cookie }
end

function paths.private(req)
  if req.headers.Authorization then return answer { authorization = req.headers.Authorization } end
  return answer({ error = "who?" }, { ["WWW-Authenticate"] = "Basic" }, 401)
end

function paths.token(req)
  if (req.body or ""):find "device_code" then
    return answer { access_token = "t-device", token_type = "Bearer", expires_in = 3600 }
  end
  local id = req.headers.Authorization == "Basic cmVwb3J0czpzM2NyZXQ=" and "reports"
  if not id then return answer({ error = "invalid_client" }, nil, 401) end
  return answer { access_token = "t-" .. id, token_type = "Bearer", expires_in = 3600 }
end

function paths.device(req)
  return answer { device_code = "d1", user_code = "AB-CD", interval = 1,
    verification_uri = "http://" .. req.headers.Host .. "/v1/device" }
end

function paths.counter(req)
  if req.headers.Authorization then return answer { ok = true } end
  return answer({ error = "who?" }, { ["WWW-Authenticate"] = 'Digest realm="api", nonce="1", qop="auth"' }, 401)
end

function paths.events(req)
  local after = tonumber(req.headers["Last-Event-ID"]) or 0
  if after >= 3 then return { status = 204 } end
  return text(after < 2 and "id: 1\ndata: first\n\nid: 2\nevent: update\ndata: second\n\n"
    or "id: 3\ndata: third\n\n", "text/event-stream")
end

function paths.chat()
  return text('data: {"text":"Hel"}\n\ndata: {"text":"lo"}\n\ndata: [DONE]\n\n', "text/event-stream")
end

-- A handler with a state of its own.
local function api()
  local state = {}
  return function(req)
    local name = req.path:gsub("^/v1", ""):gsub("^/", "")
    local id = name:match("^items/(%w+)$")
    if id and req.method == "DELETE" then return { status = 204 } end
    if id then return answer(item(tonumber(id) or 0)) end
    if name == "" then return answer { service = "items" } end
    return paths[name] and paths[name](req, state) or answer({ error = "no path " .. req.path }, nil, 404)
  end
end

---The API, with a state of its own.
---@return lurcher.server.Server
function manual.serve() return assert(server.start(api(), { grace = 0 })) end

-- ---- running ----

-- What a child runs: examples, one after the other, each of which finds the modules, `api`, `token` and `url` as
-- globals, and has other globals of its own.
local DRIVER = [[
local MODULES = {}
for _, name in ipairs { "breaker", "cassette", "clock", "crypto", "csv", "curl", "date", "fs", "http", "json", "log",
  "metrics", "mock", "pages", "process", "progress", "retry", "server", "sse", "task", "url", "ws" } do
  MODULES[name] = true
end
local END = string.char(30)

local function globals(path, url)
  local made = { token = "t0ken", arg = { [0] = path, url .. "/v1/items/1" } }
  return setmetatable(made, { __index = function(_, name)
    if name == "api" then made.api = made.http.client { base_url = url .. "/v1" } end
    if MODULES[name] then made[name] = require("lurcher." .. name) end
    if rawget(made, name) ~= nil then return rawget(made, name) end
    return _G[name]
  end })
end

local task = require "lurcher.task"
for i = 1, select("#", ...), 2 do
  local path, url = select(i, ...)
  local file = assert(io.open(path))
  local code = file:read("*a"):gsub("^#[^\n]*", "")
  file:close()
  local chunk = setfenv(assert(loadstring(code, "@example.lua")), globals(path, url))
  task.scope(function() chunk(url .. "/v1/items/1") end)
  if select("#", ...) > 2 then
    io.stdout:write(END)
    io.stderr:write(END)
  end
end
]]

-- What the script printed as a line of words.
local function words(line) return (line:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")) end

-- The lines that `--> …` comments promise; nil: there are none.
local function promised(code)
  local lines = {}
  for line in code:gmatch("%-%-> ?([^\n]*)") do lines[#lines + 1] = words(line) end
  return lines[1] and table.concat(lines, "\n")
end

local function printed(out)
  local lines = {}
  for line in out:gmatch("[^\n]+") do lines[#lines + 1] = words(line) end
  return table.concat(lines, "\n")
end

-- Puts an example where a child finds it. Returns the API that it is for.
local function place(block, path)
  local s = manual.serve()
  local code = block.code:gsub("https?://[%w.-]*example%.%a+", s.url)
  if code:find "wss?://" then code = code:gsub("wss?://[%w.-]*example%.%a+", websocket_peer.start(echo)) end
  assert(fs.write(path, code))
  return s
end

-- What is wrong with what an example printed; nil: nothing.
local function fault_in(block, out, err)
  local want = promised(block.code)
  if want and want ~= printed(out) then return ("it should print\n%s\nbut printed\n%s"):format(want, out) end
  return err ~= "" and not block.info:find("warns") and err or nil
end

---Runs one example.
---@param block Block
---@param directory string an empty one
---@return string? fault what went wrong; nil: all is well
function manual.run(block, directory)
  if block.info:find("^no%-run") then
    local compiles, problem = loadstring((block.code:gsub("^#[^\n]*", "")), "=example")
    return not compiles and problem or nil
  end
  local s = place(block, directory .. "/" .. (block.info == "spec" and "example_spec.lua" or "example.lua"))
  assert(fs.write(directory .. "/driver.lua", DRIVER))
  local arguments = block.info == "spec" and { "test", "-o", "plainTerminal", "example_spec.lua" }
    or { "driver.lua", "example.lua", s.url }
  local ended = assert(process.run(children.lurcher, arguments, { cwd = directory }))
  s:stop(0)
  if ended.status ~= 0 then return ended.stderr .. ended.stdout end
  return fault_in(block, ended.stdout, ended.stderr)
end

---Whether an example does nothing to the process that others would notice.
---@param block Block
---@return boolean
function manual.is_sociable(block)
  if block.info ~= "" then return false end
  for _, word in ipairs { "os%.exit", "clock%.", "log%.", "metrics", "LURCHER", "signal", "io%.read", "stdin" } do
    if block.code:find(word) then return false end
  end
  return true
end

---Runs examples in one process, one after the other.
---@param blocks Block[] sociable ones
---@param directory string an empty one
---@return string faults what went wrong; "": all is well
function manual.run_together(blocks, directory)
  local arguments, servers = { "driver.lua" }, {}
  assert(fs.write(directory .. "/driver.lua", DRIVER))
  for i, block in ipairs(blocks) do
    local name = ("example%d.lua"):format(i)
    servers[i] = place(block, directory .. "/" .. name)
    arguments[2 * i], arguments[2 * i + 1] = name, servers[i].url
  end
  local ended = assert(process.run(children.lurcher, arguments, { cwd = directory }))
  for _, s in ipairs(servers) do s:stop(0) end
  local next_out, next_err = ended.stdout:gmatch "([^\30]*)\30?", ended.stderr:gmatch "([^\30]*)\30?"
  local faults = {}
  for _, block in ipairs(blocks) do
    local fault = fault_in(block, next_out() or "", next_err() or "")
    if fault then faults[#faults + 1] = ("%s:%d:\n%s"):format(block.path, block.line, fault) end
  end
  if ended.status ~= 0 then faults[#faults + 1] = ended.stderr .. ended.stdout end
  return table.concat(faults)
end

return manual
