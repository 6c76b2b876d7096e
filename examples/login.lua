-- A session: the login sets a cookie, which the client sends from then on.
--   lurcher examples/login.lua URL

local http = require "lurcher.http"

local api = http.client { base_url = assert((...), "usage: login.lua URL") }

local res, err = api:get("account", { expect = 200 })
print("before: " .. (res and "?" or err.response.status .. " " .. err.response:json().error))

assert(api:post("login", {
  form = { user = "ada", password = http.secret("secret") }, -- never shown in logs or errors
  expect = 200,
  retryable = true, -- logging in twice does no harm
}))

local account = assert(assert(api:get("account", { expect = 200 })):json())
print("after: logged in as " .. account.user)
for _, cookie in ipairs(api.cookies:list()) do print("cookie: " .. cookie.name) end
