-- Asks a person for leave (OAuth2, device flow), and keeps the tokens for the next run in a file of mode 0600. With
-- a server of its own it needs no account anywhere: that one plays the provider, and the person, too.
--   lurcher examples/oauth2.lua [FILE]

local http = require "lurcher.http"
local json = require "lurcher.json"
local server = require "lurcher.server"

local file = ... or "oauth2-tokens.json"

local function answer(status, fields)
  return { status = status, headers = { ["Content-Type"] = "application/json" }, body = json.encode(fields) }
end

local asked, issued = 0, 0

local provider = assert(server.start(function(req)
  if req.path == "/device" then
    return answer(200, { device_code = "d-1", user_code = "WXYZ-1234", verification_uri = "https://example.com/device",
      expires_in = 600, interval = 1 })
  elseif req.path == "/token" then
    asked = asked + 1
    if asked == 1 and req.body:find "device_code" then return answer(400, { error = "authorization_pending" }) end
    issued = issued + 1
    return answer(200, { access_token = "token-" .. issued, token_type = "Bearer", expires_in = 3600,
      refresh_token = "refresh-" .. issued })
  end
  return answer(req.headers.Authorization and 200 or 401, { user = "ada" })
end, { grace = 0 }))

local api = http.client {
  base_url = provider.url,
  auth = http.oauth2 {
    grant = "device",
    client_id = "example", scope = "profile",
    device_url = provider.url .. "/device",
    -- In your script: your provider's. Here it is another one at each run, and what is kept is known by its URL.
    token_url = provider.url .. "/token",
    store = file,
    show = function(what) print(("open %s and enter %s"):format(what.url, what.user_code)) end,
  },
}

for _ = 1, 3 do
  local me = assert(assert(api:get("me", { expect = 200 })):json())
  print("hello " .. me.user)
end
print(("asked for tokens %d times, got %d"):format(asked, issued))
provider:stop()
