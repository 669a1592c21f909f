//! The end of each step: counts the questions that the world has still to answer, and shortens the way home.

use super::Session;
use super::unacked::Share;
use crate::machine::{Effect, Env, Out};
use crate::stanza::Stanza;

/// What is under way in the world outside. Not state of the account, so a copy of the machine does not know of it.
#[derive(Clone, Debug, Default)]
pub(super) struct UnderWay {
    /// Questions that the world has not answered yet.
    pub(super) questions: usize,
    /// What came of managed clients and is not counted yet.
    pub(super) came: Vec<Came>,
    /// Messages that are being written, to be kept.
    pub(super) keeping: usize,
    /// What a former owner wrote is being written again: kept messages, perhaps.
    pub(super) writes_again: usize,
    /// Kept messages are being read, to be handed over.
    pub(super) handing_over: bool,
    /// They could not be read.
    pub(super) unreadable: bool,
    /// The message that is being given to several clients.
    pub(super) share: Option<Share>,
    /// Sessions for which too much waits; they end with this step.
    pub(super) overflowing: Vec<u64>,
}

/// What a managed client said: it is counted when all that it led to is safe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Came {
    pub(super) sid: u64,
    /// The number of the last stanza.
    pub(super) last: u32,
    /// Something after it is missing, and its socket was asked to say it again.
    pub(super) asked: bool,
}

/// What goes on when the world has answered: [`crate::machine::Then`] or [`crate::machine::Derived`].
type Next<A> = Box<dyn FnOnce(&mut Session, A, &Env<'_>, &mut Out<Session>) + Send>;

impl UnderWay {
    /// Whether messages may be on their way into the store.
    pub(super) fn is_keeping(&self) -> bool {
        self.keeping > 0 || self.writes_again > 0
    }
}

impl PartialEq for UnderWay {
    /// All are alike: what is under way makes no two sessions differ.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Session {
    /// Looks at the effects of this step, those from `first` on.
    pub(super) fn settle(&mut self, first: usize, env: &Env<'_>, out: &mut Out<Self>) {
        self.relieve(env, out);
        let is_plain = |effect: &Effect<Self>| match effect {
            Effect::Route(stanza) => self.sid_of_answered(stanza).is_none(),
            Effect::Fanout { .. } | Effect::Socket(..) | Effect::Order(..) => true,
            Effect::Ask(..) | Effect::Store(..) | Effect::Derive(..) => false,
        };
        if out.effects[first..].iter().all(is_plain) {
            return;
        }
        for effect in out.effects.split_off(first) {
            let effect = match effect {
                Effect::Route(stanza) => match self.sid_of_answered(&stanza) {
                    Some(sid) => {
                        self.deliver(sid, stanza, env, out);
                        continue;
                    }
                    None => Effect::Route(stanza),
                },
                Effect::Ask(query, then) => Effect::Ask(query, self.counted(then)),
                Effect::Store(writes, then) => Effect::Store(writes, self.counted(then)),
                Effect::Derive(password, then) => Effect::Derive(password, self.counted(then)),
                effect @ (Effect::Fanout { .. } | Effect::Socket(..) | Effect::Order(..)) => effect,
            };
            out.effects.push(effect);
        }
        self.relieve(env, out);
    }

    /// An answer to one of the account's own clients need not leave the machine; so it stays in order with pushes.
    fn sid_of_answered(&self, stanza: &Stanza) -> Option<u64> {
        let to = stanza.to.as_ref().filter(|_| stanza.is_answer())?;
        let to = to.try_as_full().ok()?;
        self.resources.iter().find(|resource| resource.jid == *to).map(|resource| resource.sid)
    }

    /// Counts a question until it is answered, and settles the step that the answer makes.
    fn counted<A: 'static>(&mut self, then: Next<A>) -> Next<A> {
        self.under_way.questions += 1;
        Box::new(move |session, answer, env, out| {
            session.under_way.questions = session.under_way.questions.saturating_sub(1);
            let first = out.effects.len();
            then(session, answer, env, out);
            session.settle(first, env, out);
        })
    }
}
