--- Objects and modules in which a name that does not exist raises, with the nearest one that does: a misspelt
--- field would else be nil, silently and for ever.

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local text = require "lurcher.base.text"

local strict = {}

---Raises for a name that is not there.
---@param what string "a response has no field"
---@param name any
---@param candidates table as check.suggest takes it
---@param elsewhere? table<string, string> what others call it -> how it is written here
function strict.refuse(what, name, candidates, elsewhere)
  local written = elsewhere and elsewhere[name]
  local near = not written and check.suggest(name, candidates)
  local hint = written and "; it is written " .. written or near and ("; did you mean '%s'?"):format(near)
    or check.listed(candidates)
  errors.raise(("%s '%s'%s"):format(what, text.cut(tostring(name), 60), hint))
end

---Whether a key can be a misspelt name: others, and names of metamethods, are nil in peace.
---@param key any
---@return boolean
function strict.is_name(key)
  return type(key) == "string" and key:sub(1, 2) ~= "__"
end

-- What other libraries call functions of ours, by module.
local ELSEWHERE = {
  http = { Session = "http.client { … }", session = "http.client { … }", create = "http.client { … }",
    Client = "http.client { … }", new = "http.client { … }", fetch = "http.get(url)", del = "http.delete(url)",
    stream = "http.get(url, { stream = true }), or client:stream", send = "http.request(method, url)",
    secret_string = "http.secret(text)" },
  json = { stringify = "json.encode(value)", dumps = "json.encode(value)", dump = "json.encode(value)",
    parse = "json.decode(text)", loads = "json.decode(text)", load = "json.decode(text)", nil_ = "json.null" },
  task = { wait = "task.sleep(seconds), or handle:join()", run = "task.spawn(fn)", start = "task.spawn(fn)",
    create = "task.spawn(fn)", go = "task.spawn(fn)", gather = "task.all { … }", parallel = "task.all { … }",
    each = "task.map(list, fn)", channel = "task.queue(capacity)", lock = "task.semaphore(1)",
    mutex = "task.semaphore(1)", cancel = "handle:cancel()", join = "handle:join()" },
  fs = { read_file = "fs.read(path)", write_file = "fs.write(path, text)", readFile = "fs.read(path)",
    writeFile = "fs.write(path, text)", unlink = "fs.remove(path)", delete = "fs.remove(path)",
    readdir = "fs.list(path)", dir = "fs.list(path)" },
  log = { warning = "log.warn(message)", fatal = "log.error(message)", trace = "log.debug(message)" },
}

---Raises for a misspelt function of a public module.
---@param module table
---@param key any
---@param name string "http" for lurcher.http
function strict.missing(module, key, name)
  if strict.is_name(key) then
    strict.refuse(("lurcher.%s has no function"):format(name), key, module, ELSEWHERE[name])
  end
end

---Has the functions of a copy of a public module raise where they are misspelt.
---@param module table
---@param name string "http" for lurcher.http
function strict.guard(module, name)
  if getmetatable(module) ~= nil then return end
  setmetatable(module, { __index = function(self, key) return strict.missing(self, key, name) end })
end

return strict
