//! Bound resources (RFC 6120 §7): how they come and go, and how to find them.

use jid::{FullJid, Jid};
use serde::{Deserialize, Serialize};

use super::resume::is_ahead;
use super::{Ask, Change, Managed, Session, managed};
use crate::machine::{Env, Machine, Out, SocketId, ToSocket};
use crate::stanza::{Condition, Stanza, StanzaError};
use crate::store::{Key, Query, Reply, collection};
use crate::stream::error::{StreamCondition, StreamError};

/// One bound resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// The session's number.
    pub sid: u64,
    /// Its full JID.
    pub jid: FullJid,
    /// Where its connection is.
    pub socket: SocketId,
    /// Its last available presence, broadcast or not; `None` until then and after `unavailable`.
    pub presence: Option<Stanza>,
    /// From that presence.
    pub priority: i8,
    /// Asked for the roster, so gets pushes (RFC 6121 §2.1.6).
    pub interested: bool,
    /// Wants copies (XEP-0280).
    pub carbons: bool,
    /// Who got directed presence from it (RFC 6121 §4.6).
    pub directed: Vec<Jid>,
    /// Set if its stream is managed (XEP-0198).
    pub managed: Option<Box<Managed>>,
}

impl Resource {
    /// Whether it has sent available presence and not taken it back.
    pub fn is_available(&self) -> bool {
        self.presence.is_some()
    }

    /// Whether it is available and wants messages for the account (RFC 6121 §4.7.2.3).
    pub fn wants_messages(&self) -> bool {
        self.is_available() && self.priority >= 0
    }
}

