--- What begins with a colon at the prompt.

local chunk = require "lurcher.command.repl.chunk"
local native = require "lurcher.native.task"
local overlay = require("lurcher.base.tables").overlay
local save = require "lurcher.command.repl.save"
local text = require "lurcher.base.text"
local units = require "lurcher.base.units"

local commands = {}

-- name -> { arguments, what it does, function(session, argument) }; what the function raises is shown as one line.
local all = {}

local function fail(message) error(message, 0) end

local ORDER = { "help", "tasks", "trace", "curl", "save", "load", "time", "type" }

local INTRODUCTION = [[
Lua, line by line: values are shown, calls may wait, _ is the value before.
Ctrl-C gives up what runs, Ctrl-D ends, Tab completes, Ctrl-R searches.
]]

local function overview()
  local lines = { INTRODUCTION }
  for _, name in ipairs(ORDER) do
    local command = all[name]
    local call = ":" .. name .. (command[1] ~= "" and " " .. command[1] or "")
    lines[#lines + 1] = units.pad(call, 22) .. command[2]
  end
  return table.concat(lines, "\n")
end

all.help = { "[topic]", "this, or a page of the manual (:help topics lists them)", function(session, topic)
  if topic == "" then return overview() end
  local help, pages = require "lurcher.command.help", session.host.pages()
  if topic == "topics" then topic = "index" end
  local name, others = help.find(pages, topic)
  if not name then
    local hint = others and others[1] and "; it is spoken of in " .. table.concat(others, ", ")
      or "; :help topics lists all"
    fail(("help has no topic '%s'%s"):format(text.cut(text.line(topic), 60), hint))
  end
  return help.render(pages[name], session.style.columns, session.style.colours.off ~= "")
end }

all.tasks = { "", "what tasks wait for", function()
  local lines = {}
  for line in native.waiting(0):gmatch("[^\n]+") do lines[#lines + 1] = line:match("^%s*(.-)%s*$") end
  return lines[1] and table.concat(lines, "\n") or "no tasks"
end }

all.trace = { "on|off", "show each request attempt", function(session, argument)
  if argument ~= "on" and argument ~= "off" then fail("it is :trace on or :trace off") end
  session.host.trace(argument == "on")
end }

all.save = { "FILE", "write what worked as a script", function(session, path)
  if path == "" then fail "where to? :save FILE" end
  if #session.entries == 0 then fail "nothing has worked yet" end
  local message = session.host.write(path, save.script(session.entries))
  if message then fail(("cannot write %s: %s"):format(path, message)) end
  return ("%s: %s"):format(text.line(path), units.plural(#session.entries, "entry"):gsub("entrys$", "entries"))
end }

local function read(path)
  local file, message = io.open(path, "rb")
  local source = file and file:read "*a"
  if file then file:close() end
  if not source then fail(message or ("cannot read " .. path)) end
  return source
end

all.load = { "FILE", "run a script; its globals and locals stay", function(session, path)
  if path == "" then fail "what? :load FILE" end
  local source = read(path):gsub("^#[^\n]*", "")
  local fn, message = chunk.compile(session, source, "@" .. path)
  if not fn then fail(message) end
  fn()
  session.entries[#session.entries + 1] = { text = source:gsub("^%s+", ""):gsub("%s+$", ""), is_expression = false }
end }

local function expression(session, argument, usage)
  if argument == "" then fail(usage) end
  local fn, message, is_incomplete = chunk.compile(session, argument)
  if not fn then fail(is_incomplete and "the expression is not whole" or message) end
  return fn
end

all.time = { "EXPRESSION", "how long it takes", function(session, argument)
  local fn = expression(session, argument, "of what? :time EXPRESSION")
  local before = native.now()
  session.shown(fn())
  return units.duration(native.now() - before)
end }

-- "a response", "a table with 3 entries", "a string of 12 bytes".
local function type_of(...)
  if select("#", ...) == 0 then return "nothing" end
  local value = ...
  local kind, metatable = type(value), debug.getmetatable(value)
  local class = type(metatable) == "table" and rawget(metatable, "__name")
  if type(class) == "string" then return text.line(class) end
  if kind == "string" then return ("string, %s"):format(units.size(#value)) end
  if value == require("lurcher.json").null then return "json.null" end
  if kind ~= "table" then return kind end
  local count = 0
  for _ in next, value do count = count + 1 end
  if count > 0 and count == #value then return ("list of %d"):format(count) end
  return ("table, %s"):format(units.plural(count, "key"))
end

all.type = { "EXPRESSION", "what kind of value it is", function(session, argument)
  return type_of(expression(session, argument, "of what? :type EXPRESSION")())
end }

-- The script of requests as one entry, which leaves the last response in `_`.
local function as_entry(source)
  local last = source:find("local res =", 1, true) and "_ = res\n" or ""
  return { text = ("do\n%s\n%send"):format(source:gsub("%s+$", ""), last), is_expression = false }
end

all.curl = { "COMMAND", "send what a curl command sends", function(session, argument)
  if argument == "" then fail "what? :curl COMMAND" end
  local curl, http = session.module "curl", session.module "http"
  if not argument:find("^curl%f[%W]") then argument = "curl " .. argument end
  local requests, err = curl.parse_all(argument, os.getenv)
  if not requests then error(err, 0) end
  for _, request in ipairs(requests) do
    for _, warning in ipairs(request.warnings) do native.print("curl: " .. text.line(warning) .. "\n") end
    local unset = request.parameters[1]
    if unset then fail(("the variable %s is not set"):format(unset)) end
  end
  for _, request in ipairs(requests) do
    session.shown(http.request(request.method, request.url, overlay({ expect = false }, request.opts)))
  end
  session.entries[#session.entries + 1] = as_entry(curl.script(requests[2] and requests or requests[1]))
end }

---@return string[]
function commands.names() return ORDER end

---Does what a line that begins with a colon says.
---@param session table
---@param line string
---@return string? output
function commands.run(session, line)
  local name, argument = line:match("^:%s*([%w_]*)%s*(.-)%s*$")
  local command = all[name]
  if not command then
    local near = require("lurcher.base.check").suggest(name, all)
    fail(("there is no :%s%s"):format(name, near and ("; did you mean :%s?"):format(near) or "; :help lists all"))
  end
  return command[3](session, argument)
end

return commands
