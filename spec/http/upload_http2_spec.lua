-- Bodies of requests over HTTP/2: one that fails, or is given up, ends its own stream and no other.

local bit = require "bit"
local faults = require "spec.support.faults"
local files = require "spec.support.files"
local fs = require "lurcher.fs"
local http2 = require "spec.support.http2"
local task = require "lurcher.task"

local SIZE = 20000

local function window(stream, size)
  return http2.frame("WINDOW_UPDATE", 0, stream, string.char(bit.rshift(size, 24), bit.band(bit.rshift(size, 16), 255),
    bit.band(bit.rshift(size, 8), 255), bit.band(size, 255)))
end

-- A server that answers each request with the number of bytes of its body; `state.resets` counts what was given up.
local function counting(state)
  return http2.server(function(connection, number)
    local sizes = {}
    state.resets, state.connections = state.resets or 0, number
    connection.conn:write(window(0, 2 ^ 30))
    while true do
      local frame = connection:next()
      if not frame then return end
      sizes[frame.stream] = sizes[frame.stream] or 0
      if frame.kind == "RST_STREAM" then state.resets = state.resets + 1 end
      if frame.kind == "DATA" then sizes[frame.stream] = sizes[frame.stream] + #frame.payload end
      if (frame.kind == "HEADERS" or frame.kind == "DATA") and bit.band(frame.flags, http2.END_STREAM) == 1 then
        connection:respond(frame.stream, tostring(sizes[frame.stream]))
      end
    end
  end)
end

-- An iterator that gives so many pieces, and then does `last`; the clock between them lets others go on.
local function pieces(count, last)
  local given = 0
  return function()
    given = given + 1
    if given <= count then
      task.sleep(0.001)
      return ("x"):rep(1000)
    end
    return last()
  end
end

-- Runs the bad upload among good ones, all over one connection.
local function among_others(bad)
  local state = {}
  local s = counting(state)
  local client = faults.client { tls = { ca = s.ca } }
  assert.equal("0", assert(client:get(s.url)).body)
  local good = {}
  for i = 1, 6 do
    good[i] = task.spawn(function()
      return assert(client:post(s.url, { body = pieces(SIZE / 1000, function() return nil end) })).body
    end)
  end
  local res, err = bad(client, s.url)
  for i = 1, 6 do assert.equal(tostring(SIZE), good[i]:join()) end
  assert.equal("0", assert(client:get(s.url)).body)
  assert.equal(1, state.connections)
  faults.eventually(function() return state.resets == 1 end, "the reset of the stream")
  return res, err
end

describe("of uploads over one HTTP/2 connection", function()
  before_each(files.begin)
  after_each(files.finish)

  it("one whose iterator returns an error ends alone", function()
    local _, err = among_others(function(client, url)
      return client:post(url, { body = pieces(5, function() return nil, "no more" end) })
    end)
    assert.equal("no more", err)
  end)

  it("one whose iterator raises ends alone", function()
    among_others(function(client, url)
      assert.has_error(function()
        client:post(url, { body = pieces(5, function() error("broken", 0) end) })
      end, "broken")
    end)
  end)

  it("one that is cancelled ends alone", function()
    among_others(function(client, url)
      local reached = task.event()
      local upload = task.spawn(function()
        client:post(url, { body = pieces(5, function()
          reached:set()
          task.sleep(1000)
        end) })
      end)
      reached:wait()
      upload:cancel()
    end)
  end)

  it("one that is out of time ends alone", function()
    local res, err = among_others(function(client, url)
      return client:post(url, { body = pieces(5, function() task.sleep(1000) end), timeout = { total = 0.2 } })
    end)
    faults.check({ kind = "timeout", phase = "total" }, res, err)
  end)

  it("one whose file becomes shorter ends alone", function()
    local path = files.path "a"
    assert(fs.write(path, ("x"):rep(3000000)))
    local res, err = among_others(function(client, url)
      return client:post(url, { multipart = {
        { name = "a", body = pieces(5, function()
          assert(os.execute(("truncate -s 5 %q"):format(path)) == 0)
          return nil
        end) },
        { name = "b", file = path },
      } })
    end)
    faults.check({ kind = "file", phase = "write" }, res, err)
  end)
end)

describe("an upload over HTTP/2 with Expect", function()
  for what, early in pairs { ["at once"] = true, ["when all is sent"] = false } do
    it("that is answered 417 " .. what .. " is sent once more, without", function()
      local heads, bodies = 0, {}
      local s = http2.server(function(connection)
        while true do
          local frame = connection:next()
          if not frame then return end
          local ends = bit.band(frame.flags, http2.END_STREAM) == 1
          if frame.kind == "HEADERS" then
            heads = heads + 1
            bodies[heads] = 0
            connection.refused = heads == 1 and frame.stream
          elseif frame.kind == "DATA" then
            bodies[heads] = bodies[heads] + #frame.payload
          end
          if connection.refused == frame.stream and (early or ends) then
            connection.refused = false
            connection:send("HEADERS", http2.END_HEADERS + http2.END_STREAM, frame.stream,
              http2.block { { ":status", "417" } })
          elseif ends and heads == 2 then
            connection:respond(frame.stream, "done")
          end
        end
      end)
      local client = faults.client { tls = { ca = s.ca } }
      local res = assert(client:post(s.url, { body = ("x"):rep(3000), expect_continue = true }))
      assert.equal(200, res.status)
      assert.equal("done", res.body)
      assert.equal(1, res.attempts)
      assert.equal(2, heads)
      assert.equal(3000, bodies[2])
    end)
  end

  it("whose body cannot be had again makes the 417 the response", function()
    local s = http2.server(function(connection)
      local stream = connection:request()
      connection:send("HEADERS", http2.END_HEADERS + http2.END_STREAM, stream, http2.block { { ":status", "417" } })
      connection:request()
    end)
    local client = faults.client { tls = { ca = s.ca } }
    local res = assert(client:post(s.url, { body = pieces(3, function() return nil end), expect_continue = true }))
    assert.equal(417, res.status)
  end)
end)
