//! What a connection said to its session and does not know to be handled: said again when the owner is another one.

use std::collections::VecDeque;

use actix::Context;
use jid::BareJid;
use muster_proto::machine::SocketId;
use muster_proto::session::{Ask, Input, Session, Word, is_ahead};
use muster_proto::stanza::Stanza;
use muster_proto::stream::{StreamCondition, StreamError};

use super::Socket;
use crate::owned::Call;
use crate::receipt::Via;

/// Room for so many is kept.
const KEPT_FEW: usize = 4;

/// What a session is told of its client.
#[derive(Clone)]
pub(super) enum Said {
    Client(Stanza),
    Word(Word),
}

impl Said {
    /// Its number among the stanzas of a managed client.
    fn number(&self) -> Option<u32> {
        match self {
            Self::Word(Word::Stanza(number, _) | Word::Answered(number, _)) => Some(*number),
            Self::Word(_) | Self::Client(_) => None,
        }
    }
}

/// What was said and is not handled.
#[derive(Default)]
pub(super) struct Unhandled {
    words: VecDeque<(u64, Said)>,
    /// How it comes to its session, until that has answered.
    ask: Option<Box<Ask>>,
    /// A gap in what the session says was seen, and the rest asked for.
    pub(super) asked_again: bool,
}

impl Unhandled {
    /// The session has handled what was said up to that number.
    pub(super) fn handled(&mut self, number: u64) {
        while self.words.pop_front_if(|(said, _)| *said <= number).is_some() {}
        if self.words.is_empty() {
            self.words.shrink_to(KEPT_FEW);
        }
    }

    /// The session has answered.
    pub(super) fn answered(&mut self) {
        self.ask = None;
    }
}

impl Socket {
    /// Asks for a session.
    pub(super) fn ask(&mut self, ask: Ask) {
        self.attached = true;
        self.unhandled.ask = Some(Box::new(ask));
        self.ask_for(None);
    }

    /// That connection has what this one asked for, and may be the later one: its client has waited long, left and come to its
    /// session by another node. Whoever is there still takes its place.
    pub(super) fn ask_again(&mut self, holder: SocketId, ctx: &mut Context<Self>) {
        if self.is_there(ctx) {
            self.ask_for(Some(holder));
        }
    }

    fn ask_for(&self, instead_of: Option<SocketId>) {
        if let (Some(ask), Some(account)) = (&self.unhandled.ask, self.stream.account()) {
            let input = Input::Enter { socket: self.id, ask: Ask::clone(ask), instead_of };
            self.world.call::<Session>(account, Call::Input(input, Via::default()));
        }
    }

    /// Tells the session, which answers when it has handled so much.
    pub(super) fn say(&mut self, said: Said) {
        let (Some(sid), Some(account)) = (self.sid, self.stream.account()) else { return };
        self.said += 1;
        if !self.world.is_alone() {
            self.unhandled.words.push_back((self.said, said.clone()));
        }
        self.tell(account, sid.get(), self.said, said);
    }

    fn tell(&self, account: &BareJid, sid: u64, number: u64, said: Said) {
        let input = match said {
            Said::Client(stanza) => Input::Client { sid, stanza },
            Said::Word(word) => Input::Word { sid, socket: self.id, word },
        };
        self.world.call::<Session>(account, Call::Input(input, Via::said(self.id, number)));
    }

    /// The session misses that stanza: it is said again, with all that is not handled. If an owner that died without a copy had
    /// handled it, only the client has it.
    pub(super) fn repeat(&mut self, next: u32, ctx: &mut Context<Self>) {
        let first = self.unhandled.words.iter().find_map(|(_, said)| said.number());
        match first.is_some_and(|first| !is_ahead(first, next)) {
            true => self.say_again(ctx),
            false => self.lacks(ctx),
        }
    }

    fn lacks(&mut self, ctx: &mut Context<Self>) {
        let why = "a stanza was lost; please resume";
        self.end(StreamError::because(StreamCondition::ResourceConstraint, why), ctx);
    }

    /// All that is not handled is said again.
    pub(super) fn say_again(&mut self, ctx: &mut Context<Self>) {
        let (Some(sid), Some(account)) = (self.sid, self.stream.account().cloned()) else { return };
        let missing = self.said - self.handled;
        if u64::try_from(self.unhandled.words.len()).ok() != Some(missing) {
            return self.lacks(ctx);
        }
        for (number, said) in self.unhandled.words.clone() {
            self.tell(&account, sid.get(), number, said);
        }
    }

    /// The owner of its session is another one, or something that the session said is missing.
    pub(super) fn reattach(&mut self) {
        let (Some(sid), Some(account)) = (self.sid, self.stream.account().cloned()) else { return };
        self.unhandled.asked_again = true;
        let input = Input::Reattach { sid: sid.get(), socket: self.id, wrote: self.stream.wrote() };
        self.world.call::<Session>(&account, Call::Input(input, Via::default()));
    }

    /// The node that held its session is gone: it goes on with the next owner, and the client notices nothing.
    pub(super) fn owner_lost(&mut self, ctx: &mut Context<Self>) {
        if self.sid.is_some() {
            self.reattach();
            return self.say_again(ctx);
        }
        self.ask_for(None);
    }
}
