-- multipart/form-data as browsers write it, and as the parsers of others read it.

local child = require "spec.support.process"
local crypto = require "lurcher.crypto"
local faults = require "spec.support.faults"
local files = require "spec.support.files"
local fs = require "lurcher.fs"
local http = require "lurcher.http"
local json = require "lurcher.json"
local process = require "lurcher.process"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

local function mirror()
  return serving.start(function(req)
    return { headers = { ["X-Type"] = req.headers["content-type"], ["X-Length"] = req.headers["content-length"],
      ["X-Coding"] = req.headers["transfer-encoding"] }, body = req.body }
  end)
end

local function sent(parts, opts)
  opts = opts or {}
  opts.multipart = parts
  local res = assert(faults.client():post(mirror().url, opts))
  local boundary = res.headers["X-Type"]:match 'boundary="?([^;"]+)'
  return res.body:gsub(boundary:gsub("%p", "%%%0"), "B"), res
end

local function giving(...)
  local list, i = { ... }, 0
  return function()
    i = i + 1
    return list[i]
  end
end

describe("multipart", function()
  before_each(files.begin)
  after_each(files.finish)

  it("writes fields, files and what iterators give", function()
    assert(fs.write(files.path "cat.JPG", "meow"))
    local text = sent {
      { name = "a", value = "1" }, { name = "n", value = 2.5 }, { name = "b", value = true },
      { name = "photo", file = files.path "cat.JPG" },
      { name = "part", file = http.file(files.path "cat.JPG", { offset = 1, length = 2 }), filename = "x.json" },
      { name = "i", body = giving("on", "e"), type = "text/plain", headers = { ["X-Own"] = "1" } },
      { name = "s", body = "two", filename = "data" },
    }
    assert.equal(table.concat({
      '--B', 'Content-Disposition: form-data; name="a"', '', '1',
      '--B', 'Content-Disposition: form-data; name="n"', '', '2.5',
      '--B', 'Content-Disposition: form-data; name="b"', '', 'true',
      '--B', 'Content-Disposition: form-data; name="photo"; filename="cat.JPG"', 'Content-Type: image/jpeg', '', 'meow',
      '--B', 'Content-Disposition: form-data; name="part"; filename="x.json"', 'Content-Type: application/json', '',
      'eo',
      '--B', 'Content-Disposition: form-data; name="i"', 'Content-Type: text/plain', 'X-Own: 1', '', 'one',
      '--B', 'Content-Disposition: form-data; name="s"; filename="data"', 'Content-Type: application/octet-stream', '',
      'two', '--B--', '' }, "\r\n"), text)
  end)

  it("tells its length where it can be known, and is chunked else", function()
    assert(fs.write(files.path "a", ("x"):rep(300000)))
    local _, known = sent { { name = "a", file = files.path "a" }, { name = "b", value = "c" } }
    assert.equal(tostring(#known.body), known.headers["X-Length"])
    local _, unknown = sent { { name = "a", file = files.path "a" }, { name = "b", body = giving "c" } }
    assert.is_nil(unknown.headers["X-Length"])
    assert.equal("chunked", unknown.headers["X-Coding"])
    assert.is_true(#unknown.body > 300000)
  end)

  it("escapes names as browsers do", function()
    local text = sent { { name = 'a"b\r\nc\\ü', value = "" }, { name = "l\ni\rn", value = "" },
      { name = "f", value = "", filename = 'q".txt\r\nX: y' } }
    assert.matches('name="a%22b%0D%0Ac\\ü"\r\n', text, 1, true)
    assert.matches('name="l%0D%0Ai%0D%0An"\r\n', text, 1, true)
    assert.matches('filename="q%22.txt%0D%0AX: y"\r\n', text, 1, true)
  end)

  it("of no parts is its end alone", function()
    assert.equal("--B--\r\n", (sent {}))
  end)

  it("has another boundary each time", function()
    local _, first = sent { { name = "a", value = "" } }
    local _, second = sent { { name = "a", value = "" } }
    assert.not_equal(first.headers["X-Type"], second.headers["X-Type"])
    assert.matches("^multipart/form%-data; boundary=lurcher%-%x+$", first.headers["X-Type"])
  end)

  it("takes a Content-Type of that kind, with its boundary, and no other", function()
    local parts = { { name = "a", value = "1" } }
    local _, res = sent(parts, { headers = { ["content-type"] = "multipart/form-data; boundary=own-1" } })
    assert.equal("multipart/form-data; boundary=own-1", res.headers["X-Type"])
    assert.matches("^%-%-own%-1\r\n", res.body)
    _, res = sent(parts, { headers = { ["Content-Type"] = "multipart/form-data" } })
    assert.matches("^multipart/form%-data; boundary=lurcher%-%x+$", res.headers["X-Type"])
    for _, wrong in ipairs { "text/plain", "multipart/mixed", "multipart/form-datax", "application/json" } do
      assert.error_matches(function()
        http.post("http://127.0.0.1:1/", { multipart = parts, headers = { ["Content-Type"] = wrong } })
      end, "Content%-Type beside multipart must be multipart/form%-data")
    end
  end)

  for what, parts in pairs {
    ["part 1: the name is missing"] = { { value = "a" } },
    ["part 1: one of value, file and body is missing"] = { { name = "a" } },
    ["part 2: 'value' and 'file' exclude each other"] = { { name = "a", value = "" },
      { name = "a", value = "", file = "x" } },
    ["part 1 must be a table"] = { "a" },
    ["did you mean 'filename'"] = { { name = "a", value = "", filenam = "x" } },
    ["control character"] = { { name = "a", value = "", type = "text/plain\r\nX: y" } },
    ["Content-Disposition is made"] = { { name = "a", value = "", headers = { ["Content-Disposition"] = "x" } } },
    ["must be a string, http.file(path) or an iterator"] = { { name = "a", body = {} } },
  } do
    it("raises: " .. what, function()
      local ok, err = pcall(http.post, "http://127.0.0.1:1/", { multipart = parts })
      assert.is_false(ok)
      assert.matches(what, tostring(err), 1, true)
    end)
  end

  it("raises beside another body", function()
    assert.error_matches(function() http.post("http://127.0.0.1:1/", { multipart = {}, body = "a" }) end,
      "exclude each other")
  end)

  it("with a file that is missing is kind 'file' before anything is sent", function()
    faults.check({ kind = "file", attempts = 0, message = "ENOENT" },
      faults.client():post("http://127.0.0.1:1/", { multipart = { { name = "a", file = files.path "none" } } }))
  end)

  it("is sent again to where a 307 leads, unless an iterator is among its parts", function()
    assert(fs.write(files.path "a", "meow"))
    local s = serving.start(function(req)
      if req.path == "/end" then return { body = req.body } end
      return { status = 307, headers = { Location = "/end" } }
    end)
    local res = assert(faults.client():put(s.url, { multipart = { { name = "a", file = files.path "a" } } }))
    assert.matches("meow", res.body)
    faults.check({ kind = "redirect" },
      faults.client():put(s.url, { multipart = { { name = "a", body = giving "meow" } } }))
  end)

  -- A program that reads what was sent from a file and prints { name, filename, type, sha256 } of each part as JSON.
  local readers = {
    ["Python's email"] = { "/usr/bin/python3", [[
import sys, json, hashlib, email.parser, email.policy, urllib.parse
data = open(sys.argv[1], "rb").read()
m = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
  b"Content-Type: " + sys.argv[2].encode() + b"\r\n\r\n" + data)
print(json.dumps([[p.get_param("name", header="content-disposition"), p.get_filename(),
  p["content-type"] or "", hashlib.sha256(p.get_payload(decode=True)).hexdigest()] for p in m.iter_parts()]))
]] },
    ["werkzeug"] = { "/usr/bin/python3", [[
import sys, json, hashlib, io
from werkzeug.formparser import parse_form_data
data = open(sys.argv[1], "rb").read()
_, form, files = parse_form_data({"wsgi.input": io.BytesIO(data), "CONTENT_LENGTH": str(len(data)),
  "CONTENT_TYPE": sys.argv[2], "REQUEST_METHOD": "POST"})
out = [[k, None, "", hashlib.sha256(v.encode()).hexdigest()] for k, v in form.items(multi=True)]
out += [[k, f.filename, f.content_type, hashlib.sha256(f.read()).hexdigest()] for k, f in files.items(multi=True)]
print(json.dumps(out))
]] },
    ["node"] = { "/usr/bin/node", [[
const fs = require('fs'), crypto = require('crypto');
const hash = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');
(async () => {
  const headers = { 'content-type': process.argv[3] };
  const form = await new Response(fs.readFileSync(process.argv[2]), { headers }).formData();
  const out = [];
  for (const [name, value] of form)
    out.push(typeof value === 'string' ? [name, null, '', hash(value)]
      : [name, value.name, value.type, hash(Buffer.from(await value.arrayBuffer()))]);
  console.log(JSON.stringify(out));
})();
]] },
  }

  for name, reader in pairs(readers) do
    it("is read by " .. name, function()
      local bytes = crypto.random(100000):gsub("[\128-\255]", "\r\n--")
      assert(fs.write(files.path "a.bin", bytes))
      local _, res = sent { { name = "field", value = "välue" }, { name = "fi-le", file = files.path "a.bin" },
        { name = "it", body = giving("a", "b"), filename = "n ü.csv" } }
      assert(fs.write(files.path "body", res.body))
      assert(fs.write(files.path "reader", reader[2]))
      local done = assert(process.run(reader[1], { files.path "reader", files.path "body", res.headers["X-Type"] },
        { env = { NODE_NO_WARNINGS = "1" } }))
      assert.equal("", done.stderr)
      local function hash(text) return crypto.sha256(text) end
      local list = assert(json.decode(done.stdout))
      for i, wanted in ipairs { { "field", false, "", hash "välue" },
        { "fi-le", "a.bin", "application/octet-stream", hash(bytes) }, { "it", "n ü.csv", "text/csv", hash "ab" } } do
        assert.equal(wanted[1], list[i][1])
        assert.equal(wanted[2], type(list[i][2]) == "string" and list[i][2])
        assert.equal(wanted[3], list[i][3]:gsub(";.*", ""))
        assert.equal(wanted[4], list[i][4])
      end
    end)
  end

  it("shows by name to middleware", function()
    local seen
    local client = faults.client { middleware = { function(request, next)
      seen = tostring(request.body)
      return next(request)
    end } }
    assert(client:post(mirror().url, { multipart = { { name = "a", value = "1" }, { name = "b", value = "1" } } }))
    assert.equal("multipart of 2 parts", seen)
  end)
end)

it("a multipart body of many files holds no more of them than it reads", function()
  files.begin()
  task.defer(files.finish)
  assert(fs.write(files.path "a", ("x"):rep(200000)))
  local s = serving.raw(function(conn)
    conn:read_head()
    while conn:read(65536) do end
  end)
  local ended = child.run({ child.script [[
    local http = require "lurcher.http"
    local url, path = ...
    local function resident() return tonumber(io.open("/proc/self/status"):read("*a"):match "VmRSS:%s+(%d+)") end
    local list, before = {}, resident()
    for i = 1, 400 do list[i] = { name = "file", file = path } end
    list[401] = { name = "last", body = function()
      print(resident() - before)
      return nil, "measured"
    end }
    assert(select(2, http.post(url, { multipart = list })) == "measured")
  ]], s.url, files.path "a" })
  local grown = assert(tonumber(ended.out), ended.err)
  assert.is_true(grown < 20000 * faults.memory_slack(), grown .. " KiB")
end)
