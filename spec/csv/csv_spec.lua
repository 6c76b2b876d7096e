local csv = require "lurcher.csv"
local fs = require "lurcher.fs"
local http = require "lurcher.http"
local json = require "lurcher.json"
local origin = require "spec.support.origin"

local path

before_each(function() path = os.tmpname() end)
after_each(function() os.remove(path) end)

-- The text in pieces of `size` bytes.
local function pieces(text, size)
  local at = 1 - size
  return function()
    at = at + size
    return at <= #text and text:sub(at, at + size - 1) or nil
  end
end

local function rows(text, opts, size)
  local all = {}
  for row in csv.rows(pieces(text, size or 7), opts) do all[#all + 1] = row end
  return all
end

local function lists(text, opts)
  opts = opts or {}
  opts.header = false
  local all = rows(text, opts)
  for size = 1, 4 do assert.are.same(all, rows(text, opts, size)) end
  return all
end

describe("csv.rows", function()
  it("gives maps by the names of the first row", function()
    assert.are.same({ { name = "Ann", age = "7" }, { name = "Bob", age = "" } }, rows "name,age\nAnn,7\nBob,\n")
    assert.are.same({}, rows "name,age\n")
    assert.are.same({}, rows "")
  end)

  it("gives lists without a header, and maps by names that are given", function()
    assert.are.same({ { "name", "age" }, { "Ann", "7" } }, rows("name,age\nAnn,7\n", { header = false }))
    assert.are.same({ { a = "1", b = "2" } }, rows("1,2\n", { header = { "a", "b" } }))
  end)

  it("reads RFC 4180's quotes, and line ends in them", function()
    assert.are.same({ { 'a "b"', "c,d", "e\r\nf", "", "g" } }, lists '"a ""b""","c,d","e\r\nf","",g\r\n')
    assert.are.same({ { '"' }, { '""' }, { "" } }, lists '""""\n""""""\n""\n')
    assert.are.same({ { 'a"b', 'c""d' } }, lists 'a"b,c""d\n')
  end)

  it("takes LF and CRLF, a last line without end, and blank lines", function()
    assert.are.same({ { "a", "b" }, { "c", "d" }, { "e", "f" } }, lists "a,b\r\nc,d\n\n\r\ne,f")
    assert.are.same({ { "a", "b" } }, lists "a,b\r")
    assert.are.same({ { "a\rb", "" } }, lists "a\rb,\n")
    assert.are.same({ { "", "" }, { "", "" } }, lists ",\n,")
  end)

  it("drops a byte order mark", function()
    assert.are.same({ { "a", "b" } }, lists "\239\187\191a,b\n")
    assert.are.same({ { "a", "b" } }, lists '\239\187\191"a",b\n')
    assert.are.same({ { "\239\187" } }, lists "\239\187")
    assert.are.same({}, lists "\239\187\191")
  end)

  it("takes other separators", function()
    for _, separator in ipairs { ";", "\t", "|", "%", "^", "]", "-", " ", "a", "." } do
      assert.are.same({ { "1,2", "x" .. separator .. "y", "" } },
        lists(('1,2%s"x%sy"%s\n'):format(separator, separator, separator), { separator = separator }), separator)
    end
    for _, wrong in ipairs { "", ",,", '"', "\n" } do
      assert.error_matches(function() csv.rows(path, { separator = wrong }) end,
        "option 'separator' must be one character")
    end
  end)

  local function fails(text, opts)
    local iterator, row = csv.rows(pieces(text, 3), opts), nil
    local ok, err = pcall(function()
      for one in iterator do row = one end
    end)
    assert.is_false(ok)
    assert.are.equal("decode", err.kind)
    assert.is_nil(iterator()) -- over
    return err, row
  end

  it("raises for ragged rows, with the line", function()
    local err, row = fails "a,b\n1,2\n\"x\ny\",4\n\n5\n"
    assert.are.equal("line 6 has 1 field, not 2", err.message)
    assert.are.equal(6, err.line)
    assert.are.same({ a = "x\ny", b = "4" }, row)
    assert.are.equal("line 2 has 3 fields, not 2", fails("a,b\n1,2,3\n").message)
    assert.are.equal("line 3 has 2 fields, not 1", fails("a\nb\nc,d\n", { header = false }).message)
    assert.are.equal("line 1 has 1 field, not 2", fails("a\n", { header = { "a", "b" } }).message)
  end)

  it("raises for quotes that do not fit", function()
    assert.are.equal("line 2 has something behind a quoted field", fails('a\n"b"c\n').message)
    assert.are.equal("line 2 has something behind a quoted field", fails('a\n"b"\rc\n').message)
    assert.are.equal("line 3 begins a quoted field that does not end", fails('a\nb\n"c\nd\n').message)
  end)

  it("raises for a header that names a column twice", function()
    assert.are.equal("line 1 names the column 'a' twice", fails("a,b,a\n1,2,3\n").message)
    assert.error_matches(function() csv.rows(path, { header = { "a", "a" } }) end, "the column 'a' is there twice")
  end)

  it("bounds its rows", function()
    local count = 0
    local ok, err = pcall(csv.rows(function()
      count = count + 1
      return count == 1 and '"' or ("x"):rep(1024 * 1024)
    end, { header = false }))
    assert.is_false(ok)
    assert.are.equal("too_large", err.kind)
    assert.is_true(count < 20)
  end)

  it("reads files of any size", function()
    local out = assert(fs.writer(path))
    out:write "id,text\n"
    for i = 1, 50000 do out:write(('%d,"line %d\n of, many"\n'):format(i, i)) end
    out:close()
    local count = 0
    for row in csv.rows(path) do
      count = count + 1
      if row.id ~= tostring(count) or row.text ~= ("line %d\n of, many"):format(count) then error(row.id) end
    end
    assert.are.equal(50000, count)
  end)

  it("names the file that is missing or wrong", function()
    local ok, err = pcall(csv.rows "/nonexistent.csv")
    assert.is_false(ok)
    assert.are.equal("ENOENT", err.code)
    fs.write(path, "a,b\n1\n")
    ok, err = pcall(csv.rows(path))
    assert.is_false(ok)
    assert.are.equal(path .. ": line 2 has 1 field, not 2", err.message)
  end)

  it("reads a response as it comes", function()
    local site = origin.start()
    site.answer = { body = pieces("a;b\n1;2\n3;4\n", 5) }
    local sum = 0
    http.default():stream("GET", site.url, nil, function(res)
      for row in csv.rows(res:chunks(), { separator = ";" }) do sum = sum + row.a * row.b end
    end)
    assert.are.equal(14, sum)
    site:stop()
  end)

  it("raises what its source raises or returns", function()
    assert.error_matches(function() csv.rows(function() return nil, "broken" end)() end, "^broken$")
    assert.error_matches(function() csv.rows(function() return 7 end)() end, "the iterator gave a number")
    assert.error_matches(function() csv.rows(7) end, "bad argument #1 to 'csv.rows'")
  end)

  it("takes linear time", function()
    for _, text in ipairs { ('""'):rep(100000), (","):rep(300000), ("\r"):rep(300000), ("\n"):rep(300000),
      '"' .. ('""'):rep(300000) .. '"', ("a"):rep(300000) } do
      pcall(rows, text, { header = false }, 4096)
    end
  end)
end)

describe("csv.writer", function()
  it("writes rows as RFC 4180 has them", function()
    local out = assert(csv.writer(path, { columns = { "name", "note", "n" } }))
    assert.is_true(out:write { name = "Ann", note = 'says "hi", twice', n = 1.5 })
    assert.is_true(out:write { "Bob", "two\nlines", true })
    assert.is_true(out:write { name = "Cyd", n = json.null })
    assert.is_true(out:write { "Dan" })
    assert.is_true(out:close())
    assert.are.equal('name,note,n\r\nAnn,"says ""hi"", twice",1.5\r\nBob,"two\nlines",true\r\nCyd,,\r\nDan,,\r\n',
      fs.read(path))
  end)

  it("writes lists without a header", function()
    local out = assert(csv.writer(path, { separator = ";" }))
    out:write { "a;b", "c,d", 2 ^ 53 }
    out:write { 1, nil, 0.1 }
    out:close()
    assert.are.equal('"a;b";c,d;9007199254740992\r\n1;;0.1\r\n', fs.read(path))
  end)

  it("writes what it reads", function()
    local data = { { "", "a,b", 'q"q' }, { "\n", "\r\n", " x " }, { '"', "", "é" } }
    local out = assert(csv.writer(path))
    for _, row in ipairs(data) do out:write(row) end
    out:close()
    local i = 0
    for row in csv.rows(path, { header = false }) do
      i = i + 1
      assert.are.same(data[i], row)
    end
    assert.are.equal(3, i)
    out = assert(csv.writer(path, { columns = { "only" } }))
    out:write { "" }
    out:write { only = "x" }
    out:close()
    local read = {}
    for row in csv.rows(path) do read[#read + 1] = row.only end
    assert.are.same({ "", "x" }, read)
  end)

  it("raises for what cannot be meant", function()
    local out = assert(csv.writer(path, { columns = { "name", "age" } }))
    for message, row in pairs {
      ["unknown column 'nam'; did you mean 'name'"] = { nam = "x" },
      ["a row of 3 fields, not 2"] = { 1, 2, 3 },
      ["field 'name' is a table"] = { name = {} },
      ["field 2 is a secret, which is not written"] = { 1, http.secret "x" },
    } do
      assert.error_matches(function() out:write(row) end, message)
    end
    out:close()
    assert.error_matches(function() out:write { 1 } end, "was closed")
    local other = assert(csv.writer(path))
    assert.error_matches(function() other:write { a = 1 } end, "needs the option 'columns'")
    assert.error_matches(function() other:write {} end, "a row of 0 fields")
    other:write { 1, 2 }
    assert.error_matches(function() other:write { 1, 2, 3 } end, "a row of 3 fields, not 2")
    other:close()
    assert.error_matches(function() csv.writer(path, { columns = { "a", "a" } }) end, "is there twice")
  end)

  it("fails with kind file", function()
    local out, err = csv.writer "/nonexistent/file.csv"
    assert.is_nil(out)
    assert.are.equal("file", err.kind)
  end)
end)
