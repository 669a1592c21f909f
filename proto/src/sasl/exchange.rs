//! One attempt to log in: what was heard so far, and what happens next.

use jid::{BareJid, DomainPart, NodePart};

use super::credentials::{Credentials, Derivation, Derived, Hash, Keys, prepare};
use super::failure::Failure;
use super::mechanism::Mechanism;
use super::scram::{Binding, Challenged, ClientFirst};
use crate::store::StoreError;
use crate::stream::TlsFacts;

/// What an exchange may know of where it takes place.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// The domain to log in at.
    pub domain: String,
    /// The TLS connection, if there is one.
    pub tls: Option<TlsFacts>,
    /// Whether a mechanism with channel binding was offered.
    pub binding_offered: bool,
    /// Unpredictable and fresh: the server's part of a nonce, and the name of an anonymous user. Printable ASCII.
    pub nonce: String,
    /// Makes salts for unknown users: [`crate::options::Options::sasl_secret`].
    pub secret: [u8; 32],
    /// Rounds pretended for them.
    pub iterations: u32,
}

/// What happens next in an exchange.
#[derive(Debug)]
pub enum Step {
    /// Send this and wait for a response.
    Challenge(Vec<u8>),
    /// Fetch this account's credentials.
    Lookup(BareJid),
    /// Check a password.
    Derive(Derivation),
    /// The client is this account; send it the last word of the mechanism, if there is one.
    Success {
        /// Who it is.
        account: BareJid,
        /// Whether the account lives only as long as the stream.
        anonymous: bool,
        /// The server's proof.
        data: Option<Vec<u8>>,
    },
    /// It failed; the account may not exist.
    Failure(Failure, Option<BareJid>),
}

/// One attempt to log in.
#[derive(Debug)]
pub struct Exchange {
    at: Circumstances,
    /// Whom it concerns, once that is known.
    account: Option<BareJid>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Waits for the client's first message.
    Silent(Mechanism),
    /// SCRAM waits for stored keys.
    Keys { first: ClientFirst, hash: Hash, binding: Vec<u8> },
    /// SCRAM waits for the client's proof.
    Proof { challenged: Challenged, known: bool },
    /// PLAIN waits for stored keys.
    Password(String),
    /// PLAIN waits for a comparison.
    Comparison,
    /// EXTERNAL waits to hear that the account exists.
    Existence,
    /// Nothing is expected.
    Over,
}

impl Exchange {
    /// Starts an exchange, with the initial response if the client sent one.
    pub fn start(mechanism: Mechanism, initial: Option<&[u8]>, at: Circumstances) -> (Self, Step) {
        let mut exchange = Self { at, account: None, state: State::Silent(mechanism) };
        let step = match initial {
            Some(message) => exchange.respond(message),
            // In all mechanisms here the client speaks first (RFC 4422 §5, RFC 6120 §6.4.2).
            None => Step::Challenge(Vec::new()),
        };
        (exchange, step)
    }

    /// The client sent a response.
    pub fn respond(&mut self, message: &[u8]) -> Step {
        let state = std::mem::replace(&mut self.state, State::Over);
        let step = match (state, std::str::from_utf8(message)) {
            (State::Silent(mechanism), Ok(message)) => self.first(mechanism, message),
            (State::Proof { challenged, known }, Ok(message)) => self.proof(challenged, known, message),
            _ => Err(Failure::MalformedRequest),
        };
        self.or_failure(step)
    }

    /// The store answered.
    pub fn found(&mut self, credentials: Result<Option<Credentials>, StoreError>) -> Step {
        let state = std::mem::replace(&mut self.state, State::Over);
        let step = match (state, credentials) {
            (_, Err(_)) => Err(Failure::TemporaryAuthFailure),
            (State::Keys { first, hash, binding }, Ok(found)) => {
                Ok(self.challenge(first, hash, &binding, found))
            }
            (State::Password(password), Ok(found)) => Ok(self.compare(password, found)),
            (State::Existence, Ok(Some(_))) => self.success(None),
            _ => Err(Failure::NotAuthorized),
        };
        self.or_failure(step)
    }

    /// A password was compared.
    pub fn derived(&mut self, derived: Derived) -> Step {
        let step = match std::mem::replace(&mut self.state, State::Over) {
            State::Comparison if derived.0 => self.success(None),
            _ => Err(Failure::NotAuthorized),
        };
        self.or_failure(step)
    }

    /// Whom it concerns, if that is known by now.
    pub fn account(&self) -> Option<&BareJid> {
        self.account.as_ref()
    }

    fn or_failure(&mut self, step: Result<Step, Failure>) -> Step {
        step.unwrap_or_else(|failure| Step::Failure(failure, self.account.clone()))
    }

    fn success(&mut self, data: Option<String>) -> Result<Step, Failure> {
        let account = self.account.clone().ok_or(Failure::NotAuthorized)?;
        Ok(Step::Success { account, anonymous: false, data: data.map(String::into_bytes) })
    }

    fn first(&mut self, mechanism: Mechanism, message: &str) -> Result<Step, Failure> {
        match mechanism {
            Mechanism::Scram { hash, bound } => self.scram(hash, bound, message),
            Mechanism::Plain => self.plain(message),
            Mechanism::External => self.external(message),
            Mechanism::Anonymous => {
                let name: String = self.at.nonce.chars().filter(char::is_ascii_alphanumeric).collect();
                let account = self.account_of(&name).ok_or(Failure::TemporaryAuthFailure)?;
                Ok(Step::Success { account, anonymous: true, data: None })
            }
        }
    }

