"""A WebSocket server of python3-websockets that echoes. Prints its port. usage: echo_websockets.py [CERT KEY]"""
import asyncio
import ssl
import sys

import websockets


async def echo(socket, *unused):
    async for message in socket:
        await socket.send(message)


async def main():
    context = None
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
    async with websockets.serve(echo, "127.0.0.1", 0, ssl=context, max_size=2**26) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


asyncio.run(main())
