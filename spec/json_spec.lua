local ffi = require "ffi"
local json = require "lurcher.json"
local secret = require "lurcher.secret"

local null = json.null

-- What a call that must raise says, without the position in front.
local function raised(f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  return (tostring(message):gsub("^[^:]*:%d+: ", ""))
end

local function decoded(text, opts)
  local value, err = json.decode(text, opts)
  assert.is_nil(err, tostring(err))
  return value
end

local function rejected(text, opts)
  local value, err = json.decode(text, opts)
  assert.is_nil(value, ("accepted: %q"):format(text:sub(1, 60)))
  assert.equal("decode", err.kind)
  return err
end

describe("json.decode", function()
  it("gives values of each type", function()
    assert.same({ a = "b", c = { 1, 2, { d = true } }, e = false, f = null, g = -12.5 },
      decoded('{"a":"b","c":[1,2,{"d":true}],"e":false,"f":null,"g":-12.5}'))
  end)

  it("accepts any value at the top", function()
    assert.equal("x", decoded('"x"'))
    assert.equal(1, decoded("1"))
    assert.equal(true, decoded("true"))
    assert.equal(false, decoded("false"))
    assert.equal(null, decoded("null"))
    assert.same({}, decoded("{}"))
    assert.same({}, decoded("[]"))
  end)

  it("accepts all that RFC 8259 allows", function()
    local accepted = {
      "[]", "[ ]", "{}", "{ }", '[""]', '{"":0}', "[[],[]]", '{"a":{},"b":[]}', " [1]\r\n\t ", "[1 ,\n2 ]",
      '{ "a" : 1 , "b" : 2 }', "0", "-0", "0.0", "-0.0", "0e0", "0E+0", "1e5", "1E-5", "1.5e+05",
      "123456789", "-1", "1.0000000000000000000000000000000001", "1e-400", "0e999999", "0.0e+1000000000000",
      "1e00000000001", '"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\u0000"', '"\\uD834\\uDd1e"', '"\\uffff"',
      '"\127"', '"\226\128\168"', '"\239\191\191"', '"\244\143\191\191"', '"\194\128"', '"\224\160\128"',
      '"\237\159\191"', '"\240\144\128\128"', "[null,true,false]", "\239\187\191{}",
      "1.7976931348623157e308", "1.7976931348623158079e308", "null ", '{"a":1,"a":2}',
      '["\\u00e9\\ud83d\\ude00"]', "179769313486231570000000000000000000000e270",
    }
    for _, text in ipairs(accepted) do
      local value, err = json.decode(text)
      assert.is_nil(err, ("%s: %s"):format(text, tostring(err)))
      assert.is_not_nil(value)
    end
  end)

  it("rejects all that it does not", function()
    local refused = {
      "", " ", "\239\187\191", "[", "]", "{", "}", "[1", "[1,", "[1,]", "[,1]", "[1,,2]", "[1 2]", "[1]]",
      "[1}", "{]", '{"a"}', '{"a":}', '{"a":1,}', '{,"a":1}', '{"a":1 "b":2}', '{"a" 1}', '{"a"::1}',
      "{a:1}", "{1:1}", "{null:1}", '{"a":1', '{"a"', '{"a":', '{"a":1,"', "[1];", "1 1", "{}{}", "[][]",
      "nul", "nulll", "tru", "True", "NULL", "truefalse", "NaN", "-NaN", "Infinity", "-Infinity", "inf",
      "nan", "undefined", "'a'", "{'a':1}", "[1,'a']", "01", "-01", "00", "+1", "1.", ".5", "-.5", "-",
      "--1", "1e", "1e+", "1e-", "1.e1", "1.5.5", "1e5.5", "0x10", "1_000", "1,000", "0b1", "1e5e5", "1a",
      "- 1", "1e400", "-1e400", "[1e309]", "123456789e301", "1.8e308", "1.797693134862315808e308",
      "10000000000000000000000.0e290", "\\u0031", '"', '"abc', '"\\"', '"\\', '"\\x41"', '"\\u"', '"\\u12"',
      '"\\u123g"', '"\\u 123"', '"\\a"', '"\\\n"', '"\\\0"', '"\\ud800"', '"\\udc00"', '"\\ud800\\ud800"',
      '"\\ud800x"', '"\\ud800\\n"', '"\\udc00\\ud800"', '"\\ud800\\u0041"', '"a\nb"', '"a\tb"', '"a\0b"',
      '"\31"', '"\128"', '"\255"', '"\192\128"', '"\193\191"', '"\224\159\191"', '"\237\160\128"',
      '"\240\143\191\191"', '"\244\144\128\128"', '"\245\128\128\128"', '"\226\130"', '"\226"',
      '"\240\159\152"', '{"\255":1}', "[1]\0", "\0", "1\0", "[\0]", "/**/1", "1//x", "#1", "[1]\v", "\f1",
      "\194\1601", "\226\128\1681", "<html>", "\31\139\8", "\255\254{\0", "data: {}",
      "\239\187\191\239\187\1911", "[\239\187\1911]", '[1,"a"', "[true", '{"a":tru}', "[fals]", "*", "[*]",
      '{"a":"b"]', '["a"}', '{"a":[1}', "[{]}", '["\\ud83d\\ude0"]',
    }
    for _, text in ipairs(refused) do rejected(text) end
  end)

  it("ends at each byte of a text that is cut, with an error at the end", function()
    local text = '{"a":[1,-2.5e+3,true,false,null,"x\\n\\ud83d\\ude00\195\188",{"b":{}}]}'
    assert.is_table(decoded(text))
    for length = 0, #text - 1 do
      local err = rejected(text:sub(1, length))
      assert.is_true(err.position <= length + 1)
    end
  end)

  it("takes the last of equal keys", function()
    assert.same({ a = 3, b = 2 }, decoded('{"a":1,"b":2,"a":3}'))
    assert.equal(null, decoded('{"a":1,"a":null}').a)
    local pairs_of_many = {}
    for i = 1, 500 do pairs_of_many[i] = ('"k%d":%d'):format(i % 100, i) end
    local value = decoded("{" .. table.concat(pairs_of_many, ",") .. "}")
    assert.equal(499, value.k99)
    assert.equal(500, value.k0)
  end)

  it("skips a byte order mark", function()
    assert.same({ 1 }, decoded("\239\187\191[1]"))
  end)

  it("decodes escapes", function()
    assert.equal("\"\\/\b\f\n\r\t", decoded([["\"\\\/\b\f\n\r\t"]]))
    assert.equal("a\0b", decoded([["a\u0000b"]]))
    assert.equal("\195\188\226\130\172\240\159\152\128", decoded([["\u00fc\u20AC\uD83d\ude00"]]))
    assert.equal("\239\191\191", decoded([["\uffff"]]))
    assert.equal(("ab\n"):rep(1000), decoded('"' .. ("ab\\n"):rep(1000) .. '"'))
    assert.same({ ["a\nb"] = 1 }, decoded([[{"a\nb":1}]]))
  end)

  it("keeps whole numbers up to 2^53 as numbers", function()
    assert.equal(2 ^ 53, decoded("9007199254740992"))
    assert.equal(-2 ^ 53, decoded("-9007199254740992"))
    assert.equal(9007199254740991, decoded("9007199254740991"))
  end)

  it("gives larger whole numbers as strings", function()
    assert.equal("9007199254740993", decoded("9007199254740993"))
    assert.equal("-9007199254740993", decoded("-9007199254740993"))
    assert.same({ id = "12345678901234567890", ids = { "18446744073709551615", 1 } },
      decoded('{"id":12345678901234567890,"ids":[18446744073709551615,1]}'))
    local long = "1" .. ("0"):rep(5000)
    assert.equal(long, decoded(long))
  end)

  it("gives them as the nearest numbers if asked", function()
    assert.equal(2 ^ 53, decoded("9007199254740993", { bigint = "number" }))
    assert.equal(12345678901234567890, decoded("[12345678901234567890]", { bigint = "number" })[1])
    assert.equal("9007199254740993", decoded("9007199254740993", { bigint = "string" }))
    rejected("1" .. ("0"):rep(309), { bigint = "number" })
  end)

  it("gives numbers with fraction or exponent as the nearest numbers", function()
    assert.equal(1e20, decoded("1e20"))
    assert.equal(12345678901234567890, decoded("12345678901234567890.0"))
    assert.equal(0.1, decoded("0.1"))
    assert.equal(0, decoded("1e-400"))
    assert.equal(5e-324, decoded("5e-324"))
    assert.equal(1.7976931348623157e308, decoded("1.7976931348623157e308"))
    assert.equal(2.2250738585072009e-308, decoded("2.2250738585072011e-308"))
    assert.equal(2.2250738585072014e-308, decoded("2.2250738585072012e-308"))
    assert.equal(9007199254740993, decoded("9007199254740993.0"))
  end)

  it("keeps the sign of zero", function()
    assert.equal(-math.huge, 1 / decoded("-0"))
    assert.equal(-math.huge, 1 / decoded("-0.0"))
    assert.equal(math.huge, 1 / decoded("0"))
  end)

  it("reads doubles from any digits exactly as Lua does", function()
    for _ = 1, 300 do
      local value = (math.random() - 0.5) * 10 ^ math.random(-300, 300)
      for digits = 1, 17 do
        local text = ("%." .. digits .. "g"):format(value)
        if json.decode(text) ~= tonumber(text) and not text:find("^-?%d+$") then error(text) end
        text = ("%." .. digits .. "e"):format(value)
        if json.decode(text) ~= tonumber(text) then error(text) end
      end
    end
  end)

  it("reads decimal fractions exactly as Lua does", function()
    for _ = 1, 20000 do
      local digits = math.random(1, 9)
      local whole, fraction = math.random(0, 10 ^ math.random(0, 9)), math.random(10 ^ digits) - 1
      local text = ("%d.%0" .. digits .. "d"):format(whole, fraction)
      if json.decode(text) ~= tonumber(text) then error(text) end
    end
  end)

  it("takes 1000 levels and no more", function()
    local value = decoded(("["):rep(1000) .. ("]"):rep(1000))
    for _ = 1, 999 do value = value[1] end
    assert.same({}, value)
    assert.is_table(decoded(('{"a":'):rep(1000) .. "1" .. ("}"):rep(1000)))
    assert.is_table(decoded(('[1,2,3,4,5,6,7,8,9,{"a":1,"b":'):rep(500) .. "1" .. ("}]"):rep(500)))
    local err = rejected(("["):rep(1001) .. ("]"):rep(1001))
    assert.matches("nested too deep %(at most 1000 levels%)", err.message)
    assert.equal(1001, err.position)
    rejected(("["):rep(1000000))
    rejected(('{"a":'):rep(1000000))
  end)

  it("makes arrays and objects of any size", function()
    for _, size in ipairs { 1, 7, 8, 9, 63, 64, 65, 127, 128, 129, 1000, 100000 } do
      local items, members = {}, {}
      for i = 1, size do
        items[i] = tostring(i)
        members[i] = ('"k%d":[%d]'):format(i, i)
      end
      local list = decoded("[" .. table.concat(items, ",") .. "]")
      local map = decoded('{"in":{' .. table.concat(members, ",") .. "}}")["in"]
      assert.equal(size, #list)
      local count = 0
      for _ in pairs(map) do count = count + 1 end
      assert.equal(size, count)
      for i = 1, size do
        if list[i] ~= i or map["k" .. i][1] ~= i then error("item " .. i .. " of " .. size) end
      end
    end
  end)

  it("keeps the order of long lists within lists", function()
    local function list(depth)
      local t = {}
      for i = 1, 70 do t[i] = i end
      if depth < 12 then t[35] = list(depth + 1) end
      return t
    end
    assert.same(list(1), decoded(json.encode(list(1))))
  end)

  it("decodes long strings", function()
    local long = ("0123456789abc\195\188"):rep(100000)
    assert.equal(long, decoded('"' .. long .. '"'))
    assert.equal(long .. "\n", decoded('"' .. long .. '\\n"'))
  end)

  it("says where a text is wrong", function()
    local err = rejected('{\n  "\195\188": 1,\n  "\195\188b" 2\n}')
    assert.equal(3, err.line)
    assert.equal(8, err.column)
    assert.equal(22, err.position)
    assert.equal("decode: JSON does not parse at line 3 column 8 (byte 22): expected ':' near \"2\\n}\"",
      tostring(err))
    assert.is_true(err:is("decode"))
    assert.is_false(err.retryable)
  end)

  it("says what is wrong", function()
    local messages = {
      [""] = "the text is empty",
      [" \n"] = "the text is empty",
      ['{"a":1'] = "expected ',' or '}' where the text ends",
      ["[1"] = "expected ',' or ']' where the text ends",
      ["[1,]"] = 'expected a value %(no comma before a closing bracket%) near "%]"',
      ['{"a":1,}'] = 'expected a key %(no comma before a closing bracket%) near "}"',
      ["{a:1}"] = 'expected a key in double quotes near "a:1}"',
      ["['a']"] = "strings stand in double quotes",
      ["// x"] = "JSON has no comments",
      ["[NaN]"] = "NaN and Infinity are not JSON",
      ["[-Infinity]"] = "NaN and Infinity are not JSON",
      ["012"] = "numbers have no leading zeros",
      ["1."] = "expected a digit where the text ends",
      ["1e400"] = "the number is too large for a double",
      ['"abc'] = "a string is not closed where the text ends",
      ['"a\nb"'] = 'control characters in strings must be escaped near "\\nb\\?""',
      ['"\\x"'] = "unknown escape in a string",
      ['"\\u12x"'] = "\\u wants four hexadecimal digits",
      ['"\\ud800"'] = "half of a surrogate pair stands alone",
      ['"\255\0"'] = 'invalid UTF%-8 near "\\xFF\\x00\\?""',
      ["{} x"] = 'expected the end of the text near "x"',
    }
    for text, message in pairs(messages) do assert.matches(message, rejected(text).message) end
  end)

  it("guesses what the text is instead", function()
    local messages = {
      ["<!DOCTYPE html><html>"] = 'the text begins with "<!DOCTYPE html><": it looks like HTML',
      ["\n <html lang=en>"] = "it looks like HTML",
      ["<?xml version"] = "it looks like XML or HTML",
      ["\31\139\8\0"] = "it looks like gzip",
      ["{\0}\0"] = "it looks like UTF%-16",
      ["data: {}\n\n"] = "it looks like server%-sent events",
      [")]}',\n{}"] = "a guard prefix",
      ['{"a":1}\n{"a":2}\n'] = "one per line, are read by json.lines",
    }
    for text, message in pairs(messages) do assert.matches(message, rejected(text).message) end
  end)

  it("keeps messages printable, short and whole characters in them", function()
    local message = rejected("[" .. ("\195\188"):rep(1000)).message
    assert.matches('near "' .. ("\195\188"):rep(12) .. '"$', message)
    message = rejected("[a" .. ("\195\188"):rep(1000)).message
    assert.matches('near "a' .. ("\195\188"):rep(11) .. '"$', message)
    message = rejected(("\1\255"):rep(5000)).message
    assert.is_nil(message:find("[%c\127-\255]"))
    assert.is_true(#message < 300)
  end)

  it("raises when it is not given a string", function()
    assert.matches("bad argument #1 to 'json.decode' %(string expected, got nil%)", raised(json.decode))
    assert.matches("string expected, got 12", raised(json.decode, 12))
  end)

  it("raises for unknown options and wrong values", function()
    assert.matches("unknown option 'bigints'; did you mean 'bigint'?",
      raised(json.decode, "1", { bigints = "number" }), 1, true)
    assert.matches('option \'bigint\' must be "string" or "number"',
      raised(json.decode, "1", { bigint = true }))
  end)
end)

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

  it("writes numbers with as few digits as read back the same", function()
    local written = {
      ["0"] = 0, ["-0"] = -0.0, ["1"] = 1, ["-17"] = -17, ["0.1"] = 0.1, ["12.5"] = 12.5, ["-0.001"] = -0.001,
      ["0.30000000000000004"] = 0.1 + 0.2, ["9007199254740992"] = 2 ^ 53, ["-9007199254740992"] = -2 ^ 53,
      ["9007199254740994.0"] = 2 ^ 53 + 2, ["1e+100"] = 1e100, ["1e-07"] = 1e-7, ["5e-324"] = 5e-324,
      ["1.7976931348623157e+308"] = 1.7976931348623157e308, ["123456.789"] = 123456.789, ["1e+20"] = 1e20,
      ["3.141592653589793"] = math.pi, ["0.3333333333333333"] = 1 / 3, ["1700000000.123"] = 1700000000.123,
      ["100000"] = 1e5, ["999999999999999"] = 999999999999999, ["0.00001"] = 0.00001, ["1.1"] = 1.1,
    }
    for text, value in pairs(written) do assert.equal(text, json.encode(value)) end
  end)

  it("writes numbers that read back the same, whatever they are", function()
    for _ = 1, 10000 do
      local value = math.ldexp(math.random() - 0.5, math.random(-1073, 1024))
      local text = json.encode(value)
      if tonumber(text) ~= value or json.decode(text) ~= value then
        error(("%.17g became %s"):format(value, text))
      end
    end
    for _ = 1, 10000 do
      local value = math.floor((math.random() - 0.5) * 10 ^ math.random(0, 17)) / 10 ^ math.random(0, 9)
      local text = json.encode(value)
      if json.decode(text) ~= value then error(("%.17g became %s"):format(value, text)) end
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
    assert.matches("json_spec.lua:%d+: json.encode: cannot encode a function", message)
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
    assert.matches("%.%.%.[.k]+$", message)
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

describe("json", function()
  local function random_string()
    local characters = { "a", "\"", "\\", "\0", "\n", "\127", "\195\188", "\226\130\172",
      "\240\159\152\128", "/", " " }
    local out = {}
    for i = 1, math.random(0, 20) do out[i] = characters[math.random(#characters)] end
    return table.concat(out)
  end

  local function random_value(depth)
    local kind = math.random(depth > 4 and 6 or 8)
    if kind == 1 then return null end
    if kind == 2 then return math.random() < 0.5 end
    if kind == 3 then return math.random(-1000, 1000) end
    if kind == 4 then return math.floor((math.random() - 0.5) * 2 ^ 54) end
    if kind == 5 then return (math.random() - 0.5) * 10 ^ math.random(-20, 20) end
    if kind == 6 then return random_string() end
    local t = {}
    for i = 1, math.random(0, 12) do
      t[kind == 7 and i or random_string()] = random_value(depth + 1)
    end
    return kind == 7 and json.array(t) or t
  end

  it("gives back what it wrote, in every style", function()
    for i = 1, 1000 do
      local value = random_value(1)
      local text = json.encode(value, { sort = true })
      if i <= 100 then assert.same(value, decoded(text)) end
      assert.equal(text, json.encode(decoded(text), { sort = true }))
      assert.equal(text, json.encode(decoded(json.encode(value)), { sort = true }))
      assert.equal(text, json.encode(decoded(json.encode(value, { pretty = true })), { sort = true }))
    end
  end)

  it("never takes a damaged text for something that cannot be written again", function()
    for _ = 1, 3000 do
      local text = json.encode(random_value(1))
      local at = math.random(#text)
      text = text:sub(1, at - 1) .. string.char(math.random(0, 255)) .. text:sub(at + math.random(0, 2))
      local value, err = json.decode(text)
      if err then
        assert.is_true(err.position >= 1 and err.position <= #text + 1)
      else
        assert.is_string(json.encode(value))
      end
    end
  end)
end)

describe("json.lines", function()
  local function collect(text, opts)
    local values, lines = {}, {}
    for value, line in json.lines(text, opts) do
      values[#values + 1] = value
      lines[#lines + 1] = line
    end
    return values, lines
  end

  it("gives one value per line, with the line's number", function()
    local values, lines = collect('{"a":1}\n[2]\r\n"x"')
    assert.same({ { a = 1 }, { 2 }, "x" }, values)
    assert.same({ 1, 2, 3 }, lines)
  end)

  it("skips blank lines and a byte order mark", function()
    local values, lines = collect("\239\187\191\n\n1\r\n\r\n \t\n2\n\n")
    assert.same({ 1, 2 }, values)
    assert.same({ 3, 6 }, lines)
    assert.same({}, (collect("")))
    assert.same({}, (collect("\n \r\n")))
  end)

  it("gives false and null as values", function()
    assert.same({ false, null, 1 }, (collect("false\nnull\n1\n")))
  end)

  it("splits at LF only", function()
    assert.same({ "a\226\128\168b\194\133" }, (collect('"a\226\128\168b\194\133"\n')))
  end)

  it("raises an error that names the line", function()
    local seen = {}
    local ok, err = pcall(function()
      for value in json.lines('1\n\n2\n{"a":}\n3\n') do seen[#seen + 1] = value end
    end)
    assert.is_false(ok)
    assert.same({ 1, 2 }, seen)
    assert.equal("decode", err.kind)
    assert.equal(4, err.line)
    assert.equal(6, err.column)
    assert.equal(11, err.position)
    assert.matches("^line 4: .*expected a value", err.message)
  end)

  it("takes the options of decode", function()
    assert.same({ "9007199254740993" }, (collect("9007199254740993")))
    assert.same({ 2 ^ 53 }, (collect("9007199254740993", { bigint = "number" })))
    assert.matches("unknown option 'big'", raised(json.lines, "", { big = true }))
    assert.matches("bad argument #1 to 'json.lines'", raised(json.lines, nil))
  end)

  it("takes many lines in linear time", function()
    local text = ("\n"):rep(200000) .. ("1\n"):rep(200000)
    local count = 0
    for _ in json.lines(text) do count = count + 1 end
    assert.equal(200000, count)
  end)
end)
