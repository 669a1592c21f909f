"""slixmpp, with stream management, on a node that is killed: its session goes on at another node, and nothing is lost.

Usage: survive.py DIR PORT,PORT,PORT   (the folder of `make up`; STARTTLS ports of its nodes). The node of the second port is killed.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from slix import WAIT, Client

MESSAGES = 20


async def scene(folder, ports):
    accounts = dict(line.split() for line in (folder / "accounts").read_text().splitlines() if line.strip())
    romeo_jid, juliet_jid = [jid for name in ("romeo", "juliet") for jid in accounts if jid.startswith(name)]
    ca = str(folder / "ca.pem")
    romeo = Client(romeo_jid + "/tomb", accounts[romeo_jid], ports[0], ca)
    juliet = Client(juliet_jid + "/tomb", accounts[juliet_jid], ports[1], ca)
    enabled, lost, resumed, failed = asyncio.Event(), asyncio.Event(), asyncio.Event(), asyncio.Event()
    for client in (romeo, juliet):
        client.register_plugin("xep_0198")
    for event, flag in (("sm_enabled", enabled), ("disconnected", lost), ("session_resumed", resumed), ("sm_failed", failed)):
        juliet.add_event_handler(event, lambda *_, flag=flag: flag.set())
    await asyncio.gather(romeo.start(), juliet.start())
    await asyncio.wait_for(enabled.wait(), WAIT)
    unavailable = []
    romeo.add_event_handler("presence_unavailable", lambda presence: unavailable.append(str(presence["from"])))

    full = str(juliet.boundjid)
    for number in range(MESSAGES):
        if number == MESSAGES // 2:
            os.kill(int((folder / "node-1" / "pid").read_text()), signal.SIGKILL)
        romeo.send_message(full, str(number), mtype="chat")
    await asyncio.wait_for(lost.wait(), WAIT)
    juliet.connect("127.0.0.1", ports[2])
    await asyncio.wait_for(resumed.wait(), WAIT)
    assert not failed.is_set(), "the session was not gone on with"
    heard = [(await asyncio.wait_for(juliet.inbox.get(), WAIT))["body"] for _ in range(MESSAGES)]
    assert heard == [str(number) for number in range(MESSAGES)], heard
    juliet.send_message(romeo_jid + "/tomb", "still here", mtype="chat")
    await romeo.hears("still here")
    assert str(juliet.boundjid) == full and full not in unavailable, "nobody is told that anything happened"
    print(f"slixmpp resumed at another node after kill -9 of its own; {MESSAGES} messages came once, in order")
    await asyncio.gather(romeo.disconnect(), juliet.disconnect())


if __name__ == "__main__":
    node_ports = [int(port) for port in sys.argv[2].split(",")]
    asyncio.run(asyncio.wait_for(scene(Path(sys.argv[1]), node_ports), 90))