    fn scram(&mut self, hash: Hash, bound: bool, message: &str) -> Result<Step, Failure> {
        let first = ClientFirst::parse(message)?;
        let binding = match (&first.binding, bound) {
            (Binding::Cannot, false) => Vec::new(),
            // Somebody between us removed `-PLUS` from what we offered (RFC 5802 §6).
            (Binding::NotOffered, false) if self.at.binding_offered => return Err(Failure::NotAuthorized),
            (Binding::NotOffered, false) => Vec::new(),
            (Binding::Used(name), true) => self.binding(name).ok_or(Failure::MalformedRequest)?,
            (Binding::Used(_), false) | (Binding::Cannot | Binding::NotOffered, true) => {
                return Err(Failure::MalformedRequest);
            }
        };
        self.account = self.account_of(&first.user);
        self.check_authzid(first.authzid.as_deref())?;
        Ok(match self.account.clone() {
            Some(account) => {
                self.state = State::Keys { first, hash, binding };
                Step::Lookup(account)
            }
            // No such name can exist; the client is not told so before its proof.
            None => self.challenge(first, hash, &binding, None),
        })
    }

    fn binding(&self, name: &str) -> Option<Vec<u8>> {
        let tls = self.at.tls.as_ref()?;
        tls.bindings().find(|(known, _)| *known == name).map(|(_, data)| data.to_vec())
    }

    fn challenge(
        &mut self,
        first: ClientFirst,
        hash: Hash,
        binding: &[u8],
        found: Option<Credentials>,
    ) -> Step {
        let known = found.is_some();
        let keys = found.map_or_else(|| self.pretended(hash, &first.user), |found| found.keys(hash).clone());
        let (message, challenged) = Challenged::new(first, hash, keys, &self.at.nonce, binding);
        self.state = State::Proof { challenged, known };
        Step::Challenge(message.into_bytes())
    }

    fn proof(&mut self, challenged: Challenged, known: bool, message: &str) -> Result<Step, Failure> {
        let proof = challenged.finish(message)?;
        if known { self.success(Some(proof)) } else { Err(Failure::NotAuthorized) }
    }

    /// Keys that nobody has, the same each time: an unknown user looks like a known one (RFC 5802 §9).
    fn pretended(&self, hash: Hash, user: &str) -> Keys {
        let whose = format!("{}@{}", user, self.at.domain);
        let say =
            |what: &str| Hash::Sha256.hmac(&self.at.secret, format!("{what} {hash:?} {whose}").as_bytes());
        let len = hash.digest(b"").len();
        let key = |what: &str| say(what)[..len].to_vec();
        Keys {
            salt: say("salt")[..16].to_vec(),
            iterations: self.at.iterations,
            stored_key: key("stored key"),
            server_key: key("server key"),
        }
    }

    /// RFC 4616 §2: `[authzid] NUL authcid NUL passwd`.
    fn plain(&mut self, message: &str) -> Result<Step, Failure> {
        let mut parts = message.split('\0');
        let parts = [parts.next(), parts.next(), parts.next(), parts.next()];
        let [Some(authzid), Some(user), Some(password), None] = parts else {
            return Err(Failure::MalformedRequest);
        };
        if user.is_empty() || password.is_empty() {
            return Err(Failure::MalformedRequest);
        }
        self.account = self.account_of(user);
        self.check_authzid(Some(authzid).filter(|authzid| !authzid.is_empty()))?;
        let password = prepare(password).map_err(|_| Failure::NotAuthorized)?;
        Ok(match self.account.clone() {
            Some(account) => {
                self.state = State::Password(password);
                Step::Lookup(account)
            }
            None => self.compare(password, None),
        })
    }

    fn compare(&mut self, password: String, found: Option<Credentials>) -> Step {
        let known = found.is_some();
        let keys = found.map_or_else(|| self.pretended(Hash::Sha256, &password), |found| found.sha256);
        self.state = State::Comparison;
        Step::Derive(Derivation::new(password, keys, known))
    }

    /// XEP-0178 §3: the certificate says who it is; with several names the client chooses one.
    fn external(&mut self, authzid: &str) -> Result<Step, Failure> {
        let tls = self.at.tls.as_ref().ok_or(Failure::EncryptionRequired)?;
        let names = tls.identities_at(&self.at.domain);
        let account = match (authzid, names.as_slice()) {
            (_, []) => return Err(Failure::NotAuthorized),
            ("", [only]) => (*only).clone(),
            ("", _) => return Err(Failure::InvalidAuthzid),
            (authzid, names) => {
                let wanted = BareJid::new(authzid).map_err(|_| Failure::InvalidAuthzid)?;
                if !names.contains(&&wanted) {
                    return Err(Failure::InvalidAuthzid);
                }
                wanted
            }
        };
        self.account = Some(account.clone());
        self.state = State::Existence;
        Ok(Step::Lookup(account))
    }

    /// The account of a simple user name (RFC 6120 §6.3.7).
    fn account_of(&self, user: &str) -> Option<BareJid> {
        let user = prepare(user).ok()?;
        let node = NodePart::new(&user).ok()?;
        let domain = DomainPart::new(&self.at.domain).ok()?;
        Some(BareJid::from_parts(Some(&node), &domain))
    }

    /// A client acts as itself only (RFC 6120 §6.3.8).
    fn check_authzid(&self, authzid: Option<&str>) -> Result<(), Failure> {
        let Some(authzid) = authzid else { return Ok(()) };
        let wanted = BareJid::new(authzid).map_err(|_| Failure::InvalidAuthzid)?;
        if self.account.as_ref().is_none_or(|account| *account == wanted) {
            Ok(())
        } else {
            Err(Failure::InvalidAuthzid)
        }
    }
}
