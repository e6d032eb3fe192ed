"""A server process that answers every request after 50 ms; prints its port."""

from __future__ import annotations

import asyncio
import json

DELAY = 0.05
_CHOICE = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": '{"value": 1}'}}
_BODY = json.dumps(
    {"model": "m", "choices": [_CHOICE], "usage": {"prompt_tokens": 100, "completion_tokens": 10}}
).encode()
_HEAD = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(_BODY)}\r\n\r\n".encode()


async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = next(int(x.split(b":")[1]) for x in head.split(b"\r\n") if x.startswith(b"content-length:"))
            await reader.readexactly(length)
            await asyncio.sleep(DELAY)
            writer.write(_HEAD + _BODY)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
