--- The keys of those options that are tables, as lists of rows (see base/rows.lua). They are checked when
--- they are given, and merged by key.

local backoff = require "lurcher.retry.backoff"
local breaker = require "lurcher.breaker.options"
local checks = require "lurcher.http.options.checks"

local parts = { breaker = breaker.ROWS }

parts.timeout = {
  { "connect", check = "limit|false", default = 10,
    help = "name lookup, TCP and TLS, over all addresses of the name", example = "timeout = { connect = 3 }",
    words = { connect_timeout = "timeout = { connect = … }" },
    elsewhere = { requests = "timeout=(connect, read)", httpx = "Timeout(connect)", aiohttp = "sock_connect",
      got = "timeout.connect", curl = "--connect-timeout" } },
  { "read", check = "limit|false", default = 30, help = "no byte came for so long",
    example = "timeout = { read = 60 }", words = { read_timeout = "timeout = { read = … }" },
    elsewhere = { requests = "timeout=(connect, read)", httpx = "Timeout(read)", aiohttp = "sock_read",
      got = "timeout.socket", curl = "--speed-time" } },
  { "write", check = "limit|false", default = 30, help = "no byte of the body could be sent for so long",
    example = "timeout = { write = 10 }",
    elsewhere = { httpx = "Timeout(write)", got = "timeout.send", curl = "--speed-time" } },
  { "total", check = "limit|false", default = 300,
    help = "from the start of the first attempt to the last byte, with redirects, retries and their \z
      waits; the wait for a slot does not count",
    example = "timeout = 20",
    elsewhere = { aiohttp = "ClientTimeout(total)", got = "timeout.request", axios = "timeout",
      curl = "-m, --max-time" } },
  { "queue", check = "limit|false", default = false, help = "waiting for a slot or for the rate",
    example = "timeout = { queue = 5 }",
    elsewhere = { httpx = "Timeout(pool)", aiohttp = "ClientTimeout(connect)" } },
}

parts.limits = {
  { "inflight", check = "count|false", default = 256, help = "attempts at once, in all",
    example = "limits = { inflight = 1000 }", words = { "max", "concurrency", "total" },
    elsewhere = { httpx = "max_connections", aiohttp = "limit", got = "maxSockets",
      curl = "--parallel-max" } },
  { "per_origin", check = "count|'auto'|false", default = 64,
    help = "attempts at once at each origin (scheme, host and port); `auto` finds out how many an origin \z
      takes before they only wait for each other",
    example = 'limits = { per_origin = "auto" }',
    elsewhere = { aiohttp = "limit_per_host", got = "maxSockets" } },
  { "idle", check = checks.whole_or_false, type = "integer|false", default = 100,
    help = "connections that are kept open without a request", example = "limits = { idle = 10 }",
    elsewhere = { requests = "pool_maxsize", httpx = "max_keepalive_connections", got = "maxFreeSockets" } },
  { "idle_timeout", check = "duration|false", default = 15,
    help = "seconds for which they are kept; a shorter Keep-Alive of the server counts",
    example = "limits = { idle_timeout = 60 }",
    elsewhere = { httpx = "keepalive_expiry", aiohttp = "keepalive_timeout", curl = "--keepalive-time" } },
  { "rate", check = "positive|false", default = false,
    help = "attempts that start in a second at each origin: never more than `burst + rate * t` in t seconds",
    example = "limits = { rate = 10 }", elsewhere = { curl = "--rate" } },
  { "burst", check = "count", default = 1, help = "attempts that may start at once after a rest",
    example = "limits = { rate = 10, burst = 20 }" },
  { "limiter", check = checks.limiter_or_false, type = "lurcher.Limiter|false",
    help = "what `task.limiter{rate=, burst=}` gave: clients and tasks that share it take its tokens in turn",
    example = "limits = { limiter = task.limiter { rate = 100 } }" },
  { "learn", check = "boolean", default = true,
    help = "keep the limits that servers tell: Retry-After, RateLimit headers, 429",
    example = "limits = { learn = false }" },
}

