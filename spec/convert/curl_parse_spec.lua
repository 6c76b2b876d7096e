local curl = require "lurcher.curl"

local function parsed(command, values)
  return assert(curl.parse(command, values))
end

local function refused(command)
  local request, err = curl.parse(command)
  assert.is_nil(request, command)
  assert.equal("decode", err.kind)
  return err.message
end

describe("curl.parse", function()
  it("gives method, URL and options", function()
    local request = parsed [[curl -H 'X-Name: Ada' -d a=1 --data b=2 example.com/items]]
    assert.equal("POST", request.method)
    assert.equal("http://example.com/items", request.url)
    assert.equal("a=1&b=2", request.opts.body)
    assert.same({ ["X-Name"] = "Ada", ["Content-Type"] = "application/x-www-form-urlencoded" }, request.opts.headers)
    assert.equal(0, request.opts.redirects)
    assert.same({}, request.parameters)
    assert.same({}, request.warnings)
  end)

  it("takes the words of a command, with and without curl before them", function()
    for _, words in ipairs { { "curl", "-X", "PUT", "http://a/$b" }, { "-XPUT", "http://a/$b" } } do
      local request = parsed(words)
      assert.equal("PUT", request.method)
      assert.equal("http://a/$b", request.url)
      assert.same({}, request.parameters)
    end
  end)

  it("makes variables parameters, or puts their values in", function()
    local command = [[curl -H "Authorization: Bearer $TOKEN" "http://a/${ID}x" -H 'Price: $5']]
    local request = parsed(command)
    assert.equal("Bearer $TOKEN", request.opts.headers.Authorization)
    assert.equal("http://a/${ID}x", request.url)
    assert.equal("$5", request.opts.headers.Price)
    assert.same({ "ID", "TOKEN" }, request.parameters)
    request = parsed(command, { TOKEN = "t", ID = "7" })
    assert.equal("Bearer t", request.opts.headers.Authorization)
    assert.equal("http://a/7x", request.url)
    assert.same({}, request.parameters)
  end)

  it("has variables encoded when they are sent", function()
    local text = [[curl -d b=1 --data-urlencode "n=a $X" --data-urlencode 'm=c d' http://h/]]
    local request = assert(curl.parse(text))
    assert.same({ { "b", "1" }, { "n", "a $X" }, { "m", "c d" } }, request.opts.form)
    assert.same({ "X" }, request.parameters)
    assert.is_nil(request.opts.body)
    assert.matches('form = .*"n", "a " .. x', curl.script(request))
    assert.same({ { "n", "$X" } }, assert(curl.parse [[curl -G --data-urlencode "n=$X" http://h/]]).opts.params)
    local queried = assert(curl.parse [[curl --url-query a=1 --url-query "n=$X" http://h/]])
    assert.same({ "http://h/?a=1", { { "n", "$X" } } }, { queried.url, queried.opts.params })
    assert.equal("b=1&n=a+%26&m=c+d", assert(curl.parse(text, { X = "&" })).opts.body)
    for _, words in ipairs { [[--data-urlencode "$X"]], [[--data-urlencode "n@$X"]], [[-d a --data-urlencode "n=$X"]],
      [[-d @/etc/hostname --data-urlencode "n=$X"]], [[--url-query "n=$X" --url-query a=1]], [[-H "@$X"]] } do
      local _, err = curl.parse("curl http://h/ " .. words)
      assert.equal("decode", err and err.kind, words)
    end
  end)

  it("never raises for a file that a variable names", function()
    for _, words in ipairs { [[-d "@$F"]], [[--data-binary "@$F"]], [[-T "$F"]], [[-F "a=@$F"]], [[-F "a=<$F"]],
      [[-F "a=@$F,x"]], [[-F "a=b;headers=@$F"]], [[-b "$F"]] } do
      local request, err = curl.parse("curl http://h/x " .. words)
      assert(request or err.kind == "file" or err.kind == "decode", words)
    end
  end)

  it("names what it does not understand", function()
    for command, message in pairs {
      ["curl --frobnicate http://a"] = "the option --frobnicate is not understood",
      ["curl --ntlm http://a"] = "--ntlm is not understood",
      ["curl -K file http://a"] = "--config is not understood",
      ["curl -d `date` http://a"] = "`date` is never run",
      ["curl -d $(date) http://a"] = "$(date) is never run",
      ["curl http://a 'b"] = "line 1, column 15: the ' is never closed",
      ["curl http://a \\\n  -d \"b"] = "line 2, column 6: the \" is never closed",
      ["curl http://a -X"] = "the value of -X is missing",
      ["curl --da x http://a"] = "it could mean --data, --data-ascii",
      ["curl"] = "the command has no URL",
      ["echo a"] = "there is no curl command",
      ["curl http://a http://b"] = "these are 2 requests",
      ["curl -d a -F b=c http://a"] = "--data and --form exclude each other",
    } do
      assert.matches(message, refused(command), 1, true)
    end
  end)

  it("follows as many redirects as curl, and tells where the method would differ", function()
    for options, redirects in pairs { [""] = 0, ["-L"] = 50, ["-L --max-redirs 3"] = 3, ["--max-redirs 3"] = 0,
      ["-L --max-redirs -1"] = 2 ^ 31, ["-L --no-location"] = 0 } do
      local request = parsed("curl http://a " .. options)
      assert.same({ redirects, {} }, { request.opts.redirects, request.warnings }, options)
    end
    for options, warnings in pairs { ["-d a"] = 0, ["-X GET"] = 0, ["-X POST -d a"] = 1, ["-X DELETE"] = 1 } do
      local requests = assert(curl.parse_all("curl -L http://a/[1-3] " .. options))
      assert.equal(warnings, #requests[1].warnings, options)
    end
  end)

  it("raises for what is no command", function()
    assert.has_error(function() curl.parse(7) end,
      "bad argument #1 to 'curl.parse' (string or table expected, got 7)")
    local _, message = pcall(curl.parse, { "a", 7 })
    assert.matches("curl.parse: word 2 is no string", message, 1, true)
  end)
end)
