--- What responses keep of their call, for `curl`: everything but a large body. A program that holds hundreds of
--- responses to uploads would hold the uploads, too.

local overlay = require("lurcher.base.tables").overlay
local request = require "lurcher.http.request"

local kept_call = {}

-- Bytes of a body that is kept: what Linux takes as one word of a command.
local MAX_BODY = 128 * 1024

-- What a body consists of, in the options and, once middleware saw it, in the request.
local SOURCES = { "body", "json", "form", "multipart" }

-- Bytes that a body holds in memory: what files and iterators give is not among them.
local function size_of(content)
  if type(content) == "string" then return #content end
  local size = 0
  for _, piece in ipairs(content.pieces) do size = size + (type(piece) == "string" and #piece or 0) end
  return size
end

local function without_body(req, size)
  local copy = req:copy()
  copy.options = req.options and overlay(req.options)
  for _, name in ipairs(SOURCES) do
    copy[name] = nil
    if copy.options then copy.options[name] = nil end
  end
  copy.left_out = size
  return copy
end

local function lighten(res)
  local req = rawget(res, "call")
  local content = request.is(req) and req.body
  if not content then return end
  local size = size_of(content)
  if size > MAX_BODY then res.call = without_body(req, size) end
end

---Has a response whose call has ended, and those that led to it, forget a large body.
---@param res lurcher.Response
function kept_call.lighten(res)
  lighten(res)
  for _, earlier in ipairs(rawget(res, "history") or {}) do lighten(earlier) end
end

return kept_call
