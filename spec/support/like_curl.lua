-- Commands sent twice to a server on loopback: by curl itself, and by what curl.parse_all makes of them.
--
--   local both = like_curl.run({ { name = "get", text = "curl http://HOST/" } }, folder, values)
--   both.get.curl, both.get.ours    lists of requests as texts; ours is { err = message } when it was refused
--
-- In a text HOST is the server, PROXY too, PORT its port, DIR the folder.

local curl = require "lurcher.curl"
local fs = require "lurcher.fs"
local http = require "lurcher.http"
local process = require "spec.support.process"
local serving = require "spec.support.serving"

local like_curl = {}

-- The text of a command, for this server and this folder.
local function text_of(command, server, directory)
  local place = server.url:match("//(.*)$")
  local words = { HOST = place, PROXY = place, PORT = tostring(server.port), DIR = directory }
  return (command.text:gsub("%u+", words))
end

-- ---- what is sent ----

-- Headers that have to differ: how each names itself, what belongs to the connection, and what frames the body, whose
-- bytes are compared: we say its length where curl sends chunks, and that there is none.
local DIFFER = { ["user-agent"] = "^curl/", accept = "^%*/%*$", connection = "^Upgrade, HTTP2", upgrade = "^h2c$",
  ["http2-settings"] = "", expect = "^100%-continue$", ["content-length"] = "", ["transfer-encoding"] = "" }

local function sorted_words(value)
  local words = {}
  for word in value:gmatch("[^,%s]+") do words[#words + 1] = word end
  table.sort(words)
  return table.concat(words, ", ")
end

local function without_boundaries(text)
  for boundary in text:gmatch('boundary=([%w-]+)%f[^%w-]') do
    -- curl 7 writes 16 hexadecimal digits, curl 8 22 letters and digits
    local is_curls = boundary:find "^%-*%x+$" or boundary:find("^" .. ("%-"):rep(24) .. ("%w"):rep(22) .. "$")
    if is_curls or boundary:find "^lurcher%-" then
      text = text:gsub(boundary:gsub("%p", "%%%0"), "BOUNDARY")
    end
  end
  return text
end

-- A request as text: the lines of its headers sorted, boundaries as such, codings in any order.
local function described(req)
  local lines = {}
  for name, value in req:each_header() do
    local key = name:lower()
    if key == "accept-encoding" then value = sorted_words(value) end
    local is_own = DIFFER[key] and value:find(DIFFER[key]) or key == "user-agent" and value:find "^lurcher/"
    if not is_own then lines[#lines + 1] = key .. ": " .. value end
  end
  table.sort(lines)
  return without_boundaries(("%s %s\n%s\n\n%s"):format(req.method, req.target, table.concat(lines, "\n"), req.body))
end

-- Gives each request to `received.current`; what asks for /mark/NAME begins a list of that name.
local function start_server(received)
  return serving.start(function(req)
    local mark = req.path:match "^/mark/(.*)$"
    if mark then
      received[mark] = {}
      received.current = received[mark]
    else
      table.insert(received.current, described(req))
    end
    return { status = 200, body = "" }
  end)
end

-- ---- curl ----

-- Tells the server, and waits until it knows, which command comes next.
local MARK = [[
mark() {
  exec 3<>/dev/tcp/127.0.0.1/$PORT
  printf 'GET /mark/%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' "$1" >&3
  read -r -d '' -u 3
  exec 3>&-
}
curl() { command curl -s -m 60 "$@"; }
]]

local function run_curl(list, server, directory, values)
  local lines = { ("cd '%s' || exit 9"):format(directory), "PORT=" .. server.port, "export HOME=$PWD", MARK }
  for name, value in pairs(values or {}) do lines[#lines + 1] = ("%s='%s'"):format(name, value:gsub("'", "'\\''")) end
  for _, command in ipairs(list) do
    lines[#lines + 1] = "mark " .. command.name
    if not command.is_ours then lines[#lines + 1] = text_of(command, server, directory) end
  end
  lines[#lines + 1] = "true"
  local script = directory .. "/all.sh"
  assert(fs.write(script, table.concat(lines, "\n")))
  local ended = process.run({ script }, { command = "bash" })
  assert(ended.status == 0, ended.err)
end

-- ---- ours ----

local function send(requests, received)
  received.current = {}
  for _, request in ipairs(requests) do
    local opts = request.opts
    opts.retry, opts.tls = false, nil -- all of it is plain HTTP
    local res, err = http.request(request.method, request.url, opts)
    if not res then table.insert(received.current, tostring(err)) end
  end
  return received.current
end

---Whether curl is one of Debian 12, of which the commands were written.
function like_curl.is_old() return process.shell("curl --version"):find "^curl 7" ~= nil end

---Runs commands; those with `is_ours` are not given to curl.
---@param list { name: string, text: string, is_ours?: boolean }[]
---@param directory string
---@param values? table<string, string> variables
---@return table<string, { curl: string[], ours: table }>
function like_curl.run(list, directory, values)
  local received, both = { current = {} }, {}
  local server = start_server(received)
  run_curl(list, server, directory, values)
  for _, command in ipairs(list) do
    local requests, err = curl.parse_all(text_of(command, server, directory), values)
    both[command.name] = { curl = received[command.name],
      ours = requests and send(requests, received) or { err = err and err.message } }
  end
  return both
end

return like_curl
