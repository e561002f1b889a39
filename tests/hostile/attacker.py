"""Opens connections that say nothing, or half a request, and floods; without the token."""

import asyncio
import sys
from contextlib import suppress

HALF = b"POST /panic HTTP/1.1\r\nHost: localhost\r\n"
WHOLE = b"GET /status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\n\r\n"
PAGE = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
ODD = b"\x16\x03\x01\x00\xa5\x01\x00\r\n\r\n"
PAUSE_S = 1.0


async def hold(port: int, said: bytes, opened: asyncio.Semaphore) -> None:
    """Keep a connection, and open it again a while after it was closed."""
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            opened.release()
            writer.write(said)
            await reader.read()
            writer.close()
        await asyncio.sleep(PAUSE_S)


async def flood(port: int, said: bytes) -> None:
    """Ask as fast as the answers come."""
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            while not reader.at_eof():
                writer.write(said)
                await writer.drain()
                await reader.read(65536)
            writer.close()
        await asyncio.sleep(0)


async def attack(port: int, idle: int, half: int, flooding: int) -> None:
    """Attack until the input ends."""
    opened = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(hold(port, b"", opened)) for _ in range(idle)]
    tasks += [asyncio.create_task(hold(port, HALF, opened)) for _ in range(half)]
    kinds = (WHOLE, PAGE, ODD)
    tasks += [asyncio.create_task(flood(port, kinds[n % 3])) for n in range(flooding)]
    for _ in range(idle + half):
        await opened.acquire()
    sys.stdout.write("all are open\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(attack(*map(int, sys.argv[1:])))
