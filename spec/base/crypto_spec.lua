local clock = require "lurcher.clock"
local crypto = require "lurcher.crypto"
local http = require "lurcher.http"
local task = require "lurcher.task"

local function pieces(list)
  local i = 0
  return function()
    i = i + 1
    return list[i]
  end
end

local function from_hex(text)
  return (text:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end))
end

describe("a digest", function()
  local KNOWN = {
    md5 = { "d41d8cd98f00b204e9800998ecf8427e", "900150983cd24fb0d6963f7d28e17f72" },
    sha1 = { "da39a3ee5e6b4b0d3255bfef95601890afd80709", "a9993e364706816aba3e25717850c26c9cd0d89d" },
    sha256 = { "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    sha512 = { "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
      .. "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
      .. "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
  }

  for name, wanted in pairs(KNOWN) do
    it(name .. " is hexadecimal", function()
      assert.are.equal(wanted[1], crypto[name](""))
      assert.are.equal(wanted[2], crypto[name]("abc"))
      assert.are.equal(wanted[2], crypto[name](http.secret "abc"))
      assert.are.equal(wanted[2], crypto[name](pieces { "a", "", "bc" }))
      assert.are.equal(wanted[1], crypto[name](pieces {}))
    end)
  end

  it("comes in other forms", function()
    local raw = crypto.sha1("abc", "raw")
    assert.are.equal(20, #raw)
    assert.are.equal(crypto.sha1 "abc", crypto.hex(raw))
    assert.are.equal("qZk+NkcGgWq6PiVxeFDCbJzQ2J0=", crypto.sha1("abc", "base64"))
    assert.are.equal("qZk-NkcGgWq6PiVxeFDCbJzQ2J0", crypto.sha1("abc", "base64url"))
    assert.error_matches(function() crypto.sha1("abc", "binary") end,
      "bad argument #2 to 'crypto.sha1' %(\"hex\", \"raw\", \"base64\" or \"base64url\" expected")
  end)

  it("of a long text lets other tasks run", function()
    local turns, over = 0, false
    local other = task.spawn(function()
      while not over do
        turns = turns + 1
        task.yield()
      end
    end)
    local text = ("a"):rep(20 * 1024 * 1024)
    local whole = crypto.sha256(text)
    over = true
    other:join()
    assert.is_true(turns >= 4)
    assert.are.equal(crypto.sha256(pieces { text:sub(1, 12345678), text:sub(12345679) }), whole)
  end)

  it("of an iterator that fails is its failure", function()
    local digest, err = crypto.sha256(function() return nil, "broken" end)
    assert.is_nil(digest)
    assert.are.equal("broken", err)
    assert.error_matches(function() crypto.sha256(function() error("oh", 0) end) end, "^oh$")
    assert.error_matches(function() crypto.sha256(pieces { 7 }) end, "gave a number, not a string")
  end)

  it("needs a text or an iterator", function()
    assert.error_matches(function() crypto.md5() end, "to 'crypto.md5' %(a string or an iterator")
    assert.error_matches(function() crypto.md5 { "a" } end, "expected, got a table")
  end)
end)

describe("crypto.hmac", function()
  it("computes RFC 4231's examples", function()
    assert.are.equal("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
      crypto.hmac("sha256", ("\11"):rep(20), "Hi There"))
    assert.are.equal("164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
      .. "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
      crypto.hmac("sha512", "Jefe", "what do ya want for nothing?"))
    assert.are.equal("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
      crypto.hmac("SHA-256", ("\170"):rep(131), "Test Using Larger Than Block-Size Key - Hash Key First"))
    assert.are.equal("750c783e6ab0b503eaa86e310a5db738",
      crypto.hmac("md5", "Jefe", "what do ya want for nothing?"))
  end)

  it("takes empty keys and texts, secrets, iterators and raw results", function()
    local empty = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"
    assert.are.equal(empty, crypto.hmac("sha256", "", ""))
    assert.are.equal(crypto.hmac("sha1", "key", "text"),
      crypto.hmac("sha1", http.secret "key", pieces { "te", "xt" }))
    assert.are.equal(empty, crypto.hex(crypto.hmac("sha256", "", "", "raw")))
  end)

  it("names the digest that it does not know", function()
    assert.error_matches(function() crypto.hmac("sha255", "k", "t") end,
      "crypto.hmac: unknown digest 'sha255'; did you mean 'sha25?6?")
  end)
end)

describe("crypto.file", function()
  it("is the digest of a file", function()
    local path = os.tmpname()
    local text = ("0123456789abcde\n"):rep(100000)
    local file = io.open(path, "wb")
    file:write(text)
    file:close()
    assert.are.equal(crypto.sha256(text), crypto.file("sha256", path))
    assert.are.equal(crypto.md5(text, "base64"), crypto.file("md5", path, "base64"))
    os.remove(path)
  end)

  it("of a file that is missing is kind file", function()
    local digest, err = crypto.file("sha256", "/nonexistent/file")
    assert.is_nil(digest)
    assert.are.equal("file", err.kind)
    assert.are.equal("ENOENT", err.code)
  end)
end)

describe("base64", function()
  it("encodes every length", function()
    for text, encoded in pairs { [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==",
      ["\255\254\0"] = "//4A", ["\251\255"] = "+/8=" } do
      assert.are.equal(encoded, crypto.base64(text))
      assert.are.equal((encoded:gsub("=", ""):gsub("%+", "-"):gsub("/", "_")), crypto.base64url(text))
    end
  end)

  it("is decoded, with or without padding, blanks and line ends", function()
    for i = 0, 40 do
      local bytes = crypto.random(i)
      assert.are.equal(bytes, crypto.base64_decode(crypto.base64(bytes)))
      assert.are.equal(bytes, crypto.base64_decode((crypto.base64(bytes):gsub("=", ""))))
      assert.are.equal(bytes, crypto.base64_decode((crypto.base64(bytes):gsub("...", "%0\r\n\t "))))
      assert.are.equal(bytes, crypto.base64url_decode(crypto.base64url(bytes)))
    end
    assert.are.equal("foob", crypto.base64_decode(http.secret "Zm9vYg=="))
  end)

  for text, place in pairs { ["Zm9v*"] = 5, ["Zm9vY"] = 5, ["Zg==Zg=="] = 5, ["Zg="] = 3, ["="] = 1,
    ["Zm9v===="] = 5, ["Zm9v-_"] = 5, ["Z"] = 1, ["\0"] = 1, ["Zg=== "] = 5 } do
    it(("refuses %q"):format(text), function()
      local bytes, err = crypto.base64_decode(text)
      assert.is_nil(bytes)
      assert.are.equal("decode", err.kind)
      assert.are.equal("not valid base64 at byte " .. place, err.message)
    end)
  end

  it("for URLs has an alphabet of its own", function()
    local bytes, err = crypto.base64url_decode "+/8"
    assert.is_nil(bytes)
    assert.are.equal("not valid base64url at byte 1", err.message)
  end)
end)

describe("crypto.hex", function()
  it("writes each byte as two digits in lower case", function()
    assert.are.equal("", crypto.hex "")
    assert.are.equal("00ff0aabcd", crypto.hex "\0\255\10\171\205")
    assert.are.equal("\0\255\10", from_hex(crypto.hex "\0\255\10"))
  end)
end)

describe("crypto.random", function()
  it("gives as many bytes as asked for, others each time", function()
    assert.are.equal("", crypto.random(0))
    assert.are.equal(33, #crypto.random(33))
    assert.are_not.equal(crypto.random(16), crypto.random(16))
  end)

  it("is not foreseen in virtual time either", function()
    local a, b
    clock.virtual(function() a = crypto.random(16) end)
    clock.virtual(function() b = crypto.random(16) end)
    assert.are_not.equal(a, b)
  end)

  it("refuses what is no number of bytes", function()
    for _, count in ipairs { -1, 1.5, 1e9, "16" } do
      assert.error_matches(function() crypto.random(count) end, "crypto.random")
    end
  end)
end)

describe("crypto.uuid", function()
  it("is of version 4, or 7", function()
    local shape = "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-V%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"
    assert.matches((shape:gsub("V", "4")), crypto.uuid())
    assert.matches((shape:gsub("V", "7")), crypto.uuid(7))
    assert.error_matches(function() crypto.uuid(1) end, "versions 4 and 7 can be had, not 1")
  end)

  it("of version 7 tells its time and sorts by it, within a millisecond too", function()
    local before = os.time()
    local last = ""
    for _ = 1, 10000 do
      local id = crypto.uuid(7)
      assert.is_true(id > last)
      last = id
    end
    local milliseconds = tonumber(last:sub(1, 8) .. last:sub(10, 13), 16)
    assert.is_true(math.abs(milliseconds / 1000 - before) < 60)
  end)
end)

describe("crypto.equal", function()
  it("compares texts", function()
    assert.is_true(crypto.equal("abc", "abc"))
    assert.is_true(crypto.equal("", ""))
    assert.is_true(crypto.equal(http.secret "abc", "abc"))
    assert.is_false(crypto.equal("abc", "abd"))
    assert.is_false(crypto.equal("abc", "abcd"))
    assert.error_matches(function() crypto.equal("a", nil) end, "bad argument #2 to 'crypto.equal'")
  end)
end)
