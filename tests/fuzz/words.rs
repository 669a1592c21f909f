//! Words that mean something to the server, put together by chance.

use super::chance::Chance;

const ADDRESSES: [&str; 16] = [
    "romeo@montague.lit",
    "romeo@montague.lit/orchard",
    "juliet@capulet.lit",
    "juliet@capulet.lit/balcony",
    "juliet@capulet.lit/phone",
    "nobody@capulet.lit",
    "montague.lit",
    "capulet.lit/x",
    "conference.capulet.lit",
    "conference.capulet.lit/x",
    "hall@conference.capulet.lit",
    "hall@conference.capulet.lit/Romeo",
    "hall@conference.capulet.lit/Juliet",
    "crypt@conference.montague.lit/x",
    "tybalt@mantua.lit",
    "@@",
];

const TYPES: [&str; 20] = [
    "",
    "get",
    "set",
    "result",
    "error",
    "chat",
    "groupchat",
    "headline",
    "normal",
    "available",
    "unavailable",
    "subscribe",
    "subscribed",
    "unsubscribe",
    "unsubscribed",
    "probe",
    "invisible",
    "form",
    "submit",
    "cancel",
];

const CONTENTS: [&str; 40] = [
    "<body>Hist!</body>",
    "<subject>The feast</subject>",
    "<subject/>",
    "<show>away</show><priority>-1</priority>",
    "<priority>127</priority>",
    "<priority>128</priority>",
    "<x xmlns='http://jabber.org/protocol/muc'/>",
    "<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='1' seconds='x' since='y'/><password>p</password></x>",
    "<x xmlns='http://jabber.org/protocol/muc#user'><invite to='juliet@capulet.lit'><reason>r</reason></invite></x>",
    "<x xmlns='http://jabber.org/protocol/muc#user'><decline to='romeo@montague.lit'/></x>",
    "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#request</value></field></x>",
    "<query xmlns='http://jabber.org/protocol/muc#owner'/>",
    "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query>",
    "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='cancel'/></query>",
    "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'><field var='muc#roomconfig_persistentroom'><value>1</value></field><field var='muc#roomconfig_membersonly'><value>1</value></field></x></query>",
    "<query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query>",
    "<query xmlns='http://jabber.org/protocol/muc#admin'><item nick='Romeo' role='none'/></query>",
    "<query xmlns='http://jabber.org/protocol/muc#admin'><item jid='romeo@montague.lit' affiliation='outcast'/><item jid='juliet@capulet.lit' affiliation='owner'/></query>",
    "<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='outcast'/></query>",
    "<query xmlns='jabber:iq:roster'/>",
    "<query xmlns='jabber:iq:roster' ver=''/>",
    "<query xmlns='jabber:iq:roster'><item jid='romeo@montague.lit' name='R'><group>g</group></item></query>",
    "<query xmlns='jabber:iq:roster'><item jid='juliet@capulet.lit' subscription='remove'/></query>",
    "<query xmlns='http://jabber.org/protocol/disco#info'/>",
    "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/>",
    "<query xmlns='jabber:iq:register'/>",
    "<query xmlns='jabber:iq:register'><username>romeo</username><password>wherefore art thou</password></query>",
    "<query xmlns='jabber:iq:private'><a xmlns='b'/></query>",
    "<vCard xmlns='vcard-temp'><FN>R</FN></vCard>",
    "<vCard xmlns='vcard-temp'/>",
    "<ping xmlns='urn:xmpp:ping'/>",
    "<enable xmlns='urn:xmpp:carbons:2'/>",
    "<disable xmlns='urn:xmpp:carbons:2'/>",
    "<private xmlns='urn:xmpp:carbons:2'/>",
    "<no-store xmlns='urn:xmpp:hints'/>",
    "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
    "<command xmlns='http://jabber.org/protocol/commands' node='http://jabber.org/protocol/admin#add-user' action='execute'/>",
    "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
    "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>",
    "<delay xmlns='urn:xmpp:delay' from='hall@conference.capulet.lit' stamp='2002-09-10T23:08:25Z'/>",
];

/// A stanza.
pub fn stanza(chance: &mut Chance) -> Vec<u8> {
    let name = chance.pick(&["message", "presence", "iq"]);
    let mut text = format!("<{name}");
    for (attribute, values) in [("to", &ADDRESSES[..]), ("type", &TYPES[..]), ("id", &["1", "2", ""][..])] {
        let value = chance.pick(values);
        if !value.is_empty() && !chance.one_in(5) {
            text.push_str(&format!(" {attribute}='{value}'"));
        }
    }
    text.push('>');
    for _ in 0..chance.below(3) {
        text.push_str(chance.pick(&CONTENTS));
    }
    text.push_str(&format!("</{name}>"));
    text.into_bytes()
}

/// What somebody says who is not logged in.
pub fn knock(chance: &mut Chance) -> Vec<u8> {
    const KNOCKS: [&str; 12] = [
        "<?xml version='1.0'?>",
        "<stream:stream to='montague.lit' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>",
        "<stream:stream to='verona.lit' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>",
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'>=</auth>",
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHJvbWVvAHA=</auth>",
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>biwsbj1yb21lbyxyPWFiYw==</auth>",
        "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>Yz1iaXdzLHI9YWJjLHA9</response>",
        "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
        "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
        "<iq type='set' id='r'><query xmlns='jabber:iq:register'><username>mab</username><password>q</password></query></iq>",
        "<presence/>",
        "</stream:stream>",
    ];
    chance.pick(&KNOCKS).as_bytes().to_vec()
}

/// An address.
pub fn address(chance: &mut Chance) -> String {
    chance.pick(&ADDRESSES).to_owned()
}
