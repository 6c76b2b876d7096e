--- `lurcher serve [FILE.lua|FOLDER]`: a stub API, a folder, or whatever webhooks bring, on loopback.

local fs = require "lurcher.fs"
local json = require "lurcher.command.show.json"
local palette = require "lurcher.command.show.palette"
local prepare = require "lurcher.command.prepare"
local server = require "lurcher.server"
local task = require "lurcher.task"
local text = require "lurcher.base.text"
local uncaught = require "lurcher.base.uncaught"

local serve = {}

local DEFAULT_PORT = 8000
local SHOWN = 4096 -- bytes of a body that are printed
local MAX_INDENTED = 64 * 1024 -- bytes of JSON that is printed with its lines
local PLAIN = { colours = palette.plain, columns = 80 } -- how JSON is painted

---@type lurcher.command.Streams
local STREAMS = { out = io.stdout, err = io.stderr }

local USAGE = "usage: lurcher serve [FILE.lua|FOLDER] [--port=N] [--host=ADDRESS] [--tls] [--cors] [--delay=S] "
  .. "[--fault=NAME] [--quiet]\n"

-- The options by name, and the other words.
local function sort(list)
  local options, rest, over = {}, {}, false
  for _, argument in ipairs(list) do
    if not over and argument == "--" then
      over = true
    elseif not over and argument:find "^%-%-" then
      local name, value = argument:match "^%-%-([^=]*)=(.*)$"
      options[name or argument:sub(3)] = value or true
    else
      rest[#rest + 1] = argument
    end
  end
  return options, rest
end

-- ---- what a file holds ----

local function options_of(value)
  if type(value) == "function" then return { handler = value } end
  if type(value) ~= "table" then return nil, "it returns " .. type(value) .. ": it is to return a handler or routes" end
  if value.handler or value.routes then return value end
  return { routes = value }
end

-- Runs the file's text; gives a handler, and the options that came with it.
local function load_handler(path, source)
  prepare.find_beside(path)
  local chunk, problem = loadstring(source, "@" .. path)
  if not chunk then return nil, problem end
  local ok, value = pcall(chunk, path)
  if not ok then return nil, uncaught.text(value) end
  local options, wrong = options_of(value)
  if not options then return nil, path .. ": " .. wrong end
  if options.routes then
    ok, value = pcall(server.routes, options.routes)
    if not ok then return nil, path .. ": " .. tostring(value) end
    return value, options
  end
  return options.handler, options
end

-- A handler that is made anew when the file was changed; one that does not load leaves the old one at work.
local function reloading(path, source, handler, err)
  return function(req)
    local now = fs.read(path)
    if now and now ~= source then
      source = now
      local made, problem = load_handler(path, now)
      if made then handler = made end
      err:write(made and "lurcher serve: loaded " .. path .. " again\n" or "lurcher serve: " .. problem .. "\n")
    end
    return handler(req)
  end
end

local function is_folder(path)
  return fs.list(path) ~= nil
end

-- The handler, and options, that an argument means; or nil and why not.
local function handler_of(path, err)
  if not path then return function() return { status = 204 } end, {} end
  if is_folder(path) then return server.folder(path, { listing = true }), {} end
  local source, problem = fs.read(path)
  if not source then return nil, tostring(problem) end
  if not path:find "%.lua$" then return nil, ("'%s' is neither a folder nor a Lua file"):format(path) end
  local handler, options = load_handler(path, source)
  if not handler then return nil, options end
  return reloading(path, source, handler, err), options
end

-- ---- what is printed ----

local function body_text(req)
  local body = req.body
  if body == "" then return "" end
  if #body <= MAX_INDENTED and body:find "^%s*[%[{]" then body = json.paint(body, PLAIN) or body end
  if body:find "[%z\1-\8\11\12\14-\31\127]" then return ("  (%d bytes)\n"):format(#req.body) end
  local cut = #body > SHOWN and ("\n(%d more bytes)"):format(#body - SHOWN) or ""
  return "  " .. (body:sub(1, SHOWN) .. cut):gsub("[^\n]+", text.printable):gsub("\n", "\n  ") .. "\n"
end

local function printer(out)
  return function(req)
    out:write(text.line(("%s %s %s"):format(req.method, req.target, req.status or "-")), "\n", body_text(req))
    if out.flush then out:flush() end
  end
end

-- ---- the command ----

local KNOWN = { port = true, host = true, tls = true, cors = true, delay = true, fault = true, quiet = true }

-- The server's options: those of the command line count more than those of the file.
local function settings_of(typed, from_file, out)
  local settings = {}
  for name, value in pairs(from_file) do settings[name] = value end
  settings.handler, settings.routes = nil, nil
  settings.port = typed.port and (tonumber(typed.port) or -1) or settings.port or DEFAULT_PORT
  settings.host = typed.host or settings.host
  settings.delay = typed.delay and (tonumber(typed.delay) or -1) or settings.delay
  settings.fault = typed.fault or settings.fault
  if typed.tls then settings.tls = true end
  if typed.cors then settings.cors = true end
  if not typed.quiet then settings.log = settings.log or printer(out) end
  return settings
end

---Starts what a command line says.
---@param list string[] the arguments behind the word
---@param streams? lurcher.command.Streams
---@return lurcher.server.Server?
---@return integer? status when there is none
function serve.start(list, streams)
  streams = streams or STREAMS
  local typed, rest = sort(list)
  for name in pairs(typed) do
    if not KNOWN[name] then rest[2] = name end
  end
  if rest[2] then
    streams.err:write(USAGE)
    return nil, 2
  end
  local handler, from_file = handler_of(rest[1], streams.err)
  if not handler then
    streams.err:write("lurcher serve: ", from_file, "\n")
    return nil, 2
  end
  local ok, started, problem = pcall(server.start, handler, settings_of(typed, from_file, streams.out))
  if not ok then
    streams.err:write("lurcher serve: ", (tostring(started):gsub("^server%.start: ", "")), "\n")
    return nil, 2
  elseif not started then
    local cure = problem.code == "EADDRINUSE" and "; --port=0 takes a port that is free" or ""
    streams.err:write("lurcher serve: ", tostring(problem), cure, "\n")
    return nil, 1
  end
  streams.err:write(("serving %s at %s (Ctrl-C ends it)\n"):format(rest[1] or "204 to everything", started.url))
  if started.ca then streams.err:write("its certificate: ", started.ca, "\n") end
  return started
end

---@param _ string the word
---@param ... string
function serve.run(_, ...)
  local started, status = serve.start { ... }
  if not started then os.exit(status) end
  task.sleep(math.huge)
end

return serve
