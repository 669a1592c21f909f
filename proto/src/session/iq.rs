//! Requests to the server, to the account and to the conference service: who answers them.

use super::Session;
use crate::feature::{Answer, Cx, Place};
use crate::machine::{Env, Out};
use crate::ns;
use crate::stanza::{Condition, Stanza};

impl Session {
    /// Answers an IQ addressed to `place`. Answers to it are nobody's: they are dropped.
    pub(super) fn answer(&mut self, place: Place, iq: &Stanza, env: &Env<'_>, out: &mut Out<Self>) {
        if !iq.is_request() {
            return;
        }
        let Some(payload) = &iq.payload else { return out.refuse(iq, Condition::BadRequest) };
        // RFC 6120 §8.2.3: an `id`, and one child.
        if iq.id.is_none() || iq.children().len() != 1 {
            return out.refuse(iq, Condition::BadRequest);
        }
        if place == Place::Account && *payload.ns == *ns::ROSTER && *payload.name == *"query" {
            return self.roster_iq(iq, env, out);
        }
        let Some(feature) = env.features.who_answers(place, iq) else {
            return out.refuse(iq, Condition::ServiceUnavailable);
        };
        let sid = self.sid_of_sender(iq);
        let mut cx = Cx { place, session: self, sid, delivered: &[], env, out };
        match feature.answer(&mut cx, iq) {
            Answer::Result(payload) => out.route(iq.result(payload.as_ref())),
            Answer::Error(error) => out.refuse(iq, error),
            Answer::Later => {}
        }
    }
}
