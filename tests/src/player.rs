//! A player: one client in a scene. It says XML and hears XML, in order.

use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

use muster_proto::{Element, Jid, ns};

use crate::client::{Client, Heard, PATIENCE};
use crate::pattern;
use crate::stage::Play;

const FENCE: &str = "fence-";

/// One client in a scene.
#[derive(Clone)]
pub struct Player(Rc<Inner>);

struct Inner {
    play: Rc<Play>,
    name: RefCell<String>,
    jid: RefCell<Option<Jid>>,
    client: RefCell<Client>,
    /// What was heard while looking for something else.
    heard: RefCell<VecDeque<Heard>>,
    fences: RefCell<HashSet<String>>,
}

impl Player {
    pub(crate) fn new(play: Rc<Play>, name: String, client: Client) -> Self {
        Self(Rc::new(Inner {
            play,
            name: RefCell::new(name),
            jid: RefCell::default(),
            client: RefCell::new(client),
            heard: RefCell::default(),
            fences: RefCell::default(),
        }))
    }

    pub(crate) fn bound(&self, jid: &str) {
        let jid = Jid::new(jid).expect("the server binds valid JIDs");
        let node = jid.node().map_or("", |node| node.as_str());
        let resource = jid.resource().map_or("", |resource| resource.as_str());
        *self.0.name.borrow_mut() = format!("{node}/{resource}");
        *self.0.jid.borrow_mut() = Some(jid);
    }

    /// The full JID, or nothing if no resource is bound.
    pub fn jid(&self) -> Option<Jid> {
        self.0.jid.borrow().clone()
    }

    /// The account.
    pub fn account(&self) -> String {
        self.jid().map(|jid| jid.to_bare().to_string()).unwrap_or_default()
    }

    /// Name and resource: how the script calls this player.
    pub fn name(&self) -> String {
        self.0.name.borrow().clone()
    }

    /// The connection, to take steps that are no part of a conversation.
    pub fn client<T>(&self, steps: impl FnOnce(&mut Client) -> T) -> T {
        steps(&mut self.0.client.borrow_mut())
    }

    /// Sends text, in which `{romeo}` is that player's full JID.
    pub fn says(&self, text: &str) {
        let text = self.0.play.fill(text);
        self.0.play.script().says(&self.name(), &text);
        self.0.client.borrow_mut().say(&text);
    }

    /// Sends bytes as they are.
    pub fn says_bytes(&self, bytes: &[u8]) {
        self.0.play.script().says(&self.name(), &String::from_utf8_lossy(bytes));
        self.0.client.borrow_mut().send(bytes);
    }

    /// The next thing heard must be like this; see [`pattern`].
    pub fn hears(&self, text: &str) -> Element {
        let filled = self.0.play.fill(text);
        let heard = match self.next() {
            Some(Heard::Element(element) | Heard::Header(element)) => element,
            other => self.fails(&filled, &describe(other.as_ref())),
        };
        let wrong = pattern::mismatch(&pattern::parse(&filled), &heard, self.jid().as_ref());
        if let Some(wrong) = wrong {
            self.fails(&filled, &format!("{}\nbecause in {wrong}", String::from(&heard)));
        }
        heard
    }

    /// The next things heard are like these, in any order.
    pub fn hears_all(&self, texts: &[&str]) -> Vec<Element> {
        let filled: Vec<String> = texts.iter().map(|text| self.0.play.fill(text)).collect();
        let mut left: Vec<usize> = (0..filled.len()).collect();
        let mut found: Vec<Option<Element>> = vec![None; filled.len()];
        while !left.is_empty() {
            let wanted = left.iter().map(|at| filled[*at].as_str()).collect::<Vec<_>>().join("\nand ");
            let heard = match self.next() {
                Some(Heard::Element(element)) => element,
                other => self.fails(&wanted, &describe(other.as_ref())),
            };
            let fits = |at: &usize| {
                pattern::mismatch(&pattern::parse(&filled[*at]), &heard, self.jid().as_ref()).is_none()
            };
            match left.iter().position(fits) {
                Some(position) => found[left.remove(position)] = Some(heard),
                None => self.fails(&wanted, &String::from(&heard)),
            }
        }
        found.into_iter().flatten().collect()
    }

    /// The next element, whatever it is.
    pub fn hears_something(&self) -> Element {
        match self.next() {
            Some(Heard::Element(element) | Heard::Header(element)) => element,
            other => self.fails("something", &describe(other.as_ref())),
        }
    }

    /// Says an IQ and hears the answer next.
    pub fn asks(&self, iq: &str, answer: &str) -> Element {
        self.says(iq);
        self.hears(answer)
    }

    /// Nothing else has come, nor will come of what was said before by anybody in the scene.
    ///
    /// Everybody sends this player a fence: an answer to no question, which takes the same way as what they said before
    /// (RFC 6120 §10.1). What goes through a room or waits for an account takes another way; see
    /// [`Player::hears_nothing_more_in`] and [`Player::reaches`].
    pub fn hears_nothing_more(&self) {
        self.settles();
        let more = self.0.heard.borrow().front().cloned();
        if let Some(more) = more {
            self.fails("nothing more", &describe(Some(&more)));
        }
    }

