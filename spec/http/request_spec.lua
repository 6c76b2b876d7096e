local request = require "lurcher.http.request"

describe("a base URL", function()
  for _, case in ipairs {
    { "https://h/v1", "items", "https://h/v1/items" },
    { "https://h/v1", "/items", "https://h/v1/items" },
    { "https://h/v1/", "items", "https://h/v1/items" },
    { "https://h", "items", "https://h/items" },
    { "https://h/", "/", "https://h/" },
    { "https://h/v1", "", "https://h/v1" },
    { "https://h/v1/", "", "https://h/v1/" },
    { "https://h/v1", "?a=1", "https://h/v1?a=1" },
    { "https://h/v1", "#f", "https://h/v1#f" },
    { "https://h/v1", "a:b", "https://h/v1/a:b" },
    { "https://h/v1", "//other/x", "https://h/v1//other/x" },
    { "https://h/v1", "items?u=http://x/", "https://h/v1/items?u=http://x/" },
    { "https://h/v1?k=1", "items", "https://h/v1/items?k=1" },
    { "https://h/v1?k=1", "items?a=2#f", "https://h/v1/items?k=1&a=2#f" },
    { "https://h/v1", "HTTP://other/x", "HTTP://other/x" },
    { "https://h/v1", "ftp://other/x", "ftp://other/x" },
  } do
    it(("%s with %q gives %s"):format(unpack(case)), function()
      assert.are.equal(case[3], request.below(request.base(case[1]), case[2]))
    end)
  end
end)

describe("a canonical URL", function()
  it("is split into what is sent, fragment, user and password", function()
    assert.are.same({ "https://h/p?q=@", "#f@" }, { request.split("https://h/p?q=@#f@") })
    assert.are.same({ "https://h/", "", "us er", "p@ss" }, { request.split("https://us%20er:p%40ss@h/") })
    assert.are.same({ "https://h/", "#f", "user", "" }, { request.split("https://user@h/#f") })
  end)
end)
