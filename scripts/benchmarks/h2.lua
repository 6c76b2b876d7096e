-- HTTP/2 over TLS against libcurl alone, which keeps all streams on one multi handle.
return function(bench)
  require("throughput").secure(bench, "h2", "HTTP/2 over TLS", "http2", "2", 1)
end
