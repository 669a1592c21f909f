"""profanity and go-sendxmpp, as a person runs them, against a slixmpp client on another node.

Usage: terminal.py DIR PORT,PORT   (the folder of `make up`; STARTTLS ports of two nodes)
"""

import asyncio
import fcntl
import os
import pty
import shutil
import signal
import struct
import sys
import tempfile
import termios
from pathlib import Path

from slix import Client

WAIT = 30


class Profanity:
    """A profanity in a terminal of its own, with a home folder of its own."""

    def __init__(self, home, jid, password, port):
        name = jid.replace("@", "_at_")
        config, data = home / "config" / "profanity", home / "data" / "profanity"
        config.mkdir(parents=True)
        data.mkdir(parents=True)
        (config / "profrc").write_text("[logging]\nchlog=true\n[ui]\nsplash=false\n")
        (data / "accounts").write_text(
            f"[{name}]\nenabled=true\njid={jid}\nserver=127.0.0.1\nport={port}\nresource=profanity\n"
            f"password={password}\ntls.policy=trust\npresence.last=online\npresence.login=online\n"
            f"muc.service=conference.{jid.split('@')[1]}\nmuc.nick=Profane\n")
        self.seen = b""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ |= {"XDG_CONFIG_HOME": str(home / "config"), "XDG_DATA_HOME": str(home / "data"),
                           "HOME": str(home), "TERM": "xterm", "LC_ALL": "C.UTF-8"}
            os.execvp("profanity", ["profanity", "--account", name])
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))
        os.set_blocking(self.terminal, False)

    def look(self):
        try:
            self.seen += os.read(self.terminal, 65536)
        except (BlockingIOError, OSError):
            pass

    async def sees(self, text):
        for _ in range(WAIT * 10):
            self.look()
            if text.encode() in self.seen:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"profanity does not show {text!r}; it shows: {self.seen[-4000:]!r}")

    def types(self, line):
        self.look()
        os.write(self.terminal, line.encode() + b"\r")

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)


async def with_profanity(home, accounts, romeo, juliet, juliet_jid, port):
    profanity = Profanity(home, romeo, accounts[romeo], port)
    try:
        await profanity.sees("logged in successfully")
        profanity.types(f"/msg {juliet_jid} Hist!")
        message = await juliet.hears("Hist!")
        juliet.send_message(message["from"], "It-is-my-soul", mtype="chat")
        await profanity.sees("It-is-my-soul")
        print("profanity: logged in, messages both ways, across nodes")
        room = "padua@conference." + romeo.split("@")[1]
        await juliet.plugin["xep_0045"].join_muc_wait(room, "Juliet")
        await juliet.plugin["xep_0045"].set_room_config(room, await juliet.plugin["xep_0045"].get_room_config(room))
        profanity.types(f"/join {room}")
        await profanity.sees("Juliet")
        profanity.types("Who-calls?")
        await juliet.hears("Who-calls?")
        juliet.send_message(room, "Your-mother", mtype="groupchat")
        await profanity.sees("Your-mother")
        print("profanity: a room, across nodes")
    finally:
        profanity.end()


async def go_sendxmpp(accounts, sender, receiver, port, text):
    process = await asyncio.create_subprocess_exec(
        "go-sendxmpp", "--no-tls-verify", "-u", sender, "-p", accounts[sender], "-j", f"127.0.0.1:{port}", receiver,
        stdin=asyncio.subprocess.PIPE)
    await asyncio.wait_for(process.communicate(text.encode()), WAIT)
    assert process.returncode == 0, f"go-sendxmpp ended with {process.returncode}"


async def scene(folder, ports):
    accounts = dict(line.split() for line in (folder / "accounts").read_text().splitlines() if line.strip())
    romeo, juliet_jid = [jid for name in ("romeo", "juliet") for jid in accounts if jid.startswith(name)]
    juliet = Client(juliet_jid + "/balcony", accounts[juliet_jid], ports[1 % len(ports)], str(folder / "ca.pem"))
    await juliet.start()
    await go_sendxmpp(accounts, romeo, juliet_jid, ports[0], "A word with you")
    await juliet.hears("A word with you")
    print("go-sendxmpp: a message, across nodes")
    home = Path(tempfile.mkdtemp(prefix="muster-profanity-"))
    try:
        await with_profanity(home, accounts, romeo, juliet, juliet_jid, ports[0])
    finally:
        shutil.rmtree(home)
    await juliet.disconnect()


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(scene(Path(sys.argv[1]), [int(port) for port in sys.argv[2].split(",")]), 180))