    /// Waits until everything that was said to this player has arrived; it can still be heard.
    pub fn settles(&self) {
        let jid = self.jid().expect("only a bound player is fenced");
        let mut awaited = HashSet::new();
        for player in self.0.play.cast() {
            if player.jid().is_none() {
                continue;
            }
            let id = format!("{FENCE}{}", self.0.play.number());
            player.0.client.borrow_mut().say(&format!("<iq type='result' id='{id}' to='{jid}'/>"));
            awaited.insert(id);
        }
        self.awaits(awaited);
        // Now that all of it is there, what it has made of the store is awaited.
        self.reaches(&self.account());
    }

    /// Waits until everything that this player has said to an account or a room has been taken there, and is stored.
    pub fn reaches(&self, address: &str) {
        let id = format!("{FENCE}{}", self.0.play.number());
        let question = match address.contains("@conference.") {
            true => "<ping xmlns='urn:xmpp:ping'/>",
            // The store answers one account in order, so this answer comes after what was written before.
            false => "<vCard xmlns='vcard-temp'/>",
        };
        let ask = format!("<iq type='get' id='{id}' to='{address}'>{question}</iq>");
        self.0.client.borrow_mut().say(&ask);
        self.awaits([id].into());
    }

    /// Nothing else has come, nor will come of what was said in this room before by anybody in the scene.
    pub fn hears_nothing_more_in(&self, room: &str) {
        for player in self.0.play.cast() {
            if player.jid().is_some() {
                player.reaches(room);
            }
        }
        // The answer takes the way of what the room said before.
        self.reaches(room);
        self.hears_nothing_more();
    }

    fn awaits(&self, mut awaited: HashSet<String>) {
        loop {
            let arrived: HashSet<String> = std::mem::take(&mut self.0.fences.borrow_mut());
            awaited.retain(|id| !arrived.contains(id));
            if awaited.is_empty() {
                return;
            }
            match self.listen() {
                None => {}
                Some(Some(heard @ (Heard::Element(_) | Heard::Header(_)))) => {
                    self.0.heard.borrow_mut().push_back(heard);
                }
                Some(other) => self.fails("a fence", &describe(other.as_ref())),
            }
        }
    }

    /// What has come so far does not matter.
    pub fn forgets(&self) {
        self.settles();
        self.0.heard.borrow_mut().clear();
    }

    pub(crate) fn forgets_presence_of(&self, jid: &Jid) {
        self.settles();
        let is_theirs = |heard: &Heard| matches!(heard, Heard::Element(it) if it.is("presence", ns::CLIENT) && it.attr("from") == Some(jid.as_str()));
        self.0.heard.borrow_mut().retain(|heard| !is_theirs(heard));
    }

    /// The server ends the stream with this error (RFC 6120 §4.9).
    pub fn hears_the_end(&self, condition: &str) {
        let error = match self.next() {
            Some(Heard::Element(element)) if element.is("error", ns::STREAM) => element,
            other => self.fails(&format!("the stream error {condition}"), &describe(other.as_ref())),
        };
        if !error.has_child(condition, ns::STREAMS) {
            self.fails(&format!("the stream error {condition}"), &String::from(&error));
        }
        self.hears_it_close();
    }

    /// The server closes the stream and the connection.
    pub fn hears_it_close(&self) {
        for wanted in [Heard::End, Heard::Closed] {
            let heard = self.next();
            if heard.as_ref() != Some(&wanted) {
                self.fails(&format!("{wanted:?}"), &describe(heard.as_ref()));
            }
        }
        *self.0.jid.borrow_mut() = None;
    }

    /// Closes the stream in order (RFC 6120 §4.4).
    pub fn leaves(&self) {
        self.says("</stream:stream>");
        loop {
            match self.next() {
                Some(Heard::End) => break,
                Some(Heard::Element(_)) => {}
                other => self.fails("the end of the stream", &describe(other.as_ref())),
            }
        }
        self.vanishes();
    }

    /// The connection breaks.
    pub fn vanishes(&self) {
        self.0.play.script().says(&self.name(), "(the connection breaks)");
        *self.0.jid.borrow_mut() = None;
        self.0.client.borrow_mut().hang_up();
    }

    /// The next thing, fences aside.
    fn next(&self) -> Option<Heard> {
        if let Some(heard) = self.0.heard.borrow_mut().pop_front() {
            return Some(heard);
        }
        loop {
            if let Some(heard) = self.listen() {
                return heard;
            }
        }
    }

    /// One thing from the connection: `None` if it was a fence, `Some(None)` if nothing came.
    fn listen(&self) -> Option<Option<Heard>> {
        let heard = self.0.client.borrow_mut().next(PATIENCE);
        match &heard {
            Some(Heard::Element(element)) => {
                if let Some(id) = element.attr("id").filter(|id| id.starts_with(FENCE)) {
                    self.0.fences.borrow_mut().insert(id.to_owned());
                    return None;
                }
                // A server may ask for an acknowledgement at any time (XEP-0198 §4).
                if element.is("r", ns::SM) {
                    return None;
                }
                self.0.play.script().hears(&self.name(), &String::from(element));
            }
            Some(other) => self.0.play.script().hears(&self.name(), &describe(Some(other))),
            None => {}
        }
        Some(heard)
    }

    fn fails(&self, wanted: &str, heard: &str) -> ! {
        let name = self.name();
        panic!("{name} should have heard\n  {wanted}\nbut heard\n  {heard}\n")
    }
}

fn describe(heard: Option<&Heard>) -> String {
    match heard {
        None => "nothing".to_owned(),
        Some(Heard::Header(element) | Heard::Element(element)) => String::from(element),
        Some(Heard::End) => "(the stream ends)".to_owned(),
        Some(Heard::Closed) => "(the connection is gone)".to_owned(),
    }
}
