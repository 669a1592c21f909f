// @xmpp/client: log-in, roster, messages both ways across nodes, a room. It sends presence before stream management.
// Usage: node client.mjs DIR PORT,PORT   (the folder of `make up`; STARTTLS ports of two nodes)
import { readFileSync } from "node:fs";
import { client, xml } from "@xmpp/client";

const [dir, portList] = process.argv.slice(2);
const ports = portList.split(",");
const accounts = Object.fromEntries(
  readFileSync(`${dir}/accounts`, "utf8").split("\n").filter(Boolean).map((line) => line.split(/\s+/)),
);
const account = (name) => Object.keys(accounts).find((jid) => jid.startsWith(`${name}@`));

function enter(name, resource, port) {
  const [username, domain] = account(name).split("@");
  const xmpp = client({
    service: `xmpp://localhost:${port}`, domain, resource, username, password: accounts[account(name)],
  });
  const waiting = [];
  xmpp.on("error", (error) => { console.error(name, error); process.exit(1); });
  xmpp.on("stanza", (stanza) => {
    const at = waiting.findIndex(({ test }) => test(stanza));
    if (at >= 0) waiting.splice(at, 1)[0].resolve(stanza);
  });
  xmpp.hears = (test) => new Promise((resolve) => waiting.push({ test, resolve }));
  return xmpp;
}

const saying = (body) => (stanza) => stanza.is("message") && stanza.getChildText("body") === body;
const bounded = setTimeout(() => { console.error("nothing came in time"); process.exit(1); }, 60_000);

const romeo = enter("romeo", "js", ports[0]);
const juliet = enter("juliet", "js", ports[1]);
await Promise.all([romeo.start(), juliet.start()]);
await Promise.all([romeo.send(xml("presence")), juliet.send(xml("presence"))]);
const roster = await romeo.iqCaller.get(xml("query", "jabber:iq:roster"));
if (!roster) throw new Error("no roster");

const soft = juliet.hears(saying("But soft!"));
await romeo.send(xml("message", { type: "chat", to: account("juliet") }, xml("body", {}, "But soft!")));
const from = (await soft).attrs.from;
const ay = romeo.hears(saying("Ay me!"));
await juliet.send(xml("message", { type: "chat", to: from }, xml("body", {}, "Ay me!")));
await ay;
console.log("messages both ways, across nodes");

const room = `mantua@conference.${account("romeo").split("@")[1]}`;
const entered = (xmpp, nick) => {
  const self = xmpp.hears((stanza) => stanza.is("presence") && stanza.attrs.from === `${room}/${nick}`);
  return xmpp.send(xml("presence", { to: `${room}/${nick}` }, xml("x", "http://jabber.org/protocol/muc"))).then(() => self);
};
await entered(romeo, "Romeo");
await romeo.iqCaller.set(
  xml("query", "http://jabber.org/protocol/muc#owner", xml("x", { xmlns: "jabber:x:data", type: "submit" })), room);
await entered(juliet, "Juliet");
const heard = [romeo, juliet].map((xmpp) => xmpp.hears(saying("Wherefore art thou?")));
await juliet.send(xml("message", { type: "groupchat", to: room }, xml("body", {}, "Wherefore art thou?")));
await Promise.all(heard);
console.log("a room, across nodes");
await Promise.all([romeo.stop(), juliet.stop()]);
clearTimeout(bounded);
