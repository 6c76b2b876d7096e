-- A server whose answers each spec sets, and a client for it.
--
--   local origin = require "spec.support.origin"
--   local site = origin.start()
--   site.answer = function(req) return { status = 200, body = "…" } end
--   site.paths["/a"] = { status = 302, headers = { Location = "/b" } }
--   … site.url, site:requests(), site:last() …
--   site:stop()

local server = require "lurcher.server"

local origin = {}

local Origin = {}
Origin.__index = Origin

---@param opts? table for server.start
function origin.start(opts)
  opts = opts or {}
  opts.grace = opts.grace or 0
  local self = setmetatable({ paths = {} }, Origin)
  self.server = assert(server.start(function(req)
    local answer = self.paths[req.path] or self.answer
    if type(answer) == "function" then return answer(req) end
    return answer or { status = 200, body = "ok" }
  end, opts))
  self.url, self.port, self.ca = self.server.url, self.server.port, self.server.ca
  return self
end

function Origin:requests()
  return self.server:requests()
end

---The last request that came.
function Origin:last()
  local all = self:requests()
  return all[#all]
end

function Origin:stop()
  self.server:stop()
end

---This server under another host name: the URL, and the `resolve` option that leads there.
---@param host string
function Origin:called(host)
  return ("http://%s:%d"):format(host, self.port), { [("%s:%d"):format(host, self.port)] = "127.0.0.1" }
end

return origin
