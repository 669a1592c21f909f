//! One run of a command: who asked, under which session id, and the ways to answer.

use jid::{BareJid, Jid};
use minidom::Element;
use sha2::{Digest, Sha256};

use super::bad;
use crate::features::store_error;
use crate::form::Form;
use crate::machine::{Env, Out, Timestamp};
use crate::ns;
use crate::session::Session;
use crate::stanza::{Condition, Stanza, StanzaError};
use crate::store::StoreError;
use crate::xml::{Build, el};

/// How long a form may lie on the desk, in milliseconds.
const LIFETIME_MS: u64 = 10 * 60 * 1000;

/// One run of a command.
pub struct Call {
    iq: Stanza,
    node: &'static str,
    session: String,
    domain: String,
}

impl Call {
    /// The first step.
    pub(super) fn begin(env: &Env<'_>, iq: &Stanza, node: &'static str, domain: &str) -> Self {
        let session = session_id(env, iq, node, env.now);
        Self { iq: iq.clone(), node, session, domain: domain.to_owned() }
    }

    /// The second step: the id must be one of ours, for this command and client, and not too old.
    pub(super) fn resume(
        env: &Env<'_>,
        iq: &Stanza,
        node: &'static str,
        domain: &str,
        id: &str,
    ) -> Result<Self, StanzaError> {
        let given = id.split_once('-').and_then(|(given, _)| u64::from_str_radix(given, 16).ok());
        let given = given.map(Timestamp).filter(|given| session_id(env, iq, node, *given) == id);
        let given = given.ok_or_else(|| bad("bad-sessionid"))?;
        if env.now.0.saturating_sub(given.0) > LIFETIME_MS {
            return Err(StanzaError::from(Condition::NotAllowed).detail("session-expired", ns::COMMANDS));
        }
        Ok(Self { iq: iq.clone(), node, session: id.to_owned(), domain: domain.to_owned() })
    }

    /// The domain that is administered.
    pub(super) fn domain(&self) -> &str {
        &self.domain
    }

    /// Whether these are accounts of the domain.
    ///
    /// # Errors
    /// `bad-payload`, naming the first that is not.
    pub(super) fn account(&self, jid: &Jid) -> Result<BareJid, StanzaError> {
        let is_account = jid.node().is_some() && jid.domain().as_str() == self.domain;
        let refusal = || bad("bad-payload").text(format!("{jid} is no account of {}", self.domain));
        is_account.then(|| jid.to_bare()).ok_or_else(refusal)
    }

    /// Asks for a form.
    pub(super) fn ask(&self, form: &Form, out: &mut Out<Session>) {
        let actions =
            el("actions", ns::COMMANDS).with("execute", "complete").child(el("complete", ns::COMMANDS));
        self.answer("executing", [actions, form.to_element()], out);
    }

    /// Gives up.
    pub(super) fn cancel(&self, out: &mut Out<Session>) {
        self.answer("canceled", [], out);
    }

    /// Done, with a word for people.
    pub(super) fn done(&self, text: &str, out: &mut Out<Session>) {
        self.answer("completed", [note("info", text)], out);
    }

    /// Done, with what was asked for.
    pub(super) fn report(&self, result: Element, out: &mut Out<Session>) {
        self.answer("completed", [result], out);
    }

    /// It did not work (§3.6).
    pub(super) fn failed(&self, text: &str, out: &mut Out<Session>) {
        self.answer("completed", [note("error", text)], out);
    }

    /// The store did not do as it was asked.
    pub(super) fn away(&self, error: &StoreError, out: &mut Out<Session>) {
        out.refuse(&self.iq, store_error(error));
    }

    fn answer(&self, status: &str, payload: impl IntoIterator<Item = Element>, out: &mut Out<Session>) {
        let command = el("command", ns::COMMANDS)
            .with("node", self.node)
            .with("sessionid", &self.session)
            .with("status", status)
            .children_of(payload);
        out.route(self.iq.result(Some(&command)));
    }
}

fn note(kind: &str, text: &str) -> Element {
    el("note", ns::COMMANDS).with("type", kind).text_of(text)
}

/// When it was given, and a digest that ties it to the client and the command.
fn session_id(env: &Env<'_>, iq: &Stanza, node: &str, given: Timestamp) -> String {
    let mut hash = Sha256::new();
    hash.update(env.options.sasl_secret);
    hash.update(b"ad-hoc session");
    for part in [iq.from.as_ref().map(Jid::as_str).unwrap_or_default(), node] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.update(given.0.to_be_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let short =
        digest.first_chunk().copied().map(u64::from_be_bytes).expect("a SHA-256 has more than 8 bytes");
    format!("{:x}-{short:016x}", given.0)
}
