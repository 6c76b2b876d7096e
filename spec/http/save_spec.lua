-- res:save: the rest of a body goes to the disk below Lua, and is verified before the file appears.

local crypto = require "lurcher.crypto"
local files = require "spec.support.files"
local fs = require "lurcher.fs"
local http = require "lurcher.http"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

describe("res:save", function()
  local body = ("0123456789abcdef"):rep(40000)

  before_each(files.begin)
  after_each(files.finish)

  local function stream(opts)
    local origin = serving.start(function() return { body = body } end)
    return assert(http.get(origin.url, opts or { stream = true }))
  end

  it("verifies size and SHA-256", function()
    local sum = crypto.sha256(body)
    assert.equal(#body, stream():save(files.path "a", { size = #body, sha256 = sum:upper() }))
    assert.equal(body, files.read "a")
    assert.equal(#body, stream({}):save(files.path "b", { size = #body, sha256 = sum }))
  end)

  it("is kind checksum when they are others, and leaves nothing", function()
    for _, opts in ipairs { { size = #body - 1 }, { size = #body + 1 }, { sha256 = ("0"):rep(64) } } do
      local saved, err = stream():save(files.path "a", opts)
      assert.is_nil(saved)
      assert.equal("checksum", err.kind)
      assert.same({}, fs.list(files.path ""))
    end
  end)

  it("writes what is left, and warns that it is not all", function()
    local res = stream()
    local first = assert(res:read(10))
    assert.equal(#body - #first, assert(res:save(files.path "rest")))
    assert.equal(body:sub(#first + 1), files.read "rest")
  end)

  it("tells how far it is", function()
    local seen = {}
    assert(stream():save(files.path "a", { progress = function(p) seen[#seen + 1] = p end }))
    assert.same({ sent = 0, received = #body, total = #body }, seen[#seen])
  end)

  it("raises on what the progress function raises, and leaves nothing", function()
    local res = stream()
    assert.has_error(function() res:save(files.path "a", { progress = function() error("enough", 0) end }) end,
      "enough")
    assert.same({}, fs.list(files.path ""))
  end)

  it("is read once", function()
    local res = stream()
    assert(res:save(files.path "a"))
    assert.has_error(function() res:save(files.path "b") end, "the stream was read already: it is read once")
  end)

  it("leaves nothing behind when its task is cancelled while it waits for more", function()
    local s = serving.raw(function(conn)
      conn:read_request()
      conn:write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
      conn:sleep(30)
    end)
    local res, err = task.timeout(0.2, function()
      return assert(http.get(s.url, { stream = true })):save(files.path "a")
    end)
    assert.is_nil(res)
    assert.equal("timeout", err.kind)
    assert.same({}, fs.list(files.path ""))
  end)

  it("is kind file when the disk is full, and holds back no longer", function()
    local saved, err = stream():save("/dev/full")
    assert.is_nil(saved)
    assert.equal("file", err.kind)
    assert.equal("ENOSPC", err.code)
    assert.matches("/dev/full", err.message, 1, true)
  end)
end)
