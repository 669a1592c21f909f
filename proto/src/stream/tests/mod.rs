//! Conversations with a stream: bytes in, bytes and effects out.

mod garbage;
mod login;
mod managed;
mod open;
mod opening;

use jid::BareJid;

use super::*;
use crate::feature::Features;
use crate::machine::Timestamp;
use crate::options::{Domain, Options};

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' to='capulet.lit' version='1.0' \
                      xmlns:stream='http://etherx.jabber.org/streams'>";
/// What we answer; `ID` stands for anything unpredictable.
const GREETING: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
                        xmlns:stream='http://etherx.jabber.org/streams' id='ID' from='capulet.lit' version='1.0' \
                        xml:lang='en'>";
const MECHANISMS: &str = "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
                          <mechanism>SCRAM-SHA-256</mechanism><mechanism>SCRAM-SHA-1</mechanism>\
                          <mechanism>PLAIN</mechanism></mechanisms></stream:features>";
const BIND: &str = "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><required/></bind>\
                    <session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>\
                    <ver xmlns='urn:xmpp:features:rosterver'/><sub xmlns='urn:xmpp:features:pre-approval'/>\
                    </stream:features>";

/// A client and the world around its stream.
struct Scene {
    stream: Stream,
    options: Options,
    features: Features,
    effects: Vec<Effect>,
}

fn domain(name: &str, anonymous: bool) -> Domain {
    Domain {
        name: name.to_owned(),
        conference: format!("conference.{name}"),
        admins: vec![],
        anonymous,
        registration: false,
    }
}

fn facts() -> TlsFacts {
    TlsFacts { exporter: Some(vec![1; 32]), server_end_point: Some(vec![2; 32]), client_identities: vec![] }
}

impl Scene {
    fn on(channel: Channel) -> Self {
        let domains = vec![domain("capulet.lit", false), domain("masks.lit", true)];
        Self {
            stream: Stream::new(channel, [7; 32]),
            options: Options { domains, ..Options::default() },
            features: Features::new(vec![]),
            effects: vec![],
        }
    }

    /// Juliet, logged in over a plain listener, with the features of bind before her.
    fn logged_in() -> Self {
        let mut scene = Self::on(Channel::Plain);
        scene.says(HEADER);
        scene.says(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldAByMG0zMA==</auth>",
        );
        scene.answers(Input::Credentials(Ok(juliet())));
        let Some(Effect::Derive(derivation)) = scene.effects.pop() else { panic!() };
        scene.answers(Input::Derived(derivation.run()));
        scene.says(HEADER);
        scene.effects.clear();
        scene
    }

    /// Juliet on her balcony.
    fn bound() -> Self {
        let mut scene = Self::logged_in();
        scene.says("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
        scene.answers(Input::Bound("juliet@capulet.lit/balcony".parse().unwrap()));
        scene.effects.clear();
        scene
    }

    fn answers(&mut self, input: Input<'_>) {
        let env = Env { now: Timestamp(1), random: 1, options: &self.options, features: &self.features };
        self.stream.handle(input, &env, &mut self.effects);
    }

    fn says(&mut self, text: &str) {
        self.answers(Input::Bytes(text.as_bytes()));
    }

    /// What was written since the last time; nothing else may have happened before it.
    fn hears(&mut self) -> String {
        match self.effects.is_empty() {
            true => String::new(),
            false => match self.effects.remove(0) {
                Effect::Write(bytes) => without_ids(&String::from_utf8(bytes).unwrap()),
                other => panic!("{other:?}"),
            },
        }
    }

    /// The next effect.
    fn next(&mut self) -> Effect {
        self.effects.remove(0)
    }

    /// The stream ended with this condition, and said so.
    #[track_caller]
    fn ends_with(&mut self, condition: StreamCondition) {
        let heard = self.hears();
        let error = format!("<stream:error><{} xmlns='{}'", condition.name(), crate::ns::STREAMS);
        assert!(heard.contains(&error) && heard.ends_with("</stream:error></stream:stream>"), "{heard}");
        match self.next() {
            Effect::Close(Ending::Failed(error)) => assert_eq!(error.condition, condition),
            other => panic!("{other:?}"),
        }
        assert!(self.stream.is_closed() && self.effects.is_empty());
        self.says("<presence/>");
        assert!(self.effects.is_empty());
    }
}

fn juliet() -> Option<Credentials> {
    Some(Credentials::derive("r0m30", [5; 32], 16).unwrap())
}

/// Replaces 32 hexadecimal digits by `ID`.
fn without_ids(text: &str) -> String {
    let mut left = text;
    let mut clean = String::new();
    while let Some(c) = left.chars().next() {
        let is_id = left.len() >= 32 && left.bytes().take(32).all(|byte| byte.is_ascii_hexdigit());
        clean.push_str(if is_id { "ID" } else { &left[..c.len_utf8()] });
        left = &left[if is_id { 32 } else { c.len_utf8() }..];
    }
    clean
}

fn is_account(jid: &BareJid, name: &str) -> bool {
    jid.as_str() == name
}
