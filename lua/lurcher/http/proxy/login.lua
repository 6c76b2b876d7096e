--- User name and password for an HTTP proxy: Basic from the start, as nearly all of them want it, Digest once one
--- asks for it.

local answer = require "lurcher.http.auth.digest_answer"
local challenges = require "lurcher.http.auth.challenges"
local crypto = require "lurcher.native.crypto"
local native = require "lurcher.native.http"
local secret = require "lurcher.base.secret"

local login = {}

---@class lurcher.ProxyLogin
local Login = {}
Login.__index = Login

---@param user string
---@param password string
---@return lurcher.ProxyLogin
function login.new(user, password)
  local pair = crypto.base64(user .. ":" .. password, false)
  return setmetatable({ user = user, password = password, basic = "Basic " .. pair, terms = false,
    holds = secret.new(pair) }, Login)
end

---The value of Proxy-Authorization, and what it answers, for `learn`.
---@param method string
---@param target string as the proxy gets it
---@param body string
---@return string value
---@return table|false terms
function Login:header(method, target, body)
  local terms = self.terms
  if not terms then return self.basic, false end
  return answer.header(terms, self.user, self.password, method, target, body), terms
end

local function offers_basic(list)
  for _, challenge in ipairs(list) do
    if challenge.scheme == "basic" then return true end
  end
  return false
end

---Heeds a 407. True when the request should be sent again.
---@param head string of the 407
---@param terms table|false what was answered
---@param rounds integer how often this request was sent again
---@return boolean
function Login:learn(head, terms, rounds)
  local list = challenges.parse(native.head_list(head, "Proxy-Authenticate"))
  local wanted = answer.best(list, true)
  if rounds > 1 or rounds == 1 and not (wanted and wanted.stale) then return false end
  if wanted and not (terms and terms.nonce == wanted.nonce and not wanted.stale) then
    self.terms = wanted
    return true
  end
  self.terms = false
  return terms and not wanted and offers_basic(list) or false
end

return login
