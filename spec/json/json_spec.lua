local json = require "lurcher.json"

local null = json.null

-- What a call that must raise says, without the position in front.
local raised = require("spec.support.raising").message

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

  -- Whole numbers beyond 2^53 are written as JavaScript writes them, without a sign that they were doubles.
  local AS_NUMBERS = { bigint = "number" }

  it("gives back what it wrote, in every style", function()
    for i = 1, 1000 do
      local value = random_value(1)
      local text = json.encode(value, { sort = true })
      if i <= 100 then assert.same(value, decoded(text, AS_NUMBERS)) end
      assert.equal(text, json.encode(decoded(text, AS_NUMBERS), { sort = true }))
      assert.equal(text, json.encode(decoded(json.encode(value), AS_NUMBERS), { sort = true }))
      assert.equal(text, json.encode(decoded(json.encode(value, { pretty = true }), AS_NUMBERS), { sort = true }))
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
    assert.matches("^line 4: JSON does not parse at column 6 .*expected a value", err.message)
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

describe("lua-cjson", function()
  local cjson = require "cjson"

  it("agrees with lurcher.json where it loses nothing", function()
    local text = '{"a":[1,2.5,-3e2,null,true],"b":{"c":"\\u00fc\\n","d":{}},"e":"x"}'
    assert.same(cjson.decode(text), decoded(text))
    assert.same(decoded(text), cjson.decode(json.encode(decoded(text))))
    assert.equal(cjson.null, json.null)
  end)

  it("comes with its safe variant", function()
    local value, message = require("cjson.safe").decode("{")
    assert.is_nil(value)
    assert.is_string(message)
  end)

  it("takes keys for what they are: new, seen before, alike, long or empty", function()
    local expected, parts = {}, {}
    for i = 1, 2000 do
      for _, key in ipairs { "k" .. i, ("a%04dm%04dz"):format(i, i), ("long"):rep(10) .. i } do
        expected[key] = i
        parts[#parts + 1] = ('"%s":%d'):format(key, i)
      end
    end
    expected[""] = 0
    parts[#parts + 1] = '"":0'
    local text = "{" .. table.concat(parts, ",") .. "}"
    for _ = 1, 3 do assert.are.same(expected, json.decode(text)) end
    assert.are.same({ { id = 1 }, { id = 2, di = 3 } }, json.decode '[{"id":1},{"id":2,"di":3}]')
  end)
end)
