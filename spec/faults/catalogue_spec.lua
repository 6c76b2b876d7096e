-- Which spec shows which fault of TLS, HTTP/2, proxies, WebSockets, disks and tokens: a map for whoever looks for one,
-- which fails when a spec went without leaving its fault to another.

local fs = require "lurcher.fs"

-- File below spec, then the words by which the spec is found there.
local SHOWN = {
  ["faults/faults_tls_spec"] = {
    "it has expired", "it is for another host", "its issuer is not known", "its key is weak", "signed with SHA-1",
    "the server speaks TLS ", "the server speaks plain HTTP", "the server closes after the client's hello",
    "the server sends an alert", "when it hangs", "the server demands a certificate of the client",
    "without close_notify is no fault when the length is known", "without close_notify cuts a body without length",
    "a corrupt record is of kind 'tls'", "a record cut in the middle",
  },
  ["faults/faults_http2_spec"] = {
    "is sent again after GOAWAY", "by GOAWAY with an error", "a drained connection answers what it has",
    "is sent again after REFUSED_STREAM", "when the server always refuses", "reset with NO_ERROR, of known length",
    "by the connection's end", "short of its Content-Length", "an upper-case header name", "CR and LF in a value",
    "a Connection header", "no :status", "a flood of \" .. name .. \" is no sign of life",
    "a flood of empty CONTINUATION", "a flood of full CONTINUATION", "a flood of empty DATA", "bad HPACK",
    "a frame that is too large", "a pushed response",
  },
  ["http/request_head_spec"] = { "with HTTP/2 above 64 KiB", "when a server fills the jar" },
  ["faults/faults_http1_spec"] = { "a thousand cookies", "when the name does not resolve" },
  ["task/cancel_spec"] = { "a slow name lookup" },
  ["command/few_descriptors_spec"] = { "that gets no file descriptor" },
  ["faults/faults_proxy_spec"] = {
    "407 Who", "502 Bad Gateway", "garbage = ", "half a head", "with 200 and ends", "with a refusal that never ends",
    "half of the first reply", "half of the second reply", "a cut address", "ends after its consent",
    "is kind proxy, and the cause says why", "times out in phase connect",
  },
  ["ws/protocol_spec"] = {
    "refuses a masked frame", "5: fragments", "refuses a message above max_message",
    "anywhere but behind a close frame is kind 'closed' with 1006",
  },
  ["ws/handshake_spec"] = { "a wrong answer to the handshake" },
  ["ws/ws_spec"] = { "a server that floods and does not read" },
  ["http/download_spec"] = { 'folder = "EISDIR"', "/dev/full", "when the file changes between them" },
  ["http/download_places_spec"] = { "to a disk that is full", "this user may not write to", "slower than the network" },
  ["http/download_servers_spec"] = { "no room for more is kind file" },
  ["http/oauth2_spec"] = {
    "a token server that is gone", "the answer is no JSON object", "a token of unknown life",
    "also one whose life is a text", "{ 200, 400, 503 }", "a new refresh token only when one comes",
  },
  ["http/events_spec"] = { "a line that never ends" },
}

describe("the catalogue of faults", function()
  for file, faults in pairs(SHOWN) do
    it("finds its own in " .. file, function()
      local text = assert(fs.read("spec/" .. file .. ".lua"))
      for _, words in ipairs(faults) do
        assert(text:find(words, 1, true), file .. " shows no more: " .. words)
      end
    end)
  end
end)
