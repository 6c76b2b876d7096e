local check = require "lurcher.base.check"

local message_of = require("spec.support.raising").message

describe("lurcher.base.check", function()
  describe("suggest", function()
    local names = { timeout = true, retry = true, redirects = true, headers = true, params = true,
      body = true }

    it("finds the nearest name", function()
      assert.are.equal("timeout", check.suggest("timout", names))
      assert.are.equal("timeout", check.suggest("Timeout", names))
      assert.are.equal("headers", check.suggest("header", names))
      assert.are.equal("redirects", check.suggest("redirect", names))
      assert.are.equal("retry", check.suggest("retries", names))
      assert.are.equal("params", check.suggest("parmas", names))
    end)

    it("takes two letters in the wrong order for one mistake", function()
      assert.are.equal("url", check.suggest("rul", { "url" }))
      assert.are.equal("xyl", check.suggest("xly", { "xyl" }))
      assert.is_nil(check.suggest("yxl", { "lxy" }))
    end)

    it("is silent when nothing is near", function()
      assert.is_nil(check.suggest("xyz", names))
      assert.is_nil(check.suggest(("t"):rep(1000), names))
      assert.is_nil(check.suggest(1, names))
    end)

    it("takes lists as well", function()
      assert.are.equal("get", check.suggest("gte", { "get", "post" }))
    end)
  end)

  describe("options", function()
    local known = { timeout = "positive|false", mode = "'fast'|'slow'", any = true, items = function(v)
      if v ~= 7 then return "seven" end
      return nil
    end }

    it("passes what fits", function()
      local opts = { timeout = 1, mode = "fast", any = {}, items = 7 }
      assert.are.equal(opts, check.options(opts, known))
      assert.is_nil(check.options(nil, known))
    end)

    it("names an unknown key and the nearest known one", function()
      assert.are.equal("f: unknown option 'timout'; did you mean 'timeout'?",
        message_of(check.options, { timout = 1 }, known, "f"))
      assert.are.equal("unknown option 'zzz'; there are any, items, mode, timeout",
        message_of(check.options, { zzz = 1 }, known))
    end)

    it("refuses positions", function()
      assert.are.equal("options are given by name, not as [1]", message_of(check.options, { "x" }, known))
    end)

    it("says what was expected and what came", function()
      assert.are.equal("option 'timeout' must be a number above 0 or false, got -1",
        message_of(check.options, { timeout = -1 }, known))
      assert.are.equal('option \'mode\' must be "fast" or "slow", got "best"',
        message_of(check.options, { mode = "best" }, known))
      assert.are.equal("option 'items' must be seven, got a table",
        message_of(check.options, { items = {} }, known))
      assert.are.equal("options must be a table, got 5", message_of(check.options, 5, known))
    end)

    it("raises with the line of the caller", function()
      local line = debug.getinfo(1, "l").currentline + 1
      local _, message = pcall(function() check.options({ timout = 1 }, known) end)
      assert.matches("check_spec%.lua:" .. line .. ": ", message)
    end)
  end)

  it("checks single arguments", function()
    assert.are.equal("x", check.argument("x", "string", 1, "f"))
    assert.are.equal("bad argument #2 to 'f' (string expected, got nil)",
      message_of(check.argument, nil, "string", 2, "f"))
    assert.are.equal("bad argument #1 to 'f' (a whole number of at least 1 expected, got 0.5)",
      message_of(check.argument, 0.5, "count", 1, "f"))
  end)

  it("knows callable tables", function()
    local callable = setmetatable({}, { __call = function() end })
    assert.are.equal(callable, check.argument(callable, "callable", 1, "f"))
    assert.is_false((pcall(check.argument, {}, "callable", 1, "f")))
  end)

  it("shows control characters visibly", function()
    assert.are.equal('"a\\x0d\\x0ab"', check.shown("a\r\nb"))
    assert.are.equal("a string of 50 bytes", check.shown(("x"):rep(50)))
  end)

  it("raises nothing that would steer a terminal, whatever name the script gave", function()
    local http, task = require "lurcher.http", require "lurcher.task"
    local name = "\27]0;x\7\r\194\155ä\226\128\174"
    for what, call in pairs {
      ["an option"] = function() http.get("http://host/", { [name] = 1 }) end,
      ["an option of an option"] = function() http.get("http://host/", { timeout = { [name] = 1 } }) end,
      ["a header"] = function() http.get("http://host/", { headers = { [name] = "x" } }) end,
      ["a method"] = function() http.request(name, "http://host/") end,
      ["a list's key"] = function() task.map({ [name] = 1 }, print) end,
      ["a function"] = function() return http[name] end,
      ["a field"] = function() return http.client {}[name] end,
      ["a kind"] = function() select(2, http.get "http://"):is(name) end,
    } do
      local message = message_of(call)
      assert.is_nil(message:find("[%c\127]"), what)
      assert.is_nil(message:find("\194\155", 1, true), what)
      assert.is_nil(message:find("\226\128\174", 1, true), what)
    end
  end)

  it("keeps the lines and tabs of what it raises", function()
    assert.matches("\n\tno file ", message_of(function() require "lurcher.nothing" end))
  end)

  it("says that functions of a module are called with a dot", function()
    local json = require "lurcher.json"
    local ok, message = pcall(function() json:decode("{}") end)
    assert.is_false(ok)
    assert.matches("check_spec.lua:%d+: call it with a dot: json.decode", message)
  end)
end)
