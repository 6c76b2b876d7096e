-- The file of a cassette: what is one, how it may be laid out, what it costs to open.

local cassette = require "lurcher.cassette"
local files = require "spec.support.files"
local fs = require "lurcher.fs"
local http = require "lurcher.http"
local serving = require "spec.support.serving"

local path

before_each(function()
  files.begin()
  path = files.path "tape.json"
end)
after_each(files.finish)

describe("a cassette's file", function()
  for name, row in pairs {
    ["no JSON"] = { "garbage", "is none" },
    ["something else"] = { '{"a": [1]}', "is none" },
    ["an HAR archive"] = { '{"log": {"entries": []}}', "HAR" },
    ["a newer version"] = { '{"lurcher_cassette": 2, "entries": []}', "is of version 2" },
    ["a cut"] = { '{"lurcher_cassette": 1, "entries": [{"request": {"method": "GE', "is damaged: it ends after" },
    ["an entry without a request"] = { '{"lurcher_cassette": 1, "entries": [{"response": {}}]}', "it has no request" },
    ["an entry that is no JSON"] = { '{"lurcher_cassette": 1, "entries": [{"request": {"method" "GET"}}]}',
      "is damaged" },
    ["a header that is none"] = { '{"lurcher_cassette": 1, "entries": [{"request": {"method": "GET", '
      .. '"url": "http://a/", "headers": ["a\\r\\nb: c"]}}]}', "a header that is none" },
    ["a bracket too many"] = { '{"lurcher_cassette": 1, "entries": []}]]', "is damaged at byte" },
    ["a list of something else"] = { '{"lurcher_cassette": 1, "entries": [1, 2]}',
      "is damaged at byte 37: an entry has to begin" },
    ["entries without a comma"] = { '{"lurcher_cassette": 1, "entries": [{"request":{"method":"GET",'
      .. '"url":"http://a/"}} {}]}', "after an entry comes a comma or ]" },
    ["entries that are no list"] = { '{"lurcher_cassette": 1, "entries": {}}', "its entries are no list" },
    ["no entries"] = { '{"lurcher_cassette": 1}', "has no entries" },
    ["a version that is none"] = { '{"lurcher_cassette": "1", "entries": []}', "is none" },
    ["nothing"] = { "", "is none" },
  } do
    it("is refused clearly when it holds " .. name, function()
      assert(fs.write(path, row[1]))
      local _, err = cassette.use(path, function() error "not called" end)
      assert.are.equal("file", err.kind)
      assert.matches(row[2], err.message, 1, true)
      assert.matches(path, err.message, 1, true)
    end)
  end

  it("may be laid out in any way", function()
    assert(fs.write(path, '{"entries_of":"x","lurcher_cassette":1,"entries":[ {"response":{"body":"hi","status":201},'
      .. '"request":{"url":"http://a.test/","method":"GET"}}]}'))
    local res = assert(cassette.use(path, function() return http.get "http://a.test/" end))
    assert.are.same({ 201, "hi" }, { res.status, res.body })
  end)

  it("may have its members in any order, and others besides", function()
    assert(fs.write(path, '\239\187\191{"about":{"entries":[1]},"entries":[{"request":{"url":"http://a.test/",'
      .. '"method":"GET"},"response":{"body":"hi"}}],"lurcher_cassette":1,"note":"[{"}\n'))
    local _, err = cassette.use(path, function() return http.get "http://a.test/" end)
    assert.matches("no status from 100 to 999", err.message, 1, true)
    local text = files.read("tape.json"):gsub('"body"', '"status":200,"body"')
    assert(fs.write(path, text))
    assert.are.equal("hi", cassette.use(path, function() return http.get("http://a.test/").body end))
  end)

  it("holds strings with as many escapes as they like", function()
    local body = '{"text":"' .. ("\\n\\t"):rep(200000) .. '"}'
    local s = serving.start(function() return { status = 200, body = body } end)
    for _ = 1, 2 do
      assert.is_true(cassette.use(path, function() return assert(http.get(s.url)).body == body end))
    end
  end)

  it("costs some bytes an entry when it is open", function()
    local parts = {}
    for i = 1, 5000 do
      parts[i] = ('{"request":{"url":"http://a.test/users/%d?token=***&x=1","method":"GET"},"response":{"status":200,'
        .. '"body":"%s"}}'):format(i, ("x"):rep(200))
    end
    assert(fs.write(path, '{"lurcher_cassette":1,"entries":[' .. table.concat(parts, ",") .. "]}"))
    collectgarbage()
    collectgarbage()
    local before = collectgarbage "count"
    local tape = assert(cassette.open(path, { unused = "ignore" }))
    collectgarbage()
    collectgarbage()
    assert.is_true(collectgarbage "count" - before < 300)
    local api = http.client { transport = tape }
    assert.are.equal(200, assert(api:get "http://a.test/users/4999?token=abcdefgh&x=1").status)
    assert.are.equal(200, assert(api:get "http://a.test/users/1?token=other-one&x=1").status)
    assert.is_nil((api:get "http://a.test/users/1?token=other-one&x=1"))
    assert(tape:close())
  end)

  it("finds entries by what is no secret in them", function()
    local parts = {}
    for i, where in ipairs { "a/***/b", "a/x***y/b", "***/c", "a/***/b", "b?x=***&y=1&z=***" } do
      parts[i] = ('{"request":{"url":"http://a.test/%s","method":"GET"},"response":{"status":20%d}}'):format(where, i)
    end
    assert(fs.write(path, '{"lurcher_cassette":1,"entries":[' .. table.concat(parts, ",") .. "]}"))
    local got = {}
    assert(cassette.use(path, function()
      for i, where in ipairs { "a/x-12-y/b", "a/x-12-y/b", "one/c", "a/q/b", "a/q/b", "b?x=12&y=1&z=3",
        "b?x=12&y=2&z=3", "a/one/two/b" } do
        local res = http.get("http://a.test/" .. where)
        got[i] = res and res.status or false
      end
    end))
    assert.are.same({ 201, 202, 203, 204, false, 205, false, false }, got)
  end)

  it("is damaged only where it is read when a response is", function()
    assert(fs.write(path, '{"lurcher_cassette":1,"entries":[{"request":{"url":"http://a.test/","method":"GET"},'
      .. '"response":{"status":"x"}}]}'))
    local _, err = cassette.use(path, function() return http.get "http://a.test/" end)
    assert.are.equal("file", err.kind)
    assert.matches("no status from 100 to 999", err.message, 1, true)
  end)
end)