parts.retry = {
  { "attempts", check = "count|huge", default = 3, help = "in all; 1 means no retries", example = "retry = 5",
    words = backoff.ATTEMPTS_ELSEWHERE,
    elsewhere = { requests = "Retry(total)", httpx = "HTTPTransport(retries)", got = "retry.limit",
      curl = "--retry" } },
  { "methods", check = checks.method_list, type = "string[]|false",
    default = { "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE" },
    help = "which may be sent twice; others with `retryable`, with an `idempotency_key`, or when it is \z
      certain that the server did not process them",
    example = 'retry = { methods = { "GET" } }',
    elsewhere = { requests = "Retry(allowed_methods)", got = "retry.methods" } },
  { "statuses", check = checks.status_list, type = "integer[]|false",
    default = { 408, 425, 429, 500, 502, 503, 504 }, help = "of responses to repeat; `false`: none",
    example = "retry = { statuses = { 429, 503 } }",
    words = { codes = "statuses", status_codes = "statuses", retry_on = "statuses, kinds or on",
      timeout = "timeout = { total = … }, beside retry" },
    elsewhere = { requests = "Retry(status_forcelist)", got = "retry.statusCodes",
      curl = "--retry-all-errors" } },
  { "kinds", check = checks.kind_list, type = "lurcher.ErrorKind[]|false",
    default = { "timeout", "dns", "connect", "closed", "truncated", "protocol" },
    help = "of errors to repeat; `protocol` means what HTTP/2 refused, `timeout` not the total or the \z
      queue's",
    example = 'retry = { kinds = { "timeout", "connect", "tls" } }',
    elsewhere = { got = "retry.errorCodes", curl = "--retry-connrefused" } },
}
for _, row in ipairs(backoff.ROWS) do table.insert(parts.retry, row) end
for _, row in ipairs {
  { "retry_after", check = "boolean", default = true,
    help = "wait as long as the server asks for (Retry-After, the reset of a rate limit) instead",
    example = "retry = { retry_after = false }",
    elsewhere = { requests = "Retry(respect_retry_after_header)", got = "retry.maxRetryAfter" } },
  { "max_retry_after", check = "duration|false", default = 60,
    help = "when the server asks for a longer wait, there are no more attempts",
    example = "retry = { max_retry_after = 300 }",
    elsewhere = { got = "retry.maxRetryAfter", curl = "--retry-max-time" } },
  { "budget", check = checks.retry_budget, type = "{ ratio?: number, min_per_second?: number }|false",
    default = { ratio = 0.2, min_per_second = 10 },
    help = "of the client: the retries of the last 10 s may be `ratio` times its calls of these 10 s, and \z
      `10 * min_per_second` more",
    example = "retry = { budget = { ratio = 0.1 } }" },
  { "on", check = "callable|false", type = "(fun(attempt: lurcher.RetryEvent): boolean|number|nil)|false",
    default = false,
    help = "asked after each attempt that may be followed by another: true, false or seconds to wait \z
      decide, nil leaves it to the policy",
    example = "retry = { on = function(attempt) return attempt.status == 202 and 1 or nil end }",
    elsewhere = { got = "retry.calculateDelay", axios = "retryCondition" } },
} do table.insert(parts.retry, row) end

parts.tls = {
  { "verify", check = "boolean", default = true,
    help = "check the server's certificate and its name; `false` is logged as a warning",
    example = "tls = { verify = false }", words = { "rejectUnauthorized", "insecure" },
    elsewhere = { requests = "verify", httpx = "verify", aiohttp = "ssl=False",
      got = "https.rejectUnauthorized",
      curl = "-k, --insecure" } },
  { "min", check = "'1.0'|'1.1'|'1.2'|'1.3'|false", default = "1.2", help = "the oldest version of TLS",
    example = 'tls = { min = "1.3" }', words = { "min_version" },
    elsewhere = { got = "https.minVersion", curl = "--tlsv1.2, --tlsv1.3" } },
  { "ca", check = "string|false", shown = "of the system",
    help = "a file or directory of authorities, in place of the system's",
    example = 'tls = { ca = "internal-ca.pem" }', words = { "cafile", "ca_file" },
    elsewhere = { requests = "verify=path", httpx = "verify=path", got = "https.certificateAuthority",
      curl = "--cacert, --capath" } },
  { "cert", check = "string|false", help = "the client's certificate, a PEM file",
    example = 'tls = { cert = "client.pem", key = "client.key" }',
    elsewhere = { requests = "cert", httpx = "cert", got = "https.certificate", curl = "-E, --cert" } },
  { "key", check = "string|false", help = "its private key, when that is a file of its own",
    example = 'tls = { cert = "client.pem", key = "client.key" }',
    elsewhere = { requests = "cert", httpx = "cert", got = "https.key", curl = "--key" } },
  { "key_password", check = checks.text_or_false, type = "string|lurcher.Secret|false",
    help = "of the private key", example = 'tls = { cert = "client.pem", key_password = http.secret "…" }',
    words = { "passphrase" }, elsewhere = { got = "https.passphrase", curl = "--pass" } },
  { "server_name", check = "string|false", shown = "of the URL",
    help = "the name to ask for (SNI) and to find in the certificate",
    example = 'tls = { server_name = "api.internal" }', words = { "sni", "servername" },
    elsewhere = { httpx = "sni_hostname", aiohttp = "server_hostname", curl = "--connect-to" } },
  { "pins", check = checks.pin_list, type = "string|string[]|false",
    help = "hashes of public keys, one of which the server must have",
    example = 'tls = { pins = "sha256//…" }',
    elsewhere = { aiohttp = "Fingerprint", curl = "--pinnedpubkey" } },
}

parts.hooks = {
  { "request", check = checks.function_list, type = "(fun(request: lurcher.Request))[]|false",
    help = "before each attempt at each hop", example = "hooks = { request = { function(req) … end } }",
    words = { "beforeRequest" }, elsewhere = { got = "beforeRequest", httpx = "request",
      axios = "request" } },
  { "response", check = checks.function_list, type = "(fun(res: lurcher.Response))[]|false",
    help = "after each of them that has a response", example = "hooks = { response = { print } }",
    words = { "afterResponse" },
    elsewhere = { got = "afterResponse", requests = "response", httpx = "response", axios = "response" } },
  { "retry", check = checks.function_list, type = "(fun(event: lurcher.RetryEvent))[]|false",
    help = "before the wait for another attempt", example = "hooks = { retry = { function(event) … end } }",
    words = { "beforeRetry" }, elsewhere = { got = "beforeRetry" } },
  { "redirect", check = checks.function_list, type = "(fun(event: table))[]|false",
    help = "before a redirect is followed", example = "hooks = { redirect = { function(event) … end } }",
    words = { "beforeRedirect" }, elsewhere = { got = "beforeRedirect", axios = "beforeRedirect" } },
  { "error", check = checks.function_list, type = "(fun(err: lurcher.Error))[]|false",
    help = "at the end of a call that returns an error", example = "hooks = { error = { print } }",
    words = { "beforeError" }, elsewhere = { got = "beforeError" } },
}

return parts