impl Session {
    /// The resource of that session.
    pub fn resource(&self, sid: u64) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.sid == sid)
    }

    /// The resource of that name, prepared (RFC 7622 §3.4).
    pub fn resource_named(&self, name: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.jid.resource().as_str() == name)
    }

    /// The resources that have sent presence, oldest first.
    pub fn available(&self) -> impl Iterator<Item = &Resource> {
        self.resources.iter().filter(|resource| resource.is_available())
    }

    /// The sessions that want copies (XEP-0280), without those that were served and the sender.
    pub fn carbon_targets(&self, served: &[u64], sender: Option<u64>) -> Vec<u64> {
        let wanting = self.resources.iter().filter(|resource| resource.carbons);
        let excluded = |sid: &u64| served.contains(sid) || sender == Some(*sid);
        wanting.map(|resource| resource.sid).filter(|sid| !excluded(sid)).collect()
    }

    /// Whether this account asks for it itself: `from` is one of its own addresses.
    pub fn is_own(&self, jid: &Jid) -> bool {
        // Compared as text: this is asked of every stanza, and a bare JID made for it would be thrown away.
        let rest = jid.as_str().strip_prefix(self.address.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// How a resource is bound.
impl Session {
    /// A connection has logged in and wants a session. What another one has it gets only when it was told of that very one and
    /// says that it is there still: a word may be long under way, and its client has come to its session by another node since.
    pub(super) fn asked(
        &mut self,
        socket: SocketId,
        ask: Ask,
        instead_of: Option<SocketId>,
        env: &Env<'_>,
        out: &mut Out<Self>,
    ) {
        if let Some(holder) = self.holder(&ask).filter(|holder| *holder != socket)
            && instead_of != Some(holder)
        {
            return out.socket(socket, ToSocket::AskAgain(holder));
        }
        match ask {
            Ask::Bind { resource, anonymous } => self.bind(socket, resource, anonymous, env, out),
            Ask::Resume { id, h } => self.resume(socket, &id, h, env, out),
        }
    }

    /// Who has what is asked for.
    fn holder(&self, ask: &Ask) -> Option<SocketId> {
        let holder = match ask {
            Ask::Bind { resource, .. } => resource.as_deref().and_then(|name| self.resource_named(name)),
            Ask::Resume { id, h } => {
                managed::read_id(id).and_then(|(sid, _)| self.resource(sid)).filter(|it| {
                    let managed = it.managed.as_ref();
                    managed.is_some_and(|managed| managed.is_attached() || is_ahead(managed.acked(), *h))
                })
            }
        };
        holder.map(|resource| resource.socket)
    }

    fn bind(
        &mut self,
        socket: SocketId,
        wish: Option<String>,
        anonymous: bool,
        env: &Env<'_>,
        out: &mut Out<Self>,
    ) {
        // It asked before, and the answer was lost with a node.
        if let Some(resource) = self.resources.iter().find(|resource| resource.socket == socket) {
            return out.socket(socket, ToSocket::Bound { sid: resource.sid, jid: resource.jid.clone() });
        }
        let is_new = |name: &str| self.resource_named(name).is_none();
        if self.resources.len() >= env.options.limits.resources_max && wish.as_deref().is_none_or(is_new) {
            self.make_room(env, out);
        }
        if self.exists || anonymous {
            return match self.choose(wish.as_deref(), env) {
                Ok(jid) => self.bound(jid, socket, anonymous, env, out),
                Err(error) => refuse(socket, error, out),
            };
        }
        // It has just logged in, so perhaps the account was made after this machine had found none.
        let key = Key::new(collection::CREDENTIALS, self.address.as_str());
        out.ask(Query::Document(key), move |session, reply, env, out| match reply {
            Ok(Reply::Document(Some(_))) => {
                session.commit(Change::Exists, out);
                session.bind(socket, wish, false, env, out);
            }
            Ok(_) => refuse(socket, Condition::NotAllowed, out),
            Err(error) => refuse(socket, super::condition(&error), out),
        });
    }

    /// The full JID that the client asked for, or one that the server made up.
    fn choose(&self, wish: Option<&str>, env: &Env<'_>) -> Result<FullJid, StanzaError> {
        let jid = match wish.filter(|wish| !wish.is_empty()) {
            Some(wish) => self.address.with_resource_str(wish).map_err(|_| Condition::BadRequest)?,
            None => {
                let name = format!("{:016x}", env.random);
                self.address.with_resource_str(&name).map_err(|_| Condition::InternalServerError)?
            }
        };
        let others = self.resources.iter().filter(|resource| resource.jid != jid).count();
        if others >= env.options.limits.resources_max {
            return Err(Condition::ResourceConstraint.into()); // RFC 6120 §7.6.2.1
        }
        Ok(jid)
    }

    fn bound(&mut self, jid: FullJid, socket: SocketId, anonymous: bool, env: &Env<'_>, out: &mut Out<Self>) {
        // RFC 6120 §7.7.2.2: the new one wins.
        let old = self.resources.iter().find(|resource| resource.jid == jid).map(|resource| resource.sid);
        if let Some(old) = old {
            self.end(old, StreamCondition::Conflict, env, out);
        }
        // Numbers rise over the life of this machine and of those before it, so a late word about an old session
        // is never taken for one about a new one.
        let sid = (env.now.0 * 1_000).max(self.sid_last + 1);
        let resource = Resource {
            sid,
            jid: jid.clone(),
            socket,
            presence: None,
            priority: 0,
            interested: false,
            carbons: false,
            directed: vec![],
            managed: None,
        };
        self.commit(Change::Bound(resource, anonymous), out);
        out.socket(socket, ToSocket::Bound { sid, jid });
    }

    /// Ends one stream and frees its resource.
    pub(super) fn end(&mut self, sid: u64, why: StreamCondition, env: &Env<'_>, out: &mut Out<Self>) {
        let Some(resource) = self.resource(sid) else { return };
        if resource.managed.as_ref().is_none_or(|managed| managed.is_attached()) {
            out.socket(resource.socket, ToSocket::End(StreamError::from(why)));
        }
        self.close(sid, env, out);
    }
}

fn refuse(socket: SocketId, error: impl Into<StanzaError>, out: &mut Out<Session>) {
    out.socket(socket, ToSocket::Refused(error.into()));
}
