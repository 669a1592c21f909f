"""slixmpp by hand: log-in, roster, messages both ways, a room, and all of it across nodes.

Usage: slix.py DIR PORT,PORT,PORT   (the folder of `make up`; STARTTLS ports of its nodes). Each client connects to another node.
"""

import asyncio
import sys
from pathlib import Path

import slixmpp

WAIT = 15


class Client(slixmpp.ClientXMPP):
    def __init__(self, jid, password, port, ca, mechanism=None):
        super().__init__(jid, password, sasl_mech=mechanism)
        self.ca_certs = ca
        self.enable_direct_tls = False
        self.port = port
        self.inbox = asyncio.Queue()
        self.add_event_handler("message", self.inbox.put_nowait)
        for plugin in ("xep_0030", "xep_0045", "xep_0199", "xep_0280"):
            self.register_plugin(plugin)

    async def start(self):
        self.connect("127.0.0.1", self.port)
        await self.wait_until("session_start", WAIT)
        await self.get_roster()
        self.send_presence()

    async def hears(self, body):
        while True:
            message = await asyncio.wait_for(self.inbox.get(), WAIT)
            if message["body"] == body:
                return message


async def scene(folder):
    accounts = dict(line.split() for line in (folder / "accounts").read_text().splitlines() if line.strip())
    romeo_jid, juliet_jid = [jid for name in ("romeo", "juliet") for jid in accounts if jid.startswith(name)]
    ca = str(folder / "ca.pem")
    ports = [int(port) for port in sys.argv[2].split(",")]
    romeo = Client(romeo_jid + "/orchard", accounts[romeo_jid], ports[0], ca)
    juliet = Client(juliet_jid + "/balcony", accounts[juliet_jid], ports[1 % len(ports)], ca)
    for mechanism in ("PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"):
        guest = Client(romeo_jid + "/" + mechanism, accounts[romeo_jid], ports[2 % len(ports)], ca, mechanism)
        await guest.start()
        await guest.disconnect()
        print("logged in with", mechanism)
    await asyncio.gather(romeo.start(), juliet.start())

    romeo.send_message(juliet_jid, "But soft!", mtype="chat")
    message = await juliet.hears("But soft!")
    assert message["from"] == romeo.boundjid, message
    juliet.send_message(message["from"], "Ay me!", mtype="chat")
    await romeo.hears("Ay me!")
    print("messages both ways, across nodes")

    # They subscribe to each other without asking (slixmpp accepts by itself).
    romeo.send_presence_subscription(juliet_jid)
    for _ in range(100):
        if romeo.client_roster[juliet_jid]["subscription"] == "both":
            break
        await asyncio.sleep(0.1)
    assert romeo.client_roster[juliet_jid]["subscription"] == "both", romeo.client_roster[juliet_jid]
    print("subscribed, both ways")

    room = "verona@conference." + romeo.boundjid.domain
    await romeo.plugin["xep_0045"].join_muc_wait(room, "Romeo")
    await romeo.plugin["xep_0045"].set_room_config(room, (await romeo.plugin["xep_0045"].get_room_config(room)))
    await juliet.plugin["xep_0045"].join_muc_wait(room, "Juliet")
    juliet.send_message(room, "Wherefore art thou?", mtype="groupchat")
    await romeo.hears("Wherefore art thou?")
    await juliet.hears("Wherefore art thou?")
    print("a room, across nodes")
    assert await romeo.plugin["xep_0199"].ping(romeo.boundjid.domain) is not None
    await asyncio.gather(romeo.disconnect(), juliet.disconnect())


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(scene(Path(sys.argv[1])), 120))
