-- What other HTTP clients make of lurcher.server.

local fs = require "lurcher.fs"
local process = require "spec.support.process"
local server = require "lurcher.server"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

local BODY = ("0123456789"):rep(1000)

local function chunks()
  local left = 3
  return function()
    left = left - 1
    return left >= 0 and "chunk" .. left or nil
  end
end

local function start(opts)
  local folder = process.directory()
  task.defer(function() assert(fs.remove(folder, { recursive = true })) end)
  assert(fs.write(folder .. "/a.txt", BODY))
  return serving.start(server.routes {
    ["GET /json"] = { json = { id = 7 } },
    ["GET /chunked"] = function() return { body = chunks() } end,
    ["GET /users/{id}"] = function(req) return req.params.id end,
    ["POST /echo"] = function(req) return { body = req.body, status = 201 } end,
    ["/files/{path*}"] = server.folder(folder),
  }, opts), folder
end

local function shell(command, ...)
  local out, status = process.shell("exec 2>&1; " .. command, ...)
  assert.equal(0, status, out)
  return out
end

describe("lurcher.server agrees with", function()
  it("curl: routes, ranges, validators, downloads that go on, HEAD, and one connection for all", function()
    local s, folder = start()
    local out = shell([[cd "$2" && curl -sS -D head -o got "$1/files/a.txt" && cmp got a.txt &&
      head -c 3000 a.txt > cut && curl -sS -C - -o cut "$1/files/a.txt" && cmp cut a.txt &&
      curl -sS -r 2-4,-2 "$1/files/a.txt" | tr -d '\r' | grep -c '^Content-Range' &&
      curl -sS --etag-save tag -o first "$1/files/a.txt" &&
      curl -sS --etag-compare tag -w '%{http_code}' -o second "$1/files/a.txt" && echo &&
      curl -sSI "$1/files/a.txt" | tr -d '\r' | grep Content-Length &&
      curl -sS --path-as-is -w '%{http_code}' -o third "$1/files/../../etc/passwd" && echo &&
      curl -sS "$1/json" "$1/chunked" "$1/users/a%20b" -d x -X GET -w ' %{num_connects}']], s.url, folder)
    assert.equal("2\n304\nContent-Length: 10000\n404\n" .. '{"id":7} 1chunk2chunk1chunk0 0a b 0', out)
  end)

  it("curl: TLS with a client's certificate, and none", function()
    local folder = process.directory()
    task.defer(function() assert(fs.remove(folder, { recursive = true })) end)
    shell([[cd "$1" && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
      -keyout key.pem -out cert.pem -subj /CN=client -days 2]], folder)
    local s = start { tls = { client_ca = folder .. "/cert.pem" } }
    local out = shell([[curl -sS --cacert "$2" --cert "$3/cert.pem" --key "$3/key.pem" "$1/json"]], s.url, s.ca, folder)
    assert.equal('{"id":7}', out)
    local _, status = process.shell([[curl -sS --cacert "$2" "$1/json" 2>&1]], s.url, s.ca)
    assert.equal(56, status)
  end)

  it("Python's http.client: one connection, chunks both ways, HEAD, 100 Continue", function()
    local s = start()
    local out = shell([[python3 - "$1" <<'END'
import http.client, sys
c = http.client.HTTPConnection(sys.argv[1][7:])
def ask(*args, **more):
    c.request(*args, **more)
    r = c.getresponse()
    return r.status, r.read().decode()[:20]
print(ask("GET", "/json"), ask("GET", "/chunked"), ask("HEAD", "/files/a.txt"),
      ask("POST", "/echo", body=iter([b"one ", b"two"]), encode_chunked=True),
      ask("POST", "/echo", body="x" * 3, headers={"Expect": "100-continue"}), ask("GET", "/none"), ask("PUT", "/json"))
END]], s.url)
    assert.equal("(200, '{\"id\":7}') (200, 'chunk2chunk1chunk0') (200, '') (201, 'one two') (201, 'xxx') "
      .. "(404, 'no route for GET /no') (405, '')\n", out)
    assert.equal(1, s:connections())
  end)

  it("node: fetch, streams, and an agent that keeps its connection", function()
    local s = start()
    local out = shell([[node - "$1" <<'END'
const http = require("http"), agent = new http.Agent({ keepAlive: true, maxSockets: 1 }), url = process.argv[2]
const get = path => new Promise((done, fail) => http.get(url + path, { agent }, res => {
  let text = ""
  res.on("data", piece => text += piece).on("end", () => done(text.slice(0, 20)))
}).on("error", fail))
const main = async () => {
  const texts = [await get("/json"), await get("/chunked"), await get("/users/b")]
  agent.destroy()
  const res = await fetch(url + "/echo", { method: "POST", body: "by fetch", headers: { Connection: "close" } })
  console.log(...texts, res.status, await res.text())
}
main()
END]], s.url)
    assert.equal('{"id":7} chunk2chunk1chunk0 b 201 by fetch\n', out)
    assert.equal(2, s:connections())
  end)

  it("ab: kept connections, and none fails", function()
    local s = start()
    local out = shell([[ab -q -k -n 400 -c 8 "$1/files/a.txt"]], s.url)
    assert.equal("400", out:match "Complete requests:%s+(%d+)")
    assert.equal("0", out:match "Failed requests:%s+(%d+)")
    assert.equal("400", out:match "Keep%-Alive requests:%s+(%d+)")
    assert.equal(8, s:connections())
  end)
end)
