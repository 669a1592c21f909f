// @xmpp/client on a node that is killed: its session goes on at another node, and nothing is lost.
// Usage: node survive.mjs DIR PORT,PORT,PORT   (the folder of `make up`; STARTTLS ports). The node of the third port is killed.
import { readFileSync } from "node:fs";
import { client, xml } from "@xmpp/client";

const MESSAGES = 20;
const OURS = `${process.pid}: `;
const [dir, portList] = process.argv.slice(2);
const ports = portList.split(",");
const accounts = Object.fromEntries(
  readFileSync(`${dir}/accounts`, "utf8").split("\n").filter(Boolean).map((line) => line.split(/\s+/)),
);
const account = (name) => Object.keys(accounts).find((jid) => jid.startsWith(`${name}@`));
const bounded = setTimeout(() => { console.error("nothing came in time"); process.exit(1); }, 60_000);

function enter(name, port) {
  const [username, domain] = account(name).split("@");
  const service = `xmpp://localhost:${port}`;
  const xmpp = client({ service, domain, resource: "grave", username, password: accounts[account(name)] });
  xmpp.bodies = [];
  xmpp.reconnect.delay = 200;
  xmpp.timeout = 15_000;
  // A connection that is lost is no end: the library comes back by itself.
  xmpp.on("error", (error) => console.error(name, error.code ?? error.message));
  xmpp.on("stanza", (stanza) => {
    // What an earlier client of the account had not acknowledged when it left may come between.
    const body = stanza.is("message") && stanza.getChildText("body");
    if (body && body.startsWith(OURS)) xmpp.bodies.push(body.slice(OURS.length));
  });
  return xmpp;
}

const until = async (test) => { while (!test()) await new Promise((resolve) => setTimeout(resolve, 50)); };
const romeo = enter("romeo", ports[0]);
const juliet = enter("juliet", ports[2]);
await Promise.all([romeo.start(), juliet.start()]);
await Promise.all([romeo.send(xml("presence")), juliet.send(xml("presence"))]);
await until(() => juliet.streamManagement.enabled && juliet.streamManagement.id);
const full = juliet.jid.toString();
let resumed = 0, over = false;
juliet.streamManagement.on("resumed", () => { resumed += 1; });
// It says so, too, of what is not acknowledged yet when it stops.
juliet.streamManagement.on("fail", () => { if (!over) { console.error("the session was not gone on with"); process.exit(1); } });
juliet.on("disconnect", () => { juliet.options.service = `xmpp://localhost:${ports[1]}`; });

for (let number = 0; number < MESSAGES; number += 1) {
  if (number === MESSAGES / 2) process.kill(Number(readFileSync(`${dir}/node-2/pid`, "utf8")), "SIGKILL");
  await romeo.send(xml("message", { type: "chat", to: full }, xml("body", {}, OURS + number)));
}
await until(() => resumed === 1 && juliet.bodies.length >= MESSAGES);
const expected = Array.from({ length: MESSAGES }, (_, number) => String(number));
if (juliet.bodies.join() !== expected.join()) throw new Error(juliet.bodies.join());
await juliet.send(xml("message", { type: "chat", to: romeo.jid.toString() }, xml("body", {}, `${OURS}still here`)));
await until(() => romeo.bodies.includes("still here"));
if (juliet.jid.toString() !== full) throw new Error("another session");
console.log(`@xmpp/client resumed at another node after kill -9 of its own; ${MESSAGES} messages came once, in order`);
over = true;
await Promise.all([romeo.stop(), juliet.stop()]);
clearTimeout(bounded);
