-- What a peer sends behind its response, which nobody asked for, never answers the next request.

local assert = require "luassert"
local faults = require "spec.support.faults"
local fs = require "lurcher.fs"
local process = require "spec.support.process"
local task = require "lurcher.task"

local POISON = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned"
local RIGHT = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright"

local function ok(line, body) return ("HTTP/1.1 200 OK\r\n%s\r\n\r\n%s"):format(line, body) end

-- A response with a length that is `size` bytes in all.
local function sized(size)
  local overhead = #ok("Content-Length: 000000", "")
  return ok(("Content-Length: %06d"):format(size - overhead), ("x"):rep(size - overhead))
end

-- A chunked response of `size` bytes in all, most of them a chunk's extension.
local function chunked(size)
  local form = "5;%s\r\nabcde\r\n0\r\n\r\n"
  local overhead = #ok("Transfer-Encoding: chunked", form) - 2
  return ok("Transfer-Encoding: chunked", form:format(("e"):rep(size - overhead)))
end

local first = {
  ["a 204"] = "HTTP/1.1 204 No Content\r\n\r\n",
  ["a 204 that announces a body"] = "HTTP/1.1 204 No Content\r\nContent-Length: 46\r\n\r\n",
  ["a 204 that announces chunks"] = "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
  ["a 304"] = "HTTP/1.1 304 Not Modified\r\nContent-Length: 46\r\n\r\n",
  ["a response to HEAD"] = ok("Content-Length: 46", ""),
  ["an empty body"] = ok("Content-Length: 0", ""),
  ["a body"] = ok("Content-Length: 3", "abc"),
  ["the last chunk"] = ok("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"),
  ["trailers"] = ok("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\nX: y\r\n\r\n"),
}
-- At, around and beyond what libcurl receives into at once, for bodies in memory and for streams.
for _, size in ipairs { 16383, 16384, 16385, 32768, 131072, 262144 } do
  first[size .. " bytes"] = sized(size)
  first[size .. " bytes in chunks"] = chunked(size)
end

local together = {
  ["with it"] = function(conn, bytes) conn:write(bytes .. POISON) end,
  ["right after it"] = function(conn, bytes)
    conn:write(bytes)
    conn:write(POISON)
  end,
  ["cut in two"] = function(conn, bytes)
    conn:write(bytes .. POISON:sub(1, 10))
    task.sleep(0.002)
    conn:write(POISON:sub(11))
  end,
}

local function poisoning(write, bytes, tls)
  return faults.raw(function(conn)
    while true do
      local request = conn:read_request()
      if not request then return end
      if request.target == "/first" then write(conn, bytes) else conn:write(RIGHT) end
    end
  end, { tls = tls })
end

local function ask_first(client, s, method, streaming)
  local res = assert(client:request(method, s.url .. "/first", { stream = streaming or nil }))
  if streaming then assert(res:read_all()) end
end

for _, scheme in ipairs { "http", "https" } do
  for what, bytes in pairs(first) do
    for how, write in pairs(together) do
      describe(("a response sent behind %s (%s, %s)"):format(what, scheme, how), function()
        local method = what:find "HEAD" and "HEAD" or "GET"

        local function start(opts)
          local s = poisoning(write, bytes, scheme == "https" and {} or nil)
          opts.tls = { ca = s.ca }
          return s, faults.client(opts)
        end

        for _, streaming in ipairs { false, true } do
          it("does not answer the next request" .. (streaming and " after a stream" or ""), function()
            local s, client = start {}
            for _ = 1, 3 do
              ask_first(client, s, method, streaming)
              assert.equal("right", assert(client:get(s.url .. "/second")).body)
            end
          end)
        end

        it("does not answer one that waits for the connection", function()
          local s, client = start { limits = { per_origin = 1 } }
          local one = task.spawn(function() ask_first(client, s, method) end)
          local other = task.spawn(function() return assert(client:get(s.url .. "/second")).body end)
          one:join()
          assert.equal("right", other:join())
        end)
      end)
    end
  end
end

describe("a connection", function()
  it("that brought a 204 with a length is not used again", function()
    local s = poisoning(function(conn, bytes) conn:write(bytes) end, first["a 204 that announces a body"])
    local c = faults.client()
    ask_first(c, s, "GET")
    assert.is_false(assert(c:get(s.url .. "/second")).reused)
  end)

  for what, bytes in pairs(first) do
    if not what:find "announces" then
      it("is used again after " .. what .. " and no more", function()
        local s = poisoning(function(conn) conn:write(bytes) end)
        local c = faults.client()
        local method = what:find "HEAD" and "HEAD" or "GET"
        for _, streaming in ipairs { false, true } do
          ask_first(c, s, method, streaming)
          assert.is_true(assert(c:get(s.url .. "/second")).reused)
        end
        assert.equal(1, s:connections())
      end)
    end
  end
end)


-- A server of another process that answers, and does something else a little later; then there is a file.
local SERVER = [[
  local server, task = require "lurcher.server", require "lurcher.task"
  local how, tls, socket, done = ...
  local acts = {
    response = function(conn) conn:write "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned" end,
    part = function(conn) conn:write "HTTP/1.1 200" end,
    close = function(conn) conn:close() end,
    reset = function(conn) conn:reset() end,
  }
  local s = assert(server.raw(function(conn)
    while true do
      local request = conn:read_request()
      if not request then return end
      conn:write "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright"
      if request.target == "/first" then
        task.sleep(0.02)
        acts[how](conn)
        task.sleep(0.01)
        assert(io.open(done, "w")):close()
      end
    end
  end, { tls = tls == "tls" and {} or nil, unix_socket = socket ~= "" and socket or nil }))
  print("url " .. (s.url or "") .. " " .. (s.ca or "") .. " .")
  io.stdout:flush()
  task.sleep(1000)
]]

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

-- Keeps the loop from looking at its connections meanwhile.
local function compute_until(path)
  local ends = os.time() + 20
  while not exists(path) do assert(os.time() < ends, "the server did nothing") end
  os.remove(path)
end

describe("what comes over an idle connection while the script computes", function()
  for _, how in ipairs { "response", "part", "close", "reset" } do
    for _, where in ipairs { "TCP", "TLS", "a Unix socket" } do
      it(("has no effect on the next request: a %s over %s"):format(how, where), function()
        local directory = process.directory()
        task.defer(function() fs.remove(directory, { recursive = true }) end)
        local done, socket = directory .. "/done", where == "a Unix socket" and directory .. "/socket" or ""
        local child = process.start { "-e", SERVER, how, where:lower(), socket, done }
        task.defer(function()
          child:kill "KILL"
          child:wait()
        end)
        child:wait_for " ."
        local url, ca = child.out:match "^url (%S*) (%S*)"
        if socket ~= "" then url = "http://localhost" end
        local client = faults.client { tls = { ca = ca ~= "" and ca or nil },
          unix_socket = socket ~= "" and socket or nil }
        for _, method in ipairs { "GET", "POST" } do
          assert.equal("right", assert(client:get(url .. "/first")).body)
          compute_until(done)
          local res = assert(client:request(method, url .. "/", { body = method == "POST" and "x" or nil }))
          assert.equal("right", res.body)
          assert.is_false(res.reused)
        end
      end)
    end
  end
end)
