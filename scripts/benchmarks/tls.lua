-- HTTPS with HTTP/1.1 against libcurl alone over the same.
return function(bench)
  require("throughput").secure(bench, "tls", "HTTPS, HTTP/1.1", "https", "1.1")
end
