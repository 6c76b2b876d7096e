-- client:download: what is written, kept, resumed and refused.

local crypto = require "lurcher.crypto"
local files = require "spec.support.files"
local fs = require "lurcher.fs"
local http = require "lurcher.http"
local json = require "lurcher.json"
local process = require "spec.support.process"
local ranged = require "spec.support.ranged"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

describe("a download", function()
  local folder
  before_each(function() folder = files.begin() end)
  after_each(files.finish)

  local function fetch(origin, opts, path)
    origin.asked = {}
    return http.download(origin.url .. "/file.bin", files.path(path or "a"), opts)
  end

  -- What a first run leaves that broke off.
  local function broken(origin, cut)
    origin.cut = cut or 40000
    local result, err = fetch(origin, { retry = false })
    assert.is_nil(result)
    assert.equal("truncated", err.kind)
    origin.cut = nil
  end

  local function names()
    return table.concat(fs.list(folder), " ")
  end

  it("is a file, of which size, path and SHA-256 are told", function()
    local origin = ranged.start { etag = '"a"' }
    local result = assert(fetch(origin))
    assert.equal(origin.body, files.read "a")
    assert.equal(#origin.body, result.bytes)
    assert.equal(0, result.resumed)
    assert.equal(files.path "a", result.path)
    assert.equal(crypto.sha256(origin.body), result.sha256)
    assert.equal("a", names())
    assert.equal("identity", origin.requests[1].headers["accept-encoding"])
  end)

  it("of no bytes is an empty file", function()
    local origin = ranged.start { body = "", etag = '"a"' }
    assert.equal(0, assert(fetch(origin)).bytes)
    assert.equal(0, assert(fetch(origin, { parts = 4 }, "b")).bytes)
    assert.equal("a b", names())
  end)

  describe("that broke off", function()
    it("leaves a part and what is needed to go on, and goes on", function()
      local origin = ranged.start { etag = '"a"' }
      broken(origin)
      assert.equal("a.part a.part.info", names())
      assert.equal(origin.body:sub(1, 40000), files.read "a.part")
      assert.equal('"a"', json.decode(files.read "a.part.info").validator)
      local result = assert(fetch(origin, { sha256 = crypto.sha256(origin.body) }))
      assert.same({ "bytes=40000-" }, origin.asked)
      assert.equal('"a"', origin.requests[2].headers["if-range"])
      assert.equal(40000, result.resumed)
      assert.equal(#origin.body, result.bytes)
      assert.equal(origin.body, files.read "a")
      assert.equal("a", names())
    end)

    it("goes on within the call, and only attempts that brought nothing count", function()
      local origin = ranged.start { etag = '"a"', cut = 15000 }
      local result = assert(fetch(origin, { retry = { attempts = 2, base = 0.001 } }))
      assert.equal(origin.body, files.read "a")
      assert.equal(7, #origin.asked)
      assert.equal(0, result.resumed)
    end)

    it("gives up when attempts bring nothing", function()
      local origin = ranged.start { etag = '"a"', cut = 15000 }
      origin.before = function(self) if #self.asked > 1 then self.cut = 0 end end
      local result, err = fetch(origin, { retry = { attempts = 3, base = 0.001 } })
      assert.is_nil(result)
      assert.equal("truncated", err.kind)
      assert.equal(4, #origin.asked) -- one that brought something, three that did not
    end)

    it("gives up when the server has no ranges and it never comes further", function()
      local origin = ranged.start { cut = 15000, ignores_ranges = true }
      local result, err = fetch(origin, { retry = { attempts = 3, base = 0.001 } })
      assert.is_nil(result)
      assert.equal("truncated", err.kind)
      assert.equal(4, #origin.asked)
    end)

    it("goes on after the process was killed", function()
      local origin = ranged.start { etag = '"a"', cut = 70000, stalls = true }
      local script = ("require('lurcher.http').download(%q, %q)"):format(origin.url .. "/file.bin", files.path "a")
      local child = process.start { "-e", script }
      serving.eventually(function() return (fs.read(files.path "a.part") or "") ~= "" end)
      child:kill "KILL"
      child:wait()
      origin.cut = nil
      local there = #files.read "a.part"
      assert.equal(there, assert(fetch(origin)).resumed)
      assert.equal(origin.body, files.read "a")
      assert.equal("a", names())
    end)

    it("starts anew when the file changed", function()
      local origin = ranged.start { etag = '"a"' }
      broken(origin)
      origin.etag, origin.body = '"b"', ranged.bytes(90000, 2)
      assert.equal(0, assert(fetch(origin)).resumed)
      assert.equal(origin.body, files.read "a")
    end)

    it("starts anew for another URL, though its ETag is the same", function()
      local origin = ranged.start { etag = '"a"' }
      broken(origin)
      origin.asked = {}
      assert.equal(0, assert(http.download(origin.url .. "/other", files.path "a")).resumed)
      assert.same({ "-" }, origin.asked)
    end)

    it("starts anew without a strong validator", function()
      local now = "Sun, 06 Nov 1994 08:49:37 GMT"
      for _, case in ipairs {
        { etag = 'W/"a"' }, {}, { headers = { ["Last-Modified"] = now } },
        { headers = { ["Last-Modified"] = now, Date = now } },
        { headers = { ["Last-Modified"] = "Sun, 06 Nov 1994 08:48:38 GMT", Date = now } },
        { etag = 'W/"a"', headers = { ["Last-Modified"] = "Sat, 05 Nov 1994 08:49:37 GMT", Date = now } },
      } do
        local origin = ranged.start(case)
        broken(origin)
        assert.equal(0, assert(fetch(origin)).resumed)
        assert.same({ "-" }, origin.asked)
        assert.equal(origin.body, files.read "a")
        assert(fs.remove(files.path "a"))
      end
    end)

    it("goes on by a Last-Modified that is a minute older than the Date", function()
      local origin = ranged.start { headers = { ["Last-Modified"] = "Sun, 06 Nov 1994 08:48:37 GMT",
        Date = "Sun, 06 Nov 1994 08:49:37 GMT" } }
      broken(origin)
      assert.equal(40000, assert(fetch(origin)).resumed)
      assert.equal("Sun, 06 Nov 1994 08:48:37 GMT", origin.requests[2].headers["if-range"])
      assert.equal(origin.body, files.read "a")
    end)

    it("starts anew on an answer of another range, length, file or form", function()
      local wrong = {
        "bytes 39900-99999/100000", "bytes 40001-99999/100000", "bytes 40000-99999/100001", "bytes 40000-100000/100000",
        "bytes 40000-99998/100000", "bytes */100000", "40000-99999/100000", "bytes 40000-39999/100000", "",
        'bytes 40000-99999/100000\r\nETag: "b"',
        "\r\nContent-Type: multipart/byteranges; boundary=x",
      }
      for _, content_range in ipairs(wrong) do
        local origin = ranged.start { etag = '"a"' }
        broken(origin)
        origin.answer = function(self, request)
          if not request.headers.range then return nil end
          local own = content_range:find "ETag" and "" or 'ETag: "a"\r\n'
          return ("HTTP/1.1 206 Partial Content\r\n%sContent-Range: %s\r\nContent-Length: 60000\r\n\r\n")
            :format(own, content_range), self.body:sub(40001)
        end
        local result = assert(fetch(origin))
        assert.equal(0, result.resumed)
        assert.same({ "bytes=40000-", "-" }, origin.asked)
        assert.equal(origin.body, files.read "a")
        assert(fs.remove(files.path "a"))
      end
    end)

    it("is complete when the server has nothing beyond it", function()
      local origin = ranged.start { etag = '"a"' }
      broken(origin)
      assert(fs.write(files.path "a.part", origin.body))
      local result = assert(fetch(origin))
      assert.equal(#origin.body, result.resumed)
      assert.equal(origin.body, files.read "a")
      assert.same({ "bytes=100000-" }, origin.asked)
    end)

    it("starts anew on a 416 of another length, or of none", function()
      for _, line in ipairs { "Content-Range: bytes */39999\r\n", "Content-Range: bytes */100\r\n", "" } do
        local origin = ranged.start { etag = '"a"' }
        broken(origin)
        origin.answer = function(_, request)
          if request.headers.range then
            return ("HTTP/1.1 416 No\r\nContent-Length: 0\r\n%s\r\n"):format(line), ""
          end
        end
        assert.equal(0, assert(fetch(origin)).resumed)
        assert.equal(origin.body, files.read "a")
        assert(fs.remove(files.path "a"))
      end
    end)

    it("takes a range that ends early for a piece of it", function()
      local origin = ranged.start { etag = '"a"' }
      broken(origin)
      origin.answer = function(self, request)
        local from = tonumber((request.headers.range or ""):match "bytes=(%d+)")
        if not from then return nil end
        local last = math.min(from + 24999, 99999)
        return ("HTTP/1.1 206 P\r\nETag: \"a\"\r\nContent-Range: bytes %d-%d/100000\r\nContent-Length: %d\r\n\r\n")
          :format(from, last, last - from + 1), self.body:sub(from + 1, last + 1)
      end
      assert.equal(40000, assert(fetch(origin)).resumed)
      assert.equal(origin.body, files.read "a")
      assert.equal(3, #origin.asked)
    end)

    it("does not trust an info that is none, or a part that is longer than the file", function()
      for _, spoil in ipairs {
        function() assert(fs.write(files.path "a.part.info", "{")) end,
        function() assert(fs.write(files.path "a.part.info", ("x"):rep(100000))) end,
        function() assert(fs.write(files.path "a.part.info", '{"lurcher_download":2}')) end,
        function() assert(fs.remove(files.path "a.part.info")) end,
        function() assert(fs.remove(files.path "a.part")) end,
        function() assert(fs.write(files.path "a.part", ("x"):rep(100001))) end,
      } do
        local origin = ranged.start { etag = '"a"' }
        broken(origin)
        spoil()
        assert.equal(0, assert(fetch(origin)).resumed)
        assert.equal(origin.body, files.read "a")
        assert(fs.remove(files.path "a"))
      end
    end)

    it("by cancellation at any instant lets go of its path", function()
      local origin = ranged.start { etag = '"a"', body = ranged.bytes(300000) }
      for i = 0, 60 do
        local result, err = task.timeout(i * 0.0003, fetch, origin)
        assert.is_true(result ~= nil or err.phase == "task", tostring(err))
        serving.eventually(function() return not names():find("lock", 1, true) end)
      end
      assert(fetch(origin))
      assert.equal(origin.body, files.read "a")
      assert.equal("a", names())
    end)

    it("by cancellation keeps what came", function()
      local origin = ranged.start { etag = '"a"', cut = 60000, stalls = true }
      local result, err = task.timeout(0.3, fetch, origin)
      assert.is_nil(result)
      assert.equal("timeout", err.kind)
      assert.equal("a.part a.part.info", names())
      origin.cut = nil
      assert.equal(60000, assert(fetch(origin)).resumed)
      assert.equal(origin.body, files.read "a")
    end)
  end)

  describe("is refused", function()
    local function kind_of(origin, opts, path)
      local result, err = fetch(origin, opts, path)
      assert.is_nil(result)
      return err.kind, err
    end

    it("with kind status, and leaves nothing", function()
      for _, status in ipairs { 404, 500, 416, 304, 300 } do
        local origin = ranged.start { answer = function()
          return ("HTTP/1.1 %d No\r\nContent-Length: %d\r\n\r\n"):format(status, status == 304 and 0 or 4),
            status == 304 and "" or "text"
        end }
        local kind, err = kind_of(origin, { retry = false })
        assert.equal("status", kind)
        assert.equal(status, err.response.status)
        assert.equal("", names())
      end
    end)

    it("with kind status, and keeps the part", function()
      local origin = ranged.start { etag = '"a"' }
      broken(origin)
      origin.answer = function() return "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "" end
      assert.equal("status", (kind_of(origin)))
      origin.answer = nil
      assert.equal(40000, assert(fetch(origin)).resumed)
    end)

    it("with kind protocol where there is no file, or a part that nobody asked for", function()
      for _, head in ipairs { "204 No Content\r\n", "205 Reset\r\nContent-Length: 0\r\n",
        "206 P\r\nContent-Range: bytes 0-3/4\r\nContent-Length: 4\r\n" } do
        local origin = ranged.start { answer = function()
          return "HTTP/1.1 " .. head .. "\r\n", head:find "206" and "text" or ""
        end }
        assert.equal("protocol", (kind_of(origin)))
        assert.equal("", names())
      end
    end)

    it("with kind checksum when size or SHA-256 are others, and leaves nothing", function()
      for _, opts in ipairs { { size = 99999 }, { size = 100001 }, { sha256 = ("0"):rep(64) } } do
        for _, headers in ipairs { { etag = '"a"' }, { chunked = true } } do
          local origin = ranged.start { etag = '"a"', answer = headers.chunked and function(self)
            return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
              ("%x\r\n"):format(#self.body) .. self.body .. "\r\n0\r\n\r\n"
          end }
          assert.equal("checksum", (kind_of(origin, opts)))
          assert.equal("", names())
        end
      end
    end)

    it("with kind file where there can be none", function()
      local origin = ranged.start {}
      assert(fs.mkdir(files.path "folder"))
      for path, code in pairs { folder = "EISDIR", ["missing/a"] = "ENOENT", ["missing/"] = "ENOENT" } do
        local kind, err = kind_of(origin, nil, path)
        assert.equal("file", kind)
        assert.equal(code, err.code)
      end
      local result, err = http.download(origin.url, "/dev/full")
      assert.is_nil(result)
      assert.equal("file", err.kind)
      assert.equal(0, #origin.asked)
    end)

    it("with kind file while another has the same path", function()
      local origin = ranged.start { etag = '"a"', cut = 10, stalls = true }
      local first = task.spawn(fetch, origin)
      serving.eventually(function() return #origin.asked == 1 end)
      local _, err = kind_of(origin)
      assert.equal("file", err.kind)
      assert.equal("EWOULDBLOCK", err.code)
      first:cancel()
    end)
  end)

  it("stores a coding that nobody asked for as it came", function()
    local origin = ranged.start { body = "not gzip", headers = { ["Content-Encoding"] = "gzip" } }
    assert(fetch(origin))
    assert.equal("not gzip", files.read "a")
  end)

  it("keeps the mode of a file that it replaces, and follows a link", function()
    assert(fs.write(files.path "b", "old"))
    os.execute(("chmod 600 %s; ln -s b %s"):format(files.path "b", files.path "a"))
    local origin = ranged.start {}
    assert(fetch(origin))
    assert.equal(origin.body, files.read "b")
    assert.equal(384, (select(2, require("lurcher.native.fs").read(files.path "b", 1e9)))) -- 0600
  end)

  it("tells how far it is", function()
    local origin, last = ranged.start { etag = '"a"' }, nil
    broken(origin)
    assert(fetch(origin, { progress = function(p) last = p end }))
    assert.same({ sent = 0, received = 100000, total = 100000 }, last)
  end)

  it("follows redirects, passes middleware once, and gets what one answers", function()
    local origin, calls = ranged.start { etag = '"a"', cut = 30000 }, 0
    local redirecting = serving.start(function()
      return { status = 302, headers = { Location = origin.url .. "/there" } }
    end)
    local client = http.client { retry = { base = 0.001 }, middleware = { function(request, next)
      calls = calls + 1
      if request.url:find "answered" then return { status = 200, body = "mine" } end
      return next(request)
    end } }
    assert(client:download(redirecting.url, files.path "a"))
    assert.equal(origin.body, files.read "a")
    assert.equal(1, calls)
    local result = assert(client:download(redirecting.url .. "/answered", files.path "b"))
    assert.equal(4, result.bytes)
    assert.equal("mine", files.read "b")
    client:close()
  end)

  it("may be sent again by a middleware", function()
    local origin = ranged.start { etag = '"a"' }
    local client = http.client { middleware = { function(request, next)
      assert(next(request))
      return next(request)
    end } }
    assert.equal(#origin.body, assert(client:download(origin.url, files.path "a")).bytes)
    assert.equal(2, #origin.asked)
    assert.equal(origin.body, files.read "a")
    assert.equal("a", names())
    client:close()
  end)

  it("follows no link where its part or what it knows of that should be", function()
    local origin = ranged.start { etag = '"a"' }
    assert(fs.write(files.path "mine", "kept"))
    for _, name in ipairs { "a.part", "a.part.info", "a.part.lock" } do
      os.execute(("ln -s mine %s"):format(files.path(name)))
      local result, err = fetch(origin)
      assert.is_nil(result)
      assert.equal("file", err.kind)
      assert.equal("kept", files.read "mine")
      os.remove(files.path(name))
    end
  end)

  it("raises for a client that raises, and on mistakes", function()
    local origin = ranged.start { answer = function() return "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "" end }
    local client = http.client { raise = true, base_url = origin.url }
    local ok, err = pcall(client.download, client, "x", files.path "a")
    assert.is_false(ok)
    assert.equal("status", err.kind)
    client:close()
    for opts, message in pairs {
      [{ sha265 = "x" }] = "unknown option 'sha265'; did you mean 'sha256'?",
      [{ checksum = "x" }] = "unknown option 'checksum'; it is written sha256",
      [{ sha256 = "x" }] = "option 'sha256' must be 64 hexadecimal digits",
      [{ size = 1.5 }] = "option 'size' must be a whole number of at least 0",
      [{ size = 2 ^ 54 }] = "option 'size' must be a whole number of at least 0",
      [{ parts = 0 }] = "option 'parts' must be a whole number from 1 to 64",
      [{ stream = true }] = "option 'stream' is not for downloads",
      [{ headers = { Range = "bytes=1-" } }] = "header 'Range' is the download's own",
    } do
      local _, raised = pcall(http.download, origin.url, files.path "a", opts)
      assert.matches(message, tostring(raised), 1, true)
    end
    assert.has_error(function() http.download(origin.url, "") end)
  end)

  it("has no limit of the total time unless one is given", function()
    local origin = ranged.start { cut = 10, stalls = true }
    local _, err = fetch(origin, { timeout = { total = 0.2 } })
    assert.equal("total", err.phase)
    local client = http.client { timeout = 0.2 }
    _, err = client:download(origin.url, files.path "a")
    assert.equal("total", err.phase)
    client:close()
  end)

  describe("into a folder", function()
    local function into(origin, path, opts)
      return http.download(origin.url .. path, folder .. "/", opts)
    end

    it("has the name that the server gives, else that of the URL", function()
      local origin = ranged.start { headers = { ["Content-Disposition"] = "attachment; filename=\"../../x y.txt\"" } }
      assert.equal(files.path "x y.txt", assert(into(origin, "/file")).path)
      origin.headers = nil
      assert.equal(files.path "ä b.tar.gz", assert(into(origin, "/d/%C3%A4%20b.tar.gz?q=/c")).path)
      assert.equal(files.path "download", assert(into(origin, "/")).path)
      assert.equal(files.path "passwd", assert(into(origin, "/..%2f..%2fpasswd")).path)
    end)

    it("overwrites nothing unless it may", function()
      local origin = ranged.start {}
      for _, name in ipairs { "a.tar.gz", "a (1).tar.gz", "a (2).tar.gz" } do
        assert.equal(files.path(name), assert(into(origin, "/a.tar.gz")).path)
      end
      assert.equal(files.path "a.tar.gz", assert(into(origin, "/a.tar.gz", { overwrite = true })).path)
      assert.equal("a (1).tar.gz a (2).tar.gz a.tar.gz", names())
    end)

    it("takes no file for a part that no download left", function()
      local origin = ranged.start {}
      assert(fs.write(files.path "a.part", "mine"))
      assert.equal(files.path "a (1)", assert(into(origin, "/a")).path)
      assert.equal("mine", files.read "a.part")
      assert.equal(files.path "b.part_", assert(into(origin, "/b.part")).path)
    end)

    it("gives two at once two names", function()
      local origin = ranged.start {}
      local first, second = task.all {
        function() return assert(into(origin, "/a")).path end, function() return assert(into(origin, "/a")).path end }
      assert.not_equal(first, second)
      assert.equal("a a (1)", names())
    end)

    it("goes on with what an earlier run left there", function()
      local origin = ranged.start { etag = '"a"', cut = 30000 }
      assert.is_nil(into(origin, "/a", { retry = false }))
      origin.cut, origin.asked = nil, {}
      assert.equal(30000, assert(into(origin, "/a")).resumed)
      assert.same({ "-", "bytes=30000-" }, origin.asked)
      assert.equal(origin.body, files.read "a")
    end)
  end)

  describe("in parts", function()
    it("fetches ranges side by side", function()
      local origin = ranged.start { etag = '"a"', body = ranged.bytes(400000) }
      local result = assert(fetch(origin, { parts = 4, sha256 = crypto.sha256(origin.body) }))
      assert.equal(5, #origin.asked)
      assert.equal(origin.body, files.read "a")
      assert.equal(400000, result.bytes)
      assert.equal("a", names())
    end)

    it("goes on with each", function()
      local origin = ranged.start { etag = '"a"', body = ranged.bytes(400000), cut = 70000, stalls = true }
      local result = task.timeout(0.5, fetch, origin, { parts = 4 })
      assert.is_nil(result)
      local info = json.decode(files.read "a.part.info")
      assert.equal(4, #info.segments)
      origin.cut = nil
      result = assert(fetch(origin, { parts = 2 }))
      assert.equal(65536 + 4 * 70000, result.resumed)
      assert.equal(4, #origin.asked)
      assert.equal(origin.body, files.read "a")
    end)

    it("starts anew, as one, when the file changes between them", function()
      for _, changed in ipairs {
        function(self) self.etag, self.body = '"b"', ranged.bytes(300000, 5) end, -- If-Range gives the whole of it
        function(self) -- a server that does not know If-Range
          self.etag, self.body = '"b"', ranged.bytes(300000, 5)
          self.answer = function(_, request)
            local from, last = (request.headers.range or ""):match "bytes=(%d+)-(%d+)"
            if not from then return nil end
            from, last = tonumber(from), tonumber(last)
            return ("HTTP/1.1 206 P\r\nETag: \"b\"\r\nContent-Range: bytes %d-%d/300000\r\nContent-Length: %d\r\n\r\n")
              :format(from, last, last - from + 1), self.body:sub(from + 1, last + 1)
          end
        end,
      } do
        local origin = ranged.start { etag = '"a"', body = ranged.bytes(300000) }
        origin.before = function(self) if #self.asked == 3 then changed(self) end end
        local result = assert(fetch(origin, { parts = 4 }))
        assert.equal(300000, result.bytes)
        assert.equal(origin.body, files.read "a")
        assert.equal("-", origin.asked[#origin.asked])
        assert(fs.remove(files.path "a"))
      end
    end)

    it("is one stream where the server has no ranges or no strong validator", function()
      local origin = ranged.start { etag = '"a"', ignores_ranges = true }
      assert(fetch(origin, { parts = 4 }))
      assert.equal(1, #origin.asked)
      origin = ranged.start { etag = 'W/"a"' }
      assert(fetch(origin, { parts = 4 }, "b"))
      assert.same({ "bytes=0-65535", "-" }, origin.asked)
      assert.equal(origin.body, files.read "b")
    end)
  end)
end)
