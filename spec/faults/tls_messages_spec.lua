-- What an error of a handshake says about the certificate and what to do, with openssl's server on the other side.

local faults = require "spec.support.faults"
local process = require "spec.support.process"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

local directory -- of keys and certificates, made once

local CONFIGURATION = [[
[ca]
default_ca = authority
[authority]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
]]

local MAKE = [[
  export KEY="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
  : > index; echo 01 > serial; cat > ca.conf
  openssl req -x509 $KEY -days 9 -subj "/CN=Test Authority" -keyout ca.key -out ca.pem
  issue() {
    openssl req -new $KEY -subj "/CN=$1" ${4:+-addext "subjectAltName=$4"} -keyout $1.key -out $1.csr
    openssl ca -batch -config ca.conf -cert ca.pem -keyfile ca.key -notext -startdate $2 -enddate $3 \
      -in $1.csr -out $1.pem
  }
  issue good 20200101000000Z 20990101000000Z DNS:localhost,IP:127.0.0.1
  issue old 20200101000000Z 20210203040506Z DNS:localhost
  issue young 20980203040506Z 20990101000000Z DNS:localhost
  issue other 20200101000000Z 20990101000000Z DNS:a.test,DNS:*.b.test,IP:192.0.2.7,IP:2001:db8::1,email:x@a.test
  issue many 20200101000000Z 20990101000000Z \
    DNS:1.test,DNS:2.test,DNS:3.test,DNS:4.test,DNS:5.test,DNS:6.test,DNS:7.test,DNS:8.test
  issue nameless 20200101000000Z 20990101000000Z
  openssl req -x509 $KEY -days 9 -subj "/CN=alone" -addext subjectAltName=DNS:localhost -keyout alone.key -out alone.pem
]]

local function certificates()
  if directory then return directory end
  directory = process.directory()
  local ended = process.run({ "-c", 'cd "$1" && set -e; ' .. MAKE, "sh", directory },
    { command = "sh", stdin = CONFIGURATION })
  assert(ended.status == 0, ended.err)
  return directory
end

-- Its URL. `name` is that of its certificate.
local function openssl_server(name, ...)
  local path = certificates() .. "/" .. name
  local child = process.start({ "s_server", "-accept", "127.0.0.1:0", "-www", "-cert", path .. ".pem", "-key",
    path .. ".key", ... }, { command = "openssl" })
  task.defer(function()
    child:kill "KILL"
    child:wait()
  end)
  serving.eventually(function() return child:receive() or child.out:find "ACCEPT [^\n]*\n" end)
  return "https://localhost:" .. child.out:match "ACCEPT %S-:(%d+)\n"
end

-- The message of the error that a request to such a server ends with.
local function message(tls, name, ...)
  local url = openssl_server(name, ...)
  tls.ca = tls.ca or directory .. "/ca.pem"
  local client = faults.client { tls = tls, resolve = { [url:match "//(.*)"] = "127.0.0.1" } }
  local res, err = client:get(url)
  faults.check({ kind = "tls", host = "localhost" }, res, err)
  faults.settled(client)
  return err.message
end

local function has(text, ...)
  for _, wanted in ipairs { ... } do assert.truthy(text:find(wanted, 1, true), text) end
end

local function remove_certificates()
  if directory then process.shell('rm -r "$1"', directory) end
  directory = nil
end

describe("the message for a certificate", function()
  teardown(remove_certificates)

  it("of another host says for which names it is, and which one was asked for", function()
    has(message({}, "other"),
      "wrong host: the certificate is not for localhost but for a.test, *.b.test, 192.0.2.7, 2001:db8::1 (")
  end)

  it("with many names says some of them", function()
    has(message({}, "many"), "1.test, 2.test, 3.test, 4.test, 5.test, 6.test and 2 more")
  end)

  it("without alternative names says its subject", function()
    has(message({}, "nameless"), 'not for localhost but for "CN=nameless"')
  end)

  it("names tls.server_name where that was asked for", function()
    local text = message({ server_name = "else.test" }, "other")
    has(text, "not for else.test but for a.test")
    assert.falsy(text:find("asks for another", 1, true))
  end)

  it("that has expired says when", function()
    has(message({}, "old"), "the certificate has expired on 2021-02-03 04:05:06Z")
  end)

  it("that is not yet valid says from when on", function()
    has(message({}, "young"), "the certificate is not yet valid: it will be from 2098-02-03 04:05:06Z on",
      "clock")
  end)

  it("that signed itself says so, and what makes it trusted", function()
    has(message({}, "alone"), "unknown issuer (it is self-signed", "tls.ca")
  end)

  it("of an unknown authority names it", function()
    local file = certificates() .. "/alone.pem"
    has(message({ ca = file }, "good"), 'unknown issuer ("CN=Test Authority" is no authority', "tls.ca")
    has(message({ ca = file }, "good", "-cert_chain", directory .. "/ca.pem"), 'unknown issuer ("CN=Test Authority"',
      "self-signed")
  end)

  it("whose key is none of the pins says which it is", function()
    local text = message({ pins = "sha256//" .. ("A"):rep(43) .. "=" }, "good")
    local key = process.shell('openssl x509 -in "$1" -noout -pubkey | openssl pkey -pubin -outform der |' ..
      " openssl dgst -sha256 -binary | base64", directory .. "/good.pem")
    has(text, "none of tls.pins but sha256//" .. key:match "%S+")
  end)

  it("with control characters in its names shows none", function()
    local ended, status = process.shell([[cd "$1" && openssl req -x509 -newkey ec -pkeyopt ]] ..
      [[ec_paramgen_curve:prime256v1 -nodes -days 9 -subj "/CN=evil" -addext ]] ..
      [["subjectAltName=DNS:$(printf 'a\033[31m\007b')" -keyout evil.key -out evil.pem 2>&1]], certificates())
    assert(status == 0, ended)
    local text = message({ ca = directory .. "/evil.pem" }, "evil")
    assert.falsy(text:find "%c")
    has(text, "but for a?[31m?b")
  end)
end)

describe("the message for an alert", function()
  teardown(remove_certificates)

  it("says that a certificate of the client is wanted", function()
    has(message({}, "good", "-Verify", "1", "-verify_return_error", "-tls1_3"), "tls.cert and tls.key")
    has(message({}, "good", "-Verify", "1", "-verify_return_error", "-tls1_2"), "tls.cert and tls.key")
  end)

  it("says that the client's certificate is not accepted", function()
    local path = certificates()
    local text = message({ cert = path .. "/alone.pem", key = path .. "/alone.key" }, "good", "-Verify", "1",
      "-verify_return_error", "-CAfile", path .. "/ca.pem")
    has(text, "client's certificate (tls.cert)")
    text = message({ cert = path .. "/old.pem", key = path .. "/old.key" }, "good", "-Verify", "1",
      "-verify_return_error", "-CAfile", path .. "/ca.pem")
    has(text, "client's certificate (tls.cert) has expired")
  end)

  it("says that no version of TLS is shared", function()
    has(message({ min = "1.3" }, "good", "-tls1_2"), "tls.min")
  end)

  it("says that ciphers may not fit", function()
    has(message({}, "good", "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"), "ciphers")
  end)

  it("says that the host's name is not known", function()
    local path = certificates() .. "/other"
    has(message({}, "good", "-servername", "a.test", "-servername_fatal", "-cert2", path .. ".pem", "-key2",
      path .. ".key"), "tls.server_name")
  end)
end)
