--- The options of curl (8.x and those that older ones had): names, whether a value follows, and what becomes of
--- them here. One table; what acts on an option is in curl_request.lua.

local curl_options = {}

---@class lurcher.CurlOption
---@field name string
---@field short? string
---@field takes_value boolean
---@field role "used"|"shown"|"other"|"noted"|"refused"
---@field why? string of those that are noted or refused

-- A word is `name`, `name/x` with its short form, `name=` where a value follows, `name!` where there is no
-- `--no-name`.
local USED = [[
  url= request/X= get/G head/I data/d= data-ascii= data-binary= data-raw= data-urlencode= json= url-query=
  form/F= form-string= form-escape upload-file/T= header/H= user/u= user-agent/A= referer/e= cookie/b= cookie-jar/c=
  range/r= continue-at/C= time-cond/z= compressed basic digest oauth2-bearer= aws-sigv4= netrc/n netrc-optional
  netrc-file= location/L location-trusted max-redirs= insecure/k cacert= capath= cert/E= key= pass= cert-type=
  key-type= pinnedpubkey= tlsv1/1! tlsv1.0! tlsv1.1! tlsv1.2! tlsv1.3! resolve= connect-to= unix-socket=
  interface= ipv4/4! ipv6/6! proxy/x= proxy-user/U= proxy-basic noproxy= socks5= socks5-hostname= proxy-insecure
  proxy-cacert= proxy-capath= proxy-cert= proxy-key= proxy-pass= max-time/m= connect-timeout= max-filesize= retry=
  retry-delay= speed-time/y= http1.1! http2! http2-prior-knowledge! globoff/g path-as-is request-target=
  proto-default= fail/f fail-with-body include/i verbose/v output/o= next/:!
]]

-- What curl tells and how, which a request does not have.
local SHOWN = [[
  silent/s show-error/S progress-bar/# progress-meter buffer/N write-out/w= trace= trace-ascii=
  trace-time trace-ids trace-config= stderr= styled-output fail-early disable/q libcurl= raw
  suppress-connect-headers test-event wdebug parallel/Z parallel-immediate parallel-max= parallel-max-host= keepalive
  keepalive-time= keepalive-cnt= expect100-timeout= tcp-nodelay tcp-fastopen mptcp happy-eyeballs-timeout-ms=
  sessionid alpn npn ca-native false-start random-file= egd-file= xattr
  create-dirs create-file-mode= junk-session-cookies/j
  remote-time/R remove-on-error clobber skip-existing disallow-username-in-url ssl-allow-beast
  ssl-auto-client-cert ssl-no-revoke ssl-revoke-best-effort ssl ssl-reqd ftp-ssl ftp-ssl-reqd proxy-ssl-allow-beast
  proxy-ssl-auto-client-cert proxy-ca-native retry-connrefused environment dump-ca-embed
]]

-- Of other protocols: curl ignores them, too, when it speaks HTTP.
local OTHER = [[
  append/a ftp-account= ftp-alternative-to-user= ftp-create-dirs ftp-method= ftp-pasv ftp-port/P= ftp-pret
  ftp-skip-pasv-ip ftp-ssl-ccc ftp-ssl-ccc-mode= ftp-ssl-control disable-eprt disable-epsv eprt epsv list-only/l
  quote/Q= use-ascii/B ftp-ascii mail-auth= mail-from= mail-rcpt= mail-rcpt-allowfails sasl-authzid= sasl-ir
  login-options= telnet-option/t= tftp-blksize= tftp-no-options krb= krb4= pubkey= hostpubmd5= hostpubsha256=
  knownhosts= compressed-ssh upload-flags=
]]

-- What the request is sent without, and a warning tells.
local NOTED = {
  { "remote-name/O remote-name-all remote-header-name/J output-dir= out-null",
    "the body is in res.body; res:save and http.download write files" },
  { "dump-header/D=", "the headers are in res.headers" },
  { "etag-save= hsts= alt-svc=", "nothing is kept from one run to the next" },
  { "limit-rate=", "the speed of a transfer is not limited" },
  { "rate=", "limits = { rate = … } of a client sets how many requests start in a second" },
  { "speed-limit/Y=", "timeout.read ends what stands still" },
  { "retry-max-time=", "timeout.total bounds a call with all its attempts" },
  { "retry-all-errors", "retry.statuses and retry.kinds say what is tried again" },
  { "post301 post302 post303", "redirects follow RFC 9110" },
  { "proto= proto-redir=", "only http and https are spoken" },
  { "http3!", "HTTP/3 is not spoken: the request is sent by HTTP/2 or 1.1" },
  { "http0.9", "an answer by HTTP/0.9 is kind \"protocol\"" },
  { "ciphers= tls13-ciphers= curves= sigalgs= tls-max= proxy-ciphers= proxy-tls13-ciphers= proxy-tlsv1!",
    "which of the methods of TLS are used is OpenSSL's choice" },
  { "proxytunnel/p", "an http URL goes to the proxy as a plain request" },
}

