-- Excerpts, shortened names and long messages: however a text is cut, no part of a secret is left.

local date = require "lurcher.date"
local errors = require "lurcher.base.errors"
local fs = require "lurcher.fs"
local http = require "lurcher.http"
local json = require "lurcher.json"
local metrics = require "lurcher.metrics"
local origin = require "spec.support.origin"
local process = require "spec.support.process"
local serving = require "spec.support.serving"

describe("a secret where a text is cut is masked before, in", function()
  local site

  before_each(function() site = origin.start() end)
  after_each(function() site:stop() end)

  local token = "s3cr3t." .. ("abcdefghij"):rep(3)

  -- Four bytes of it that stand in a text.
  local function piece_in(text)
    for at = 1, #token - 3 do
      local piece = token:sub(at, at + 3)
      if text:find(piece, 1, true) then return piece end
    end
  end

  -- Every place of the token beside the one where the text ends; `show` gives what is shown of it.
  local function never_shows(show)
    local held = http.secret(token)
    for before = 0, 300 do
      local shown = show(("-"):rep(before), before)
      local piece = piece_in(shown)
      if piece then error(("'%s' is left of it in: %s"):format(piece, shown)) end
    end
    assert.is_truthy(held)
  end

  it("a body in a message", function()
    local status_error = require("lurcher.http.response").status_error
    site.answer = function() return { body = "" } end
    local res = assert(http.get(site.url))
    never_shows(function(before)
      res.body = before .. token .. ("."):rep(2000)
      return status_error(res, "2xx").message
    end)
  end)

  it("JSON that does not parse", function()
    never_shows(function(before)
      local _, err = json.decode('["' .. before .. '" ' .. before:sub(1, 30) .. token .. "]")
      return err.message
    end)
    never_shows(function(_, place) -- where the fault is within the secret
      local _, err = json.decode("[" .. (" "):rep(place) .. "12" .. token .. "]")
      return err.message
    end)
    local number = http.secret "0123456789abcdef"
    local _, err = json.decode "0123456789abcdef"
    assert.is_nil(err.message:find("abcd", 1, true), err.message)
    assert.is_truthy(number)
  end)

  it("a text that is no date", function()
    never_shows(function(before)
      local _, err = date.parse(before .. token .. " and so on")
      return err.message
    end)
  end)

  it("a header that is none", function()
    local bytes
    local raw = serving.raw(function(conn)
      conn:read_request()
      conn:write("HTTP/1.1 200 OK\r\n" .. bytes .. "\r\n\r\n")
    end)
    local held = http.secret(token)
    for before = 0, 40 do
      bytes = ("-"):rep(before) .. token
      local _, err = http.get(raw.url, { retry = false })
      assert.are.equal("protocol", err.kind)
      assert.is_nil(err.message:find("s3cr", 1, true), err.message)
    end
    assert.is_truthy(held)
  end)

  it("the URL of an error", function()
    never_shows(function(before)
      return tostring(errors.new { kind = "closed", message = "x", method = "GET",
        url = "http://h/" .. ("u"):rep(1900) .. before .. token .. ("v"):rep(500) })
    end)
  end)

  it("a path", function()
    never_shows(function(before)
      local _, err = fs.read("/missing/" .. before .. token .. "/" .. ("n"):rep(200) .. "/" .. ("m"):rep(80))
      return err.message
    end)
  end)

  it("a name that is counted", function()
    never_shows(function(before)
      if #before < 160 then return "" end
      assert(http.get(site.url, { name = before .. token }))
      local all = metrics.snapshot()
      return all[#all].name
    end)
  end)

  it("what --stats, --explain and --report show", function()
    local ended = process.run { "--stats", "--explain", "--report=/dev/stdout", "-e", ([[
      local http, task, url = require "lurcher.http", require "lurcher.task", ...
      local api = http.client { base_url = url, retry = false }
      local function call(before)
        local token = http.secret %q -- nobody holds it when the script ends
        api:get("/", { name = before .. %q })
        print(token)
      end
      for i = 0, 30 do task.spawn(call, ("-"):rep(i)):join() end
      collectgarbage()
      collectgarbage()]]):format(token, token), site.url }
    assert.are.equal(0, ended.status, ended.err)
    assert.is_nil(piece_in(ended.err))
    assert.is_nil(piece_in(ended.out))
  end)

  it("a progress bar's label", function()
    local shown = {}
    local native_log = require "lurcher.native.log"
    local progress = native_log.progress
    native_log.progress = function(line)
      shown[#shown + 1] = line
      return 80
    end
    finally(function() native_log.progress = progress end)
    never_shows(function(before)
      require("lurcher.progress").bar({ label = before .. token }):done()
      return table.concat(shown)
    end)
  end)
end)
