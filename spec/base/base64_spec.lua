local base64 = require "lurcher.base.base64"

describe("base64", function()
  it("encodes every length", function()
    for text, encoded in pairs { [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==",
      ["\255\254\0"] = "//4A" } do
      assert.are.equal(encoded, base64.encode(text))
    end
  end)
end)
