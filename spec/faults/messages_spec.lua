-- What the person who reads an error learns from it, beyond its kind.

local faults = require "spec.support.faults"
local http = require "lurcher.http"
local server = require "lurcher.server"
local task = require "lurcher.task"

local function message(url, opts)
  opts = opts or {}
  opts.retry = false
  local res, err = http.get(url, opts)
  assert(not res, "it did not fail")
  return err.message, err
end

local function started(...)
  local s = assert(...)
  task.defer(function() s:stop() end)
  return s
end

describe("the message of an error", function()
  it("names the socket that a request was to go through", function()
    local text, err = message("http://localhost/", { unix_socket = "/nowhere/daemon.sock" })
    assert.equal("cannot connect to the socket /nowhere/daemon.sock: ENOENT: No such file or directory", text)
    assert.equal("connect", err.kind)
  end)

  it("asks for http:// where the server does not speak TLS", function()
    local plain = started(server.raw(function(conn)
      conn:write "220 ready\r\n"
      conn:read(1)
    end))
    local text, err = message((plain.url:gsub("^http:", "https:")))
    assert.matches("it does not speak TLS there: is http:// meant?", text, 1, true)
    assert.equal("tls", err.kind)
  end)

  it("asks for https:// where the server speaks TLS", function()
    local secure = started(server.start(function() return "x" end, { tls = true }))
    local text, err = message((secure.url:gsub("^https:", "http:")))
    assert.matches("https://", text, 1, true)
    assert.equal("closed", err.kind)
    local alert = faults.answering "\21\3\1\0\2\2\40"
    assert.matches("https://", (message(alert.url)), 1, true)
  end)

  it("is not in the words of a library", function()
    for bytes, words in pairs {
      ["hello\r\n\r\n"] = "what it sent is no HTTP response",
      ["SSH-2.0-OpenSSH_9\r\n"] = "what it sent is no HTTP response",
      -- libcurl 8.14 takes the line for one of HTTP, and we do not.
      ["HTTP/3.5 200 OK\r\n\r\n"] = { "its status line is not that of an HTTP version there is",
        "a status line of another HTTP version" },
      ["HTTP/1.1 OK\r\n\r\n"] = "its status line is not that of an HTTP version there is",
      ["HTTP/1.1 200 OK\r\nbad\r\n\r\n"] = "it sent a header line without a colon",
      ["HTTP/1.1 200 OK\r\n x: y\r\n\r\n"] = "continuation line where none may be",
    } do
      local text, err = message(faults.answering(bytes).url)
      assert.equal("protocol", err.kind)
      local found
      for _, either in ipairs(type(words) == "table" and words or { words }) do
        found = found or text:find(either, 1, true)
      end
      assert.truthy(found, text)
    end
  end)

  it("names no routine of OpenSSL", function()
    local odd = started(server.raw(function(conn)
      conn:write "\21\3\3\0\2\2\40" -- an alert: handshake_failure
      conn:read(1)
    end))
    local text = message((odd.url:gsub("^http:", "https:")))
    assert.is_nil(text:find("routines", 1, true), text)
    assert.is_nil(text:find("error:", 1, true), text)
  end)
end)
