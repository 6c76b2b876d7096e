local ffi = require "ffi"
local json = require "lurcher.json"
local secret = require "lurcher.base.secret"

local null = json.null

-- What a call that must raise says, without the position in front.
local raised = require("spec.support.raising").message

local function decoded(text)
  local value, err = json.decode(text)
  assert.is_nil(err, tostring(err))
  return value
end

describe("json.encode", function()
  it("writes values of each type", function()
    assert.equal('"x"', json.encode("x"))
    assert.equal("true", json.encode(true))
    assert.equal("false", json.encode(false))
    assert.equal("null", json.encode(null))
    assert.equal("[1,2,3]", json.encode { 1, 2, 3 })
    assert.equal('{"a":{"b":[true,null]}}', json.encode { a = { b = { true, null } } })
    assert.equal("{}", json.encode {})
  end)

  it("writes numbers as JavaScript does, with as few digits as read back the same", function()
    local written = {
      ["0"] = 0, ["-0"] = 0 * -1.5, ["1"] = 1, ["-17"] = -17, ["0.1"] = 0.1, ["12.5"] = 12.5, ["-0.001"] = -0.001,
      ["0.30000000000000004"] = 0.1 + 0.2, ["9007199254740992"] = 2 ^ 53, ["-9007199254740992"] = -2 ^ 53,
      ["9007199254740994"] = 2 ^ 53 + 2, ["1e+100"] = 1e100, ["1e-7"] = 1e-7, ["5e-324"] = 5e-324,
      ["1.7976931348623157e+308"] = 1.7976931348623157e308, ["123456.789"] = 123456.789,
      ["100000000000000000000"] = 1e20, ["1e+21"] = 1e21, ["123456789012345680000"] = 123456789012345678901,
      ["-1152921504606847000"] = -2 ^ 60, ["18446744073709552000"] = 2 ^ 64, ["0.000001"] = 1e-6,
      ["0.0000012345678901234567"] = 1.2345678901234567e-6, ["1.5e-7"] = 1.5e-7, ["1.2e+21"] = 1.2e21,
      ["123456789012345.67"] = 123456789012345.67,
      ["3.141592653589793"] = math.pi, ["0.3333333333333333"] = 1 / 3, ["1700000000.123"] = 1700000000.123,
      ["100000"] = 1e5, ["999999999999999"] = 999999999999999, ["0.00001"] = 0.00001, ["1.1"] = 1.1,
    }
    for text, value in pairs(written) do assert.equal(text, json.encode(value)) end
  end)

  it("writes numbers that read back the same, whatever they are", function()
    for _ = 1, 10000 do
      local value = math.ldexp(math.random() - 0.5, math.random(-1073, 1024))
      local text = json.encode(value)
      if tonumber(text) ~= value or json.decode(text, { bigint = "number" }) ~= value then
        error(("%.17g became %s"):format(value, text))
      end
    end
    for _ = 1, 10000 do
      local value = math.floor((math.random() - 0.5) * 10 ^ math.random(0, 17)) / 10 ^ math.random(0, 9)
      local text = json.encode(value)
      if json.decode(text, { bigint = "number" }) ~= value then error(("%.17g became %s"):format(value, text)) end
      if #text > #("%.17g"):format(value) + 4 then error(text .. " is too long") end
    end
  end)

  it("writes 64-bit integers exactly", function()
    assert.equal("[9223372036854775807,-9223372036854775808,18446744073709551615]",
      json.encode { 9223372036854775807LL, -9223372036854775807LL - 1, 18446744073709551615ULL })
    assert.equal("cannot encode cdata other than int64_t and uint64_t at .a",
      raised(json.encode, { a = ffi.new("int[2]") }):match("cannot.*"))
  end)

  it("escapes what must be escaped and nothing else", function()
    assert.equal([["\"\\/\b\f\n\r\t\u0000\u001f]] .. "\127\195\188\226\128\168\240\159\152\128\"",
      json.encode("\"\\/\b\f\n\r\t\0\31\127\195\188\226\128\168\240\159\152\128"))
    for i = 0, 127 do assert.equal(string.char(i), decoded(json.encode(string.char(i)))) end
  end)

  it("writes tables with the keys 1 to n as arrays, however they were filled", function()
    local backwards = {}
    for i = 100, 1, -1 do backwards[i] = i end
    local forwards = {}
    for i = 1, 100 do forwards[i] = i end
    assert.equal(json.encode(forwards), json.encode(backwards))
    local sparse = { [3] = "c", [1] = "a", [2] = "b" }
    assert.equal('["a","b","c"]', json.encode(sparse))
    local shrunk = { "a", "b", "c", x = 1 }
    shrunk.x = nil
    shrunk[3] = nil
    assert.equal('["a","b"]', json.encode(shrunk))
  end)

  it("writes empty tables as marked", function()
    assert.equal("[]", json.encode(json.array()))
    assert.equal("[]", json.encode(json.array {}))
    assert.equal("{}", json.encode(json.object {}))
    assert.equal('{"a":[]}', json.encode { a = json.array() })
  end)

  it("keeps empty arrays and objects of a decoded text apart", function()
    local text = '{"a":[],"b":{},"c":[[],{},[[]]]}'
    assert.equal(text, json.encode(decoded(text), { sort = true }))
    local value = decoded("[]")
    value[1] = "x"
    assert.equal('["x"]', json.encode(value))
  end)

  it("writes the numbers of json.object as keys", function()
    assert.equal('{"-1":0,"1":"a","1000000":"b","x":"c"}',
      json.encode(json.object { "a", [1000000] = "b", x = "c", [-1] = 0 }, { sort = true }))
    assert.equal('{"1":{"1":"a"}}', json.encode(json.object { json.object { "a" } }))
  end)

  it("returns what json.array and json.object were given", function()
    local t = { 1 }
    assert.equal(t, json.array(t))
    assert.equal(t, json.object(t))
    assert.equal('{"1":1}', json.encode(t))
    assert.equal("[1]", json.encode(json.array(t)))
    assert.matches("json.array: the table has a metatable already", raised(json.array, setmetatable({}, {})))
    assert.matches("bad argument #1 to 'json.object' %(table expected, got 1%)", raised(json.object, 1))
  end)

  it("sorts keys by their bytes", function()
    local t = {}
    for _, key in ipairs { "b", "a", "B", "\195\188", "aa", "", "a\0b", "1", "10", "9" } do t[key] = 1 end
    assert.equal('{"":1,"1":1,"10":1,"9":1,"B":1,"a":1,"a\\u0000b":1,"aa":1,"b":1,"\195\188":1}',
      json.encode(t, { sort = true }))
    assert.equal('[{"a":1,"b":{"c":1,"d":2}}]',
      json.encode({ { b = { d = 2, c = 1 }, a = 1 } }, { sort = true }))
  end)

  it("indents", function()
    assert.equal([[{
  "a": [
    1,
    {
      "b": null
    }
  ],
  "c": {},
  "d": []
}]], json.encode({ a = { 1, { b = null } }, c = {}, d = json.array() }, { pretty = true, sort = true }))
    assert.equal("1", json.encode(1, { pretty = true }))
  end)

  it("writes what __tojson returns", function()
    local Point = {}
    Point.__index = Point
    function Point:__tojson() return { x = self.x } end
    assert.equal('[{"x":1}]', json.encode { setmetatable({ x = 1, y = 2 }, Point) })
    local proxy = newproxy(true)
    getmetatable(proxy).__tojson = function() return "proxy" end
    assert.equal('["proxy"]', json.encode { proxy })
    local own = setmetatable({}, { __tojson = function() return json.decode(json.encode { 1 }) end })
    assert.equal('{"a":[1]}', json.encode { a = own })
  end)

  it("raises what __tojson raises, and goes on afterwards", function()
    local bad = setmetatable({}, { __tojson = function() error("no way", 0) end })
    assert.equal("no way", raised(json.encode, { bad }))
    assert.equal("[1]", json.encode { 1 })
    local endless = setmetatable({}, {})
    getmetatable(endless).__tojson = function() return endless end
    assert.matches("a __tojson function that has no end", raised(json.encode, { endless }))
  end)

  it("ignores other metatables", function()
    local t = setmetatable({ a = 1 }, { __tostring = function() return "x" end, __index = { b = 2 } })
    assert.equal('{"a":1}', json.encode(t))
  end)

  it("raises on what JSON cannot hold, with the path", function()
    local cycle = { a = { {} } }
    cycle.a[1].b = cycle
    local messages = {
      ["json.encode: cannot encode nil; json.null stands for null"] = function() json.encode(nil) end,
      ["cannot encode a function at .items[3].callback"] = function()
        json.encode { items = { 1, 2, { callback = print } } }
      end,
      ["cannot encode a function"] = function() json.encode(print) end,
      ["cannot encode a thread at [1]"] = function() json.encode { coroutine.create(print) } end,
      ["cannot encode a userdata at .a"] = function() json.encode { a = newproxy() } end,
      ["cannot encode NaN at .a[\"b c\"]"] = function() json.encode { a = { ["b c"] = 0 / 0 } } end,
      ["cannot encode an infinite number at [2]"] = function() json.encode { 1, -1 / 0 } end,
      ["cannot encode a string that is not UTF-8 at .a"] = function() json.encode { a = "\255" } end,
      ["cannot encode a key that is not UTF-8"] = function() json.encode { ["\255"] = 1 } end,
      ["cannot encode a table within itself at .a[1].b"] = function() json.encode(cycle) end,
      ["cannot encode a table with list items and the key 'x' at .a; json.object(t) writes whole numbers "
        .. "as keys"] = function() json.encode { a = { 1, 2, x = 3 } } end,
      ["cannot encode a list with item 5 but without item 3 at .a; json.null fills a gap, json.object(t) "
        .. "writes whole numbers as keys"] = function() json.encode { a = { 1, 2, nil, nil, 5 } } end,
      ["cannot encode a list with item 1000000000 but without item 1"] = function()
        json.encode { [1e9] = 1 }
      end,
      ["cannot encode a table with the key 1.5; json.object(t) writes whole numbers as keys"] = function()
        json.encode { [1.5] = 1 }
      end,
      ["cannot encode a table with the key 0.5"] = function() json.encode(json.object { [0.5] = 1 }) end,
      ["cannot encode a table with the key 0;"] = function() json.encode { [0] = 1 } end,
      ["cannot encode a table with a boolean as key"] = function() json.encode { [true] = 1 } end,
      ["cannot encode a table with a table as key"] = function() json.encode { a = 1, [{}] = 1 } end,
      ["cannot encode a table with the mark of json.array and the key 'a'"] = function()
        json.encode(json.array { a = 1 })
      end,
      ["cannot encode a list with item 3 but without item 2; json.null fills a gap"] = function()
        json.encode(json.array { 1, nil, 3 })
      end,
      ["cannot encode a key that is there as a number and as a string at [\"1\"]"] = function()
        json.encode(json.object { "a", ["1"] = "b" })
      end,
    }
    for message, f in pairs(messages) do
      local got = raised(f)
      assert.is_truthy(got:find(message, 1, true), message .. "\n  got: " .. got)
      assert.is_truthy(raised(function() return f() end))
    end
    assert.matches("a boolean as key", raised(json.encode, { a = 1, [true] = 1 }, { sort = true }))
  end)

  it("names the caller's line", function()
    local _, message = pcall(function() json.encode(print) end)
    assert.matches("json_encode_spec.lua:%d+: json.encode: cannot encode a function", message)
  end)

  it("takes 1000 levels and no more", function()
    local function nest(levels, list)
      local value = list and json.array() or {}
      for _ = 2, levels do value = list and { value } or { a = value } end
      return value
    end
    assert.equal(("["):rep(1000) .. ("]"):rep(1000), json.encode(nest(1000, true)))
    assert.equal(999 * 6 + 2, #json.encode(nest(1000)))
    assert.equal(999 * 6 + 2, #json.encode(nest(1000), { sort = true }))
    assert.matches("cannot encode more than 1000 tables within each other at %.%.%.%[1%]",
      raised(json.encode, nest(1001, true)))
    assert.matches("cannot encode more than 1000 tables within each other", raised(json.encode, nest(100000)))
  end)

  it("allows a table in several places", function()
    local t = { 1 }
    assert.equal("[[1],[1],[[1]]]", json.encode { t, t, { t } })
  end)

  it("cuts long paths and keys in messages", function()
    local value = print
    for _ = 1, 200 do value = { [("k"):rep(300)] = value } end
    local message = raised(json.encode, value)
    assert.is_true(#message < 400)
    assert.matches("%.%.%.[.k…]+$", message)
  end)

  it("raises for unknown options", function()
    assert.matches("unknown option 'prety'; did you mean 'pretty'?", raised(json.encode, 1, { prety = true }))
    assert.matches("option 'sort' must be boolean", raised(json.encode, 1, { sort = 1 }))
  end)

  it("writes secrets into request bodies only", function()
    local value = { token = secret.new("s3cr3t-value") }
    assert.equal("json.encode: cannot encode a secret at .token; it can only be sent, as in the json option "
      .. "of a request", raised(json.encode, value))
    assert.equal('{"token":"s3cr3t-value"}', json.body(value))
    assert.matches("json: cannot encode a function", raised(json.body, print))
  end)

  it("writes long texts", function()
    local list = {}
    for i = 1, 20000 do list[i] = { id = i, name = ("name %d \"\195\188\""):format(i), price = i / 4 } end
    assert.equal(json.encode(list, { sort = true }), json.encode(decoded(json.encode(list)), { sort = true }))
    local long = ("a\n"):rep(1000000)
    assert.equal(long, decoded(json.encode(long)))
  end)
end)
