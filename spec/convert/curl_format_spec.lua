-- Requests as curl commands: each sends the bytes of the request.

local curl = require "lurcher.curl"
local faults = require "spec.support.faults"
local generated = require "spec.support.generated"
local http = require "lurcher.http"
local json = require "lurcher.json"
local origin = require "spec.support.origin"
local process = require "lurcher.process"
local recorder = require "spec.support.recorder"

-- Runs shell text in dash, as one process.
local function run(text, env)
  env = env or {}
  env.PATH, env.HOME = os.getenv "PATH", "/nonexistent"
  return assert(process.run("dash", { "-s" }, { stdin = text, env = env, timeout = 100 }))
end

-- What may differ: where curl puts the credentials of -u, and the boundary that it makes.
local function comparable(text, is_multipart)
  local head, body = text:match("^(.-\r\n)\r\n(.*)$")
  local line = head:match("\nAuthorization: Basic [^\r]*\r\n")
  if line then head = head:gsub("Authorization: Basic [^\r]*\r\n", "", 1) .. line:sub(2) end
  if is_multipart then
    local boundary = head:match("boundary=([^\r]*)")
    if boundary then
      head = head:gsub("boundary=[^\r]*", "boundary=B"):gsub("Content%-Length: %d+\r\n", "")
      body = body:gsub("%-%-" .. boundary:gsub("%p", "%%%0"), "--B")
      -- libcurl puts the type of a form behind its length
      local content_type = head:match("\nContent%-Type: multipart[^\r]*\r\n")
      head = head:gsub("Content%-Type: multipart[^\r]*\r\n", "", 1) .. content_type:sub(2)
    end
  end
  return head .. "\r\n" .. body
end

