// An HTTP/2 server without TLS that answers with 5 MiB, without content-length. Prints its port.
const body = Buffer.alloc(5 * 1024 * 1024, 'a');
const server = require('http2').createServer({ maxSessionMemory: 1000 });
server.on('stream', (stream) => {
  stream.on('error', () => {});
  stream.respond({ ':status': 200 });
  stream.end(body);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
