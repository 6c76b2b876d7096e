local serving = require "spec.support.serving"

local connect, eventually, raw = serving.connect, serving.eventually, serving.raw

describe("server.raw", function()
  it("gives the bytes of a request and writes any bytes", function()
    local s = raw(function(conn)
      local req = conn:read_request()
      assert(req.method == "POST" and req.target == "/x" and req.headers.host == "a" and req.body == "abc")
      conn:write(req.text)
    end)
    local client = connect(s)
    local request = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
    client:send(request .. "more")
    assert.equal(request, client:receive_all())
    assert.same({}, s:errors())
    assert.equal(1, #s:requests())
  end)

  it("shows malformed requests as they are", function()
    local seen
    local s = raw(function(conn) seen = conn:read_request() end)
    local client = connect(s)
    client:send("what is this\r\n\r\n")
    client:receive_all()
    assert.equal("what is this\r\n\r\n", seen.text)
    assert.is_string(seen.fault)
  end)

  it("reads counted bytes, lines, and what is there; nil at the end", function()
    local seen = {}
    local s = raw(function(conn)
      seen = { conn:read(3), conn:read_line(), conn:read(), conn:read(100) or "end" }
      conn:write("ok")
    end)
    local client = connect(s)
    client:send("abcline\r\nrest")
    client:shutdown()
    assert.equal("ok", client:receive_all())
    assert.same({ "abc", "line", "rest", "end" }, seen)
  end)

  it("closes with FIN even when input was left unread", function()
    local s = raw(function(conn)
      conn:read(1)
      conn:write("answer")
      conn:close()
    end)
    local client = connect(s)
    client:send(("x"):rep(200000))
    assert.equal("answer", client:receive_all())
  end)

  it("closes with RST", function()
    local s = raw(function(conn)
      conn:read(1)
      conn:reset()
    end)
    local client = connect(s)
    client:send("xyz")
    local all, err = client:receive_all()
    assert.is_nil(all)
    assert.equal("ECONNRESET", err)
  end)

  it("can end one direction only", function()
    local got
    local s = raw(function(conn)
      conn:write("bye")
      conn:shutdown()
      got = conn:read(5)
    end)
    local client = connect(s)
    assert.equal("bye", client:receive_all())
    client:send("later")
    eventually(function() return got end)
    assert.equal("later", got)
  end)

  it("numbers its connections and counts them", function()
    local s = raw(function(conn) conn:write(tostring(conn.number)) end)
    for i = 1, 3 do assert.equal(tostring(i), connect(s):receive_all()) end
    assert.equal(3, s:connections())
  end)

  it("returns an error when writing to a client that is gone", function()
    local err
    local s = raw(function(conn)
      conn:read()
      repeat
        local done
        done, err = conn:write(("x"):rep(100000))
      until not done
    end)
    local client = connect(s)
    client:send("x")
    client:receive(1)
    client:reset()
    eventually(function() return err end)
    assert.equal("closed", err.kind)
  end)

  it("keeps errors of its handler and closes the connection", function()
    local s = raw(function() error("oops") end)
    assert.equal("", connect(s):receive_all())
    assert.truthy(tostring(s:errors()[1]):find("oops", 1, true))
  end)
end)
