-- Every kind of body at httpbin's endpoints that take one.

local faults = require "spec.support.faults"
local files = require "spec.support.files"
local fs = require "lurcher.fs"
local http = require "lurcher.http"
local servers = require "spec.support.servers"

local TEXT = ("line of text\n"):rep(5000)

local function giving(...)
  local list, i = { ... }, 0
  return function()
    i = i + 1
    return list[i]
  end
end

describe("httpbin", function()
  local httpbin

  setup(function() httpbin = servers.httpbin() end)
  teardown(function() httpbin:stop() end)
  before_each(function()
    files.begin()
    assert(fs.write(files.path "text.txt", TEXT))
  end)
  after_each(files.finish)

  -- What its answer holds: the text as `data`, or form fields and files.
  local kinds = {
    ["a string"] = function() return { body = TEXT }, { data = TEXT } end,
    ["json"] = function() return { json = { a = 1 } }, { data = '{"a":1}' } end,
    ["a form"] = function() return { form = { a = "ü&=" } }, { form = { a = "ü&=" } } end,
    ["a file"] = function() return { body = http.file(files.path "text.txt") }, { data = TEXT } end,
    ["a part of a file"] = function()
      return { body = http.file(files.path "text.txt", { offset = 5, length = 2 }) }, { data = "of" }
    end,
    ["multipart"] = function()
      return { multipart = { { name = "ä", value = "1" }, { name = "f", file = files.path "text.txt" } } },
        { form = { ["ä"] = "1" }, files = { f = TEXT } }
    end,
    ["an iterator"] = function() return { body = giving("one ", "two") }, { data = "one two" } end,
    ["multipart with an iterator"] = function()
      return { multipart = { { name = "i", body = giving("one ", "two"), filename = "i.txt" } } },
        { files = { i = "one two" } }
    end,
  }

  for kind, make in pairs(kinds) do
    for _, method in ipairs { "POST", "PUT", "PATCH", "DELETE" } do
      for _, path in ipairs { "/" .. method:lower(), "/anything" } do
        it(("gets %s with %s at %s"):format(kind, method, path), function()
          local opts, wanted = make()
          local res = assert(faults.client():request(method, httpbin.http .. path, opts))
          assert.equal(200, res.status)
          local got = assert(res:json())
          assert.equal(wanted.data or "", got.data)
          for field, value in pairs(wanted.form or {}) do assert.equal(value, got.form[field]) end
          for field, value in pairs(wanted.files or {}) do assert.equal(value, got.files[field]) end
        end)
      end
    end
  end

  it("sends bodies on by 307, and forgets them by 302", function()
    for _, case in ipairs { { 307, "POST", TEXT }, { 302, "GET", nil } } do
      local res = assert(faults.client():post(httpbin.http .. "/redirect-to",
        { params = { url = "/anything", status_code = case[1] }, body = http.file(files.path "text.txt") }))
      local got = assert(res:json())
      assert.equal(case[2], got.method)
      assert.equal(case[3] or "", got.data)
    end
  end)

  it("checks digest authentication of a file, auth-int too", function()
    for _, qop in ipairs { "auth", "auth-int" } do
      local res = assert(faults.client { auth = http.digest("user", "password"), cookies = true }:request("GET",
        httpbin.http .. "/digest-auth/" .. qop .. "/user/password", { body = http.file(files.path "text.txt") }))
      assert.equal(200, res.status)
    end
  end)
end)
