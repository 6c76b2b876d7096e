-- Requests made up at random, of what requests may hold: for properties of what is written of them.
--
--   local make = require("spec.support.generated").new(seed)
--   local case = make(12, "http://127.0.0.1:8000")     -- { method=, url=, opts=, is_multipart= }

local generated = {}

local METHODS = { "GET", "GET", "POST", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "PROPFIND" }
local WORDS = { "a", "it's", 'say "hi"', "100%", "$HOME", "`id`", "\\n", "é", "a b", "a+b", "x&y=z", "#1", "!!", "{}",
  "日本", "[1]", "~", "*", "@file", "-x", "--", "<in", ">out", ";", "|", "(", "%41", "'", "''", "\\", "\\'", "😀", "$(x)",
  "?", "a,b", "k=v", "" }
local BODIES = { "plain", "", "a=1&b=2", "@not a file", "line one\nline two\n", "\n", "tab\there", "it's\n'quoted'",
  '{"a": "it\'s", "b": [1, 2]}', "cr\r\nlf", "nul\0inside", "\27[31mred", "\255\254\128", "%s %d %%", "\\0\\x41\\",
  "-n", "é\u{202e}x", ("long "):rep(30000) }

---@param seed integer
function generated.new(seed)
  local state = seed
  local function random(most)
    state = (state * 16807) % 2147483647
    return state % most + 1
  end
  local function pick(list) return list[random(#list)] end
  local function chance(share) return random(100) <= share end
  local function text()
    local out = pick(WORDS)
    while chance(40) do out = out .. pick(WORDS) end
    return out
  end
  local function name()
    return pick { "a", "b", "tag", "q", "x-y", "é", "a[]", "n m" }
  end

  local function value()
    return pick { text(), text(), random(1000) - 500, chance(50), 0.25 * random(9) }
  end
  local function headers()
    local list = {}
    for _ = 1, random(4) - 1 do
      list[pick { "X-One", "x-two", "Referer", "Accept", "Accept-Language", "If-Match", "Cookie", "Content-Type" }] =
        pick { text(), text(), "", { text(), text() }, false }
    end
    for key, given in pairs(list) do
      if key == "Accept" and given == "" then list[key] = "*/*" end
    end
    return list
  end
  local function json()
    local made = {}
    for _ = 1, random(3) do
      made[text()] = pick { text(), random(99), chance(50), { text(), text() }, { k = text() } }
    end
    return made
  end
  local function parts()
    local list = {}
    for i = 1, random(3) do
      list[i] = { name = pick { "a", "b c", 'q"q', "é", "e=q" }, value = text() }
      if chance(30) then list[i].type = "text/plain" end
      if chance(20) then list[i].filename = "f.txt" end
      if chance(20) then list[i].headers = { ["X-Part"] = "1" } end
    end
    return list
  end
  local function add_body(case)
    local opts = case.opts
    local kind = random(6)
    if kind == 1 then opts.body = pick(BODIES) end
    if kind == 2 then opts.json = json() end
    if kind == 3 then opts.form = { [name()] = { value(), value() }, other = value() } end
    if kind == 4 then
      opts.multipart, case.is_multipart = parts(), true
      if opts.headers then opts.headers["Content-Type"] = nil end
    end
  end

  return function(number, origin)
    local case = { method = pick(METHODS), opts = {} }
    local path = pick { "x", "a b", "é/ü", "a%20b", "it's", "a[1]{2}", "d/%2e%2e/e", "$x", "q;v=1", "(a)!", "" }
    local query = pick { "", "", "?a=1", "?é=ü&x=%41", "?q='$x'", "?", "#part" }
    case.url = ("%s/c%d/%s%s"):format(origin, number, path, query)
    if chance(40) then case.opts.params = { [name()] = value(), [name()] = { value(), value() } } end
    if chance(60) then case.opts.headers = headers() end
    if chance(70) then add_body(case) end
    if chance(15) then case.opts.auth = { "user " .. random(9), text() } end
    if chance(10) then case.opts.timeout = 20 + random(9) / 4 end
    if chance(10) then case.opts.redirects = pick { false, 3 } end
    if chance(10) then case.opts.user_agent = pick { false, "it's me" } end
    if chance(5) then case.opts.decompress = false end
    if chance(5) then case.opts.http_version = "1.1" end
    return case
  end
end

return generated