local REFUSED = {
  { "config/K=", "write the options of that file into the command" },
  { "help/h manual/M version/V", "it asks curl about curl" },
  { "ntlm ntlm-wb negotiate anyauth delegation= service-name=",
    "Basic, Digest, bearer tokens and AWS signatures are known" },
  { "proxy-ntlm proxy-negotiate proxy-anyauth proxy-digest proxy-service-name= socks5-gssapi socks5-gssapi-nec \z
    socks5-gssapi-service= proxy-tlsauthtype= proxy-tlsuser= proxy-tlspassword=",
    "a proxy is given user and password by Basic" },
  { "socks4= socks4a= preproxy= proxy1.0= haproxy-protocol haproxy-clientip= proxy-http2",
    "proxies by HTTP, HTTPS and SOCKS 5 are known" },
  { "proxy-header=", "headers for the proxy cannot be set" },
  { "proxy-cert-type= proxy-key-type= proxy-crlfile= proxy-pinnedpubkey= tlsauthtype= tlsuser= tlspassword= \z
    crlfile= cert-status engine= ech= tls-earlydata",
    "a CA, a certificate with its key, and pins are known" },
  { "sslv2/2! sslv3/3! http1.0/0! http3-only!", "it is not spoken" },
  { "abstract-unix-socket= local-port= ip-tos= vlan-priority= dns-interface= dns-ipv4-addr= dns-ipv6-addr= \z
    dns-servers= doh-url= doh-insecure doh-cert-status ipfs-gateway=",
    "connections cannot be made so" },
  { "etag-compare=", "write the header If-None-Match" },
  { "follow tr-encoding ignore-content-length crlf metalink socks5-basic variable=", "there is nothing like it" },
  { "port=", "write the port into the URL" },
}

local by_name, by_short, names = {}, {}, {}

local function add(words, role, why)
  for word in words:gmatch("%S+") do
    local name, short, mark = word:match("^([%w.%-]+)/?([^=!]?)([=!]?)$")
    assert(name and not by_name[name], word)
    local option = { name = name, short = short ~= "" and short or nil, takes_value = mark == "=", role = role,
      why = why, negatable = mark ~= "=" and mark ~= "!" }
    by_name[name], names[#names + 1] = option, name
    if option.short then by_short[short] = option end
  end
end

add(USED, "used")
add(SHOWN, "shown")
add(OTHER, "other")
for _, row in ipairs(NOTED) do add(row[1], "noted", row[2]) end
for _, row in ipairs(REFUSED) do add(row[1], "refused", row[2]) end
table.sort(names)

-- Names that mean another option.
local ALIASES = { ["http-request"] = "request", ["http2.0"] = "http2", ["telnet-options"] = "telnet-option",
  ftpport = "ftp-port", ["data-ascii"] = "data" }
for alias, name in pairs(ALIASES) do
  if not by_name[alias] then by_name[alias] = by_name[name] end
end

---All options, by name.
---@type table<string, lurcher.CurlOption>
curl_options.all = by_name

---@param letter string
---@return lurcher.CurlOption?
function curl_options.short(letter)
  return by_short[letter]
end

-- Those whose names begin with `start`.
local function beginning_with(start)
  local found = {}
  for _, name in ipairs(names) do
    if name:sub(1, #start) == start then found[#found + 1] = name end
  end
  return found
end

local function complete(name)
  if by_name[name] then return by_name[name] end
  local found = beginning_with(name)
  if #found == 1 then return by_name[found[1]] end
  return nil, found
end

---The option of a long name, which may be cut as long as only one begins so.
---@param name string without "--"; "no-" before it switches off
---@return lurcher.CurlOption? option
---@return boolean|string[] on whether it is switched on; without an option the names that it could mean
function curl_options.long(name)
  name = name:lower()
  local rest = name:match("^no%-(.+)$")
  if not rest then
    local option, found = complete(name)
    return option, option and true or found
  end
  local option, found = complete(rest)
  if option and not option.negatable then return nil, {} end
  return option, not option and found or false
end

---The nearest names to one that no option begins with.
---@return string[]
function curl_options.names()
  return names
end

return curl_options
