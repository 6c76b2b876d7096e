-- URL: one request, its body on stdout.

io.write(assert(require("lurcher.http").get((...))).body)