-- Runs many commands; those that need no pipe as one process of curl, which takes a while to start.
local function run_all(commands)
  local alone, together = {}, {}
  for _, command in ipairs(commands) do
    local list = command:find("^curl ") and together or alone
    list[#list + 1] = command:gsub("curl ", list == alone and "curl -s -o /dev/null " or "-s -o /dev/null ", 1)
  end
  local text = table.concat(alone, "\n") .. "\ncurl " .. table.concat(together, " --next ") .. "\n"
  assert.are.equal("", run(text).stderr)
end

-- Sends each case, and its command; both have to come as the same bytes.
local function compare(record, client, cases)
  local commands = {}
  for _, case in pairs(cases) do
    assert(client:request(case.method, case.url, case.opts))
    case.command = assert(curl.format(case.method, case.url, case.opts, { secrets = true }))
    commands[#commands + 1] = case.command
  end
  local ours = record:take()
  run_all(commands)
  local theirs = record:take()
  for number, case in pairs(cases) do
    assert.are.equal(#ours[number], #(theirs[number] or {}), case.command:sub(1, 2000))
    for i, text in ipairs(ours[number]) do
      assert.are.equal(comparable(text, case.is_multipart), comparable(theirs[number][i], case.is_multipart),
        case.command:sub(1, 2000))
    end
  end
end

describe("curl.format", function()
  it("gives commands that send the same bytes, for requests of all kinds", function()
    local count, size = faults.sanitized() and 100 or 1000, 100
    local record, make = recorder.start(), generated.new(20260)
    local client = http.client { cookies = false, retry = false }
    for first = 1, count, size do
      local cases = {}
      for number = first, first + size - 1 do cases[number] = make(number, record.url) end
      compare(record, client, cases)
    end
  end)

  it("gives a readable line in single quotes", function()
    local command = curl.format("POST", "https://example.com/users", { json = { name = "it's" }, user_agent = "me" })
    assert.are.equal(table.concat({ "curl 'https://example.com/users' -H 'Accept: */*'",
      "-H 'Accept-Encoding: gzip, deflate, br, zstd' --compressed -H 'User-Agent: me'",
      "-H 'Content-Type: application/json' --data-raw '{\"name\":\"it'\\''s\"}' -L" }, " "), command)
  end)

  it("writes what quotes cannot hold, or a terminal would act on, by printf", function()
    local command = curl.format("PUT", "http://127.0.0.1/", { body = "a\0b\27[31m%\\" })
    assert.are.equal("printf 'a\\000b\\033[31m%%\\134' | curl -X PUT 'http://127.0.0.1/'", command:match("^.-/'"))
    assert.matches("--data-binary @-", command, 1, true)
  end)

  it("reads files, parts of files, and standard input in the place of an iterator", function()
    local function words(body, path)
      return curl.format("POST", "http://h" .. (path or "/up"), { body = body })
    end
    assert.matches(" -T '/tmp/a' ", words(http.file "/tmp/a"), 1, true)
    assert.matches("^cat '/tmp/a' | curl .* %-%-data%-binary @%-", words(http.file "/tmp/a", "/up/"))
    assert.matches("^tail %-c %+6 '%./%-a' | head %-c 7 | curl ", words(http.file("-a", { offset = 5, length = 7 })))
    assert.matches(" -T - -L # the body came from an iterator", words(function() end), 1, true)
  end)

  it("names secrets by variables, and shows them when told so", function()
    local function shown(opts, url, how) return (curl.format("GET", url or "http://h/", opts, how)) end
    local function has(text, ...) assert.matches(text, shown(...), 1, true) end
    has("-H 'Authorization: Bearer '\"$TOKEN\"", { auth = http.bearer "abc" })
    has("-H 'Authorization: Bearer '\"$TOKEN\"", { headers = { Authorization = "Bearer abc" } })
    has("-H 'Authorization: Key '\"$AUTHORIZATION\"", { headers = { Authorization = "Key abc" } })
    has("-u 'ada:'\"$PASSWORD\"", { auth = { "ada", "abc" } })
    has("--digest -u 'ada:'\"$PASSWORD\"", { auth = http.digest("ada", "abc") })
    has("-u 'ada:'\"$PASSWORD\"", {}, "http://ada:abc@h/")
    has("-H 'Cookie: '\"$COOKIE\"", { headers = { Cookie = "a=b" } })
    has("-H 'X-Api-Key: '\"$X_API_KEY\"", { headers = { ["X-Api-Key"] = "abc" }, secret_headers = { "x-api-key" } })
    has("-H 'X-Api-Key: '\"$X_API_KEY\"", { headers = { ["X-Api-Key"] = http.secret "abcdef" } })
    has("'http://h/?a=1&api_key='\"$API_KEY\"'&b=2'", {}, "http://h/?a=1&api_key=abc&b=2")
    has("'{\"pin\":\"'\"$PIN\"'\"}'", { json = { pin = http.secret "123456" } })
    has("-x 'http://u:'\"$PROXY_PASSWORD\"'@p:1'", { proxy = "http://u:abc@p:1" })
    has("-H 'Authorization: Bearer abc'", { auth = http.bearer "abc" }, nil, { secrets = true })
    has("-u 'ada:abc'", { auth = { "ada", "abc" } }, nil, { secrets = true })
  end)

  it("sends the same bytes when the variables are set", function()
    local record = recorder.start()
    local opts = { auth = { "ada", "it's $x" }, headers = { Cookie = "a=b; c=d", ["X-Key"] = http.secret "k%s\\1 2" },
      body = http.secret "nul\0%s" .. " and more" }
    local url = record.url .. "/c1/?token=abc"
    assert(http.post(url, opts))
    local ours = record:take()
    local command = curl.format("POST", url, opts)
    for _, text in ipairs { "it's", "a=b", "k%s", "abc" } do assert.is_nil(command:find(text, 1, true)) end
    opts.body = nil
    command = command:gsub("^printf.-| ", "printf 'nul\\000%%%%s and more' | ")
    run(command, { PASSWORD = "it's $x", COOKIE = "a=b; c=d", X_KEY = "k%s\\1 2", TOKEN = "abc" })
    assert.are.equal(comparable(ours[1][1]), comparable(record:take()[1][1]))
  end)

  it("says how the request travels", function()
    local command = curl.format("GET", "items", { base_url = "http://h/v1", timeout = { total = 5, connect = 0.5 },
      redirects = 3, http_version = "1.1", tls = { verify = false, ca = "ca.pem" }, unix_socket = "/run/x",
      resolve = { ["h:80"] = "127.0.0.1" }, ip = "4", no_proxy = { "a", "b" }, proxy = "socks5h://p" })
    assert.matches("-L --max-redirs 3 -m 5 --connect-timeout 0.5 --http1.1 -k --cacert 'ca.pem' -x 'socks5h://p' "
      .. "--noproxy 'a,b' --unix-socket '/run/x' --resolve 'h:80:127.0.0.1' -4", command, 1, true)
    assert.matches("'http://h/v1/items'", command, 1, true)
  end)

  it("returns nil and kind 'url' for a URL that cannot be used, and raises for mistakes", function()
    local command, err = curl.format("GET", "no scheme")
    assert.is_nil(command)
    assert.are.equal("url", err.kind)
    assert.error_matches(function() curl.format("GET", "http://h", { timout = 5 }) end, "unknown option 'timout'")
    assert.error_matches(function() curl.format("GET", "http://h", {}, { secret = true }) end, "did you mean 'secrets'")
  end)
end)

describe("res:curl and err:curl", function()
  local site, client
  before_each(function()
    site = origin.start()
    client = http.client { base_url = site.url, headers = { ["X-Of"] = "client" }, retry = false }
  end)
  after_each(function() site:stop() end)

  it("tell the call with the options of its client", function()
    local plain = assert(client:get "a"):curl()
    assert.matches("^curl '" .. site.url .. "/a' .*%-H 'X%-Of: client'", plain)
    local res = assert(client:post("a", { json = { 1 }, headers = { ["X-Of"] = "call" }, params = { q = 1 } }))
    local posted = res:curl()
    assert.matches("^curl '" .. site.url .. "/a%?q=1' .*%-H 'X%-Of: call'.* %-%-data%-raw '%[1%]'", posted)
    assert.is_nil(posted:find("client", 1, true))
  end)

  it("tell the call's own URL after redirects, and each hop in the history", function()
    site.paths["/a"] = { status = 303, headers = { Location = "/b" } }
    local res = assert(client:post("a", { body = "x" }))
    assert.are.equal("GET", res.method)
    assert.matches("/a' .*%-%-data%-raw 'x'", res:curl())
    assert.matches("/a' .*%-%-data%-raw 'x'", res.history[1]:curl())
  end)

  it("have the cookies that were sent", function()
    site.paths["/set"] = { headers = { ["Set-Cookie"] = "id=1" } }
    assert(client:get "set")
    assert.matches("-H 'Cookie: id=1'", assert(client:get "a"):curl { secrets = true }, 1, true)
    assert.matches("-H 'Cookie: '\"$COOKIE\"", assert(client:get "a"):curl(), 1, true)
  end)

  it("leave out large bodies, which no response keeps", function()
    site.paths["/a"] = { status = 307, headers = { Location = "/b" } }
    local kept, sent = {}, setmetatable({}, { __mode = "k" })
    local function post(opts)
      sent[opts] = true -- the table of options stands for the text in it
      local res = assert(client:post("a", opts))
      kept[#kept + 1], kept[#kept + 2] = res, res.history[1]
    end
    local large = ("x"):rep(128 * 1024 + 1)
    post { body = large }
    post { json = { large } }
    post { form = { a = large } }
    post { multipart = { { name = "a", value = large } } }
    for _, res in ipairs(kept) do
      assert.matches("/[ab]' .* %-%-data%-binary @%- .*# the body of 12%d KiB was not kept: give it on", res:curl())
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(sent))
    local res = assert(client:post("a", { body = large:sub(2) }))
    assert.matches("^printf 'xxx.* | curl ", res:curl())
  end)

  it("are there for statuses, failures of the network, and bodies that do not parse", function()
    site.paths["/missing"] = { status = 404 }
    local _, err = client:get("missing", { expect = "2xx" })
    assert.matches("/missing'", err:curl(), 1, true)
    _, err = assert(client:get "a"):json()
    assert.matches("/a'", err:curl(), 1, true)
    _, err = http.put("http://127.0.0.1:1/x", { retry = false, body = "b", auth = http.bearer "secret" })
    assert.matches("^curl %-X PUT 'http://127%.0%.0%.1:1/x' .*\"%$TOKEN\" %-%-data%-raw 'b'", err:curl())
    assert.matches("Bearer secret", err:curl { secrets = true }, 1, true)
    assert.matches('"kind":"connect"', json.encode(err), 1, true)
    _, err = http.get "no scheme"
    assert.is_nil(err:curl())
  end)
end)
