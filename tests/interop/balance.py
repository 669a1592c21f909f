"""Spreads TCP connections over the nodes of a cluster, one after the other, as an L4 balancer would.

Usage: balance.py LISTEN TARGET[,TARGET...] [LISTEN TARGET[,TARGET...] ...]   (ports on 127.0.0.1)
"""

import asyncio
import itertools
import sys


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except (ConnectionError, asyncio.CancelledError):
        pass
    finally:
        writer.close()


def spread(targets):
    turn = itertools.cycle(targets)

    async def accept(reader, writer):
        # A node that is down is passed over, as a balancer's health check would do.
        for _ in targets:
            try:
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", next(turn))
                break
            except OSError:
                continue
        else:
            writer.close()
            return
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    return accept


async def main(arguments):
    servers = []
    for listen, targets in zip(arguments[::2], arguments[1::2]):
        ports = [int(port) for port in targets.split(",")]
        for host in ("127.0.0.1", "::1"):
            try:
                servers.append(await asyncio.start_server(spread(ports), host, int(listen)))
            except OSError as error:
                if host == "127.0.0.1":
                    sys.exit(f"port {listen} is taken ({error}); stop what listens there and try again")
    print("balancing", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
