//! From the first byte to a bound resource: what a client says, step by step (RFC 6120 §§4–7, XEP-0198 §3, XEP-0077 §3).

use anyhow::{Context, bail};
use memchr::memmem::find;

use super::sasl::{Salted, Scram, plain};
use super::{Account, Accounts, Frame, Security};

/// How a password is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mechanism {
    /// PLAIN
    Plain,
    /// SCRAM-SHA-1
    #[value(name = "scram-sha-1")]
    ScramSha1,
    /// SCRAM-SHA-256
    #[value(name = "scram-sha-256")]
    ScramSha256,
}

impl Mechanism {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::ScramSha256 => "SCRAM-SHA-256",
        }
    }
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To log in.
    Session,
    /// To make the account (XEP-0077).
    Register,
    /// To write frames with no XMPP around them, to the floor.
    Bare,
}

/// What all clients of a run do alike.
#[derive(Clone, Debug)]
pub struct Manners {
    /// Who they are.
    pub accounts: Accounts,
    /// How they are protected.
    pub security: Security,
    /// How they show their password.
    pub mechanism: Mechanism,
    /// Whether they ask for stream management.
    pub managed: bool,
    /// Whether they ask for sessions that outlive their connection.
    pub resumes: bool,
    /// After how many stanzas they ask for an acknowledgement, where streams are managed.
    pub ask_every: u32,
    /// What they connect for.
    pub purpose: Purpose,
    /// Whether they say at once what does not depend on what the server says meanwhile (XEP-0305): a managed client then
    /// waits three times for its server, the connection included, and not seven times.
    pub eager: bool,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Wait,
    Secure,
    Restart,
    Done,
}

/// A session that a connection is to go on with (XEP-0198 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// What the server called it.
    pub previd: String,
    /// How many of the server's stanzas its client has.
    pub h: u32,
}

/// How a managed connection came in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entrance {
    /// The server goes on with the session, and has handled so many of its stanzas.
    pub resumed: Option<u32>,
    /// The server did not go on with it; what it said.
    pub refused: Option<String>,
    /// What a new session is called, if it can be resumed.
    pub id: Option<String>,
}

enum Step {
    Features,
    Proceed,
    Registered,
    Challenge(Box<Scram>),
    Success(Option<Box<Scram>>),
    Resumed,
    Bound,
    Enabled,
}

/// One log-in under way.
pub(super) struct Login {
    account: Account,
    step: Step,
    secure: bool,
    known: bool,
    /// What comes after the log-in, if that has been said with it.
    ahead: Option<Step>,
    ticket: Option<Ticket>,
    entrance: Entrance,
}

impl Login {
    pub(super) fn new(account: Account, secure: bool, ticket: Option<Ticket>) -> Self {
        Self {
            account,
            step: Step::Features,
            secure,
            known: false,
            ahead: None,
            ticket,
            entrance: Entrance::default(),
        }
    }

    /// How it came in, once it has.
    pub(super) fn entrance(&self) -> &Entrance {
        &self.entrance
    }

    /// Opens the stream.
    pub(super) fn open(&mut self, manners: &Manners, out: &mut Vec<u8>) -> anyhow::Result<()> {
        header(manners, out);
        self.step = Step::Features;
        let is_clear = manners.security == Security::Starttls && !self.secure;
        if manners.eager && !self.known && !is_clear {
            self.authenticate(manners, out)?;
        }
        Ok(())
    }

    /// The stream is encrypted now.
    pub(super) fn secured(&mut self) {
        self.secure = true;
    }

    /// Takes a frame and says what comes next.
    pub(super) fn take(
        &mut self,
        frame: Frame<'_>,
        manners: &Manners,
        salted: &mut Salted,
        out: &mut Vec<u8>,
    ) -> anyhow::Result<Next> {
        let stanza = match frame {
            Frame::Header(_) => return Ok(Next::Wait),
            Frame::Stanza(stanza) => stanza,
            Frame::End => bail!("the stream was closed"),
        };
        if starts(stanza, "<stream:error") {
            bail!("{}", String::from_utf8_lossy(stanza));
        }
        match std::mem::replace(&mut self.step, Step::Features) {
            Step::Features if starts(stanza, "<stream:features") => {
                return self.features(stanza, manners, out);
            }
            Step::Proceed if starts(stanza, "<proceed") => return Ok(Next::Secure),
            Step::Registered if has(stanza, "result") || has(stanza, "conflict") => return Ok(Next::Done),
            Step::Challenge(mut scram) if starts(stanza, "<challenge") => {
                let answer = scram.answer(text(stanza), &manners.accounts.password, salted)?;
                self.respond(&answer, manners, out);
                self.step = Step::Success(Some(scram));
            }
            Step::Success(scram) if starts(stanza, "<success") => {
                if scram.is_some_and(|scram| !scram.accepts(text(stanza))) {
                    bail!("the server does not know the password");
                }
                self.known = true;
                if self.ahead.is_none() {
                    return Ok(Next::Restart);
                }
            }
            Step::Bound if starts(stanza, "<iq") && has(stanza, "result") => {
                if !manners.managed {
                    return Ok(Next::Done);
                }
                if !manners.eager {
                    enable(manners, out);
                }
                self.step = Step::Enabled;
            }
            Step::Enabled if starts(stanza, "<enabled") => {
                self.entrance.id = attribute(stanza, "id");
                return Ok(Next::Done);
            }
            Step::Resumed if starts(stanza, "<resumed") => {
                let h = attribute(stanza, "h").and_then(|h| h.parse().ok());
                self.entrance.resumed = Some(h.context("resumed without a count")?);
                return Ok(Next::Done);
            }
            Step::Resumed if starts(stanza, "<failed") => {
                self.entrance.refused = Some(String::from_utf8_lossy(stanza).into_owned());
                self.step = bind(manners, out);
            }
            // What is offered to the eager is taken for granted; and some say more than they were asked for.
            step @ Step::Challenge(_) if manners.eager && starts(stanza, "<stream:features") => {
                self.step = step
            }
            step @ (Step::Bound | Step::Enabled) if is_more(stanza) => self.step = step,
            _ => bail!("unexpected: {}", String::from_utf8_lossy(stanza)),
        }
        Ok(Next::Wait)
    }

    fn features(&mut self, offered: &[u8], manners: &Manners, out: &mut Vec<u8>) -> anyhow::Result<Next> {
        let name = &self.account.name;
        if manners.security == Security::Starttls && !self.secure {
            say(out, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
            self.step = Step::Proceed;
        } else if self.known {
            if manners.managed && !has(offered, "urn:xmpp:sm:3") {
                bail!("stream management is not offered");
            }
            self.step = match self.ahead.take() {
                Some(step) => step,
                None => self.enter(manners, out),
            };
        } else if manners.purpose == Purpose::Register {
            let password = &manners.accounts.password;
            say(
                out,
                &format!(
                    "<iq type='set' id='register'><query xmlns='jabber:iq:register'><username>{name}</username>\
                     <password>{password}</password></query></iq>"
                ),
            );
            self.step = Step::Registered;
        } else {
            let mechanism = manners.mechanism;
            if !has(offered, &format!("<mechanism>{}</mechanism>", mechanism.name())) {
                bail!("{} is not offered: {}", mechanism.name(), String::from_utf8_lossy(offered));
            }
            self.authenticate(manners, out)?;
        }
        Ok(Next::Wait)
    }

    fn authenticate(&mut self, manners: &Manners, out: &mut Vec<u8>) -> anyhow::Result<()> {
        let (name, mechanism) = (&self.account.name, manners.mechanism);
        let (first, step) = match mechanism {
            Mechanism::Plain => (plain(name, &manners.accounts.password), Step::Success(None)),
            Mechanism::ScramSha1 | Mechanism::ScramSha256 => {
                let scram = Box::new(Scram::new(mechanism, name)?);
                (scram.first(), Step::Challenge(scram))
            }
        };
        let ns = "urn:ietf:params:xml:ns:xmpp-sasl";
        say(out, &format!("<auth xmlns='{ns}' mechanism='{}'>{first}</auth>", mechanism.name()));
        self.step = step;
        Ok(())
    }

    fn respond(&mut self, answer: &str, manners: &Manners, out: &mut Vec<u8>) {
        say(out, &format!("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{answer}</response>"));
        if manners.eager {
            header(manners, out);
            self.ahead = Some(self.enter(manners, out));
        }
    }

    /// Goes on with a session, or begins one.
    fn enter(&mut self, manners: &Manners, out: &mut Vec<u8>) -> Step {
        let Some(Ticket { previd, h }) = self.ticket.take() else { return bind(manners, out) };
        say(out, &format!("<resume xmlns='urn:xmpp:sm:3' previd='{previd}' h='{h}'/>"));
        Step::Resumed
    }
}

fn header(manners: &Manners, out: &mut Vec<u8>) {
    let domain = &manners.accounts.domain;
    say(
        out,
        &format!(
            "<?xml version='1.0'?><stream:stream to='{domain}' version='1.0' xmlns='jabber:client' \
             xmlns:stream='http://etherx.jabber.org/streams'>"
        ),
    );
}

fn bind(manners: &Manners, out: &mut Vec<u8>) -> Step {
    let resource = &manners.accounts.resource;
    say(
        out,
        &format!(
            "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
             <resource>{resource}</resource></bind></iq>"
        ),
    );
    if manners.eager && manners.managed {
        enable(manners, out);
    }
    Step::Bound
}

fn enable(manners: &Manners, out: &mut Vec<u8>) {
    let resume = if manners.resumes { " resume='true'" } else { "" };
    say(out, &format!("<enable xmlns='urn:xmpp:sm:3'{resume}/>"));
}

/// The value of an attribute of an element's first tag.
pub(crate) fn attribute(stanza: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(stanza).ok()?;
    let tag = &text[..text.find('>')?];
    let at = [' ', '\t', '\n'].iter().find_map(|space| tag.find(&format!("{space}{name}=")))?;
    let value = &tag[at + name.len() + 2..];
    let quote = value.chars().next()?;
    value[1..].split(quote).next().map(str::to_owned)
}

/// Whether it is something that a server says unasked.
fn is_more(stanza: &[u8]) -> bool {
    ["<r", "<presence", "<message"].iter().any(|some| starts(stanza, some))
}

fn say(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn starts(stanza: &[u8], with: &str) -> bool {
    stanza.starts_with(with.as_bytes())
}

fn has(stanza: &[u8], what: &str) -> bool {
    find(stanza, what.as_bytes()).is_some()
}

/// The text of an element without children.
fn text(stanza: &[u8]) -> &str {
    let text = std::str::from_utf8(stanza).unwrap_or_default();
    let inner = text.split_once('>').and_then(|(_, rest)| rest.split_once('<'));
    inner.map_or("", |(inner, _)| inner)
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};

    use super::*;

    fn manners() -> Manners {
        Manners {
            accounts: Accounts { domain: "d".into(), password: "p".into(), resource: "r".into(), first: 0 },
            security: Security::Starttls,
            mechanism: Mechanism::Plain,
            managed: true,
            resumes: true,
            ask_every: 5,
            purpose: Purpose::Session,
            eager: false,
        }
    }

    #[test]
    fn a_log_in_goes_through_tls_sasl_bind_and_stream_management() {
        let (manners, mut salted) = (manners(), Salted::default());
        let mut login = Login::new(manners.accounts.account(7), false, None);
        let mut take = |login: &mut Login, stanza: &str, says: &str| {
            let mut out = Vec::new();
            let next = login.take(Frame::Stanza(stanza.as_bytes()), &manners, &mut salted, &mut out).unwrap();
            assert!(String::from_utf8(out).unwrap().contains(says), "{says}");
            next
        };
        let offer =
            "<stream:features><mechanisms><mechanism>PLAIN</mechanism></mechanisms></stream:features>";
        assert_eq!(take(&mut login, offer, "<starttls"), Next::Wait);
        assert_eq!(take(&mut login, "<proceed/>", ""), Next::Secure);
        login.secured();
        assert_eq!(take(&mut login, offer, "mechanism='PLAIN'"), Next::Wait);
        assert_eq!(take(&mut login, "<success/>", ""), Next::Restart);
        assert_eq!(
            take(
                &mut login,
                "<stream:features><bind/><sm xmlns='urn:xmpp:sm:3'/></stream:features>",
                "<resource>r<"
            ),
            Next::Wait
        );
        assert_eq!(take(&mut login, "<iq type='result' id='bind'/>", "<enable"), Next::Wait);
        assert_eq!(take(&mut login, "<enabled/>", ""), Next::Done);
    }

    #[test]
    fn a_session_is_resumed_or_else_another_one_is_bound() {
        let (manners, mut salted) = (manners(), Salted::default());
        let mut begin = || {
            let ticket = Ticket { previd: "abc".into(), h: 3 };
            let mut login = Login::new(manners.accounts.account(7), true, Some(ticket));
            login.known = true;
            let mut out = Vec::new();
            let offer = b"<stream:features><sm xmlns='urn:xmpp:sm:3'/></stream:features>";
            login.take(Frame::Stanza(offer), &manners, &mut salted, &mut out).unwrap();
            assert!(out.ends_with(b"previd='abc' h='3'/>"));
            login
        };
        let (mut first, mut second) = (begin(), begin());
        let mut take = |login: &mut Login, stanza: &str| {
            login.take(Frame::Stanza(stanza.as_bytes()), &manners, &mut salted, &mut Vec::new()).unwrap()
        };
        assert_eq!(take(&mut first, "<resumed xmlns='urn:xmpp:sm:3' previd='abc' h='12'/>"), Next::Done);
        assert_eq!(first.entrance().resumed, Some(12));
        assert_eq!(take(&mut second, "<failed xmlns='urn:xmpp:sm:3'><item-not-found/></failed>"), Next::Wait);
        assert_eq!(take(&mut second, "<iq type='result' id='bind'/>"), Next::Wait);
        assert_eq!(
            take(&mut second, "<enabled xmlns='urn:xmpp:sm:3' resume=\"true\" id=\"xy\" max='9'/>"),
            Next::Done
        );
        assert_eq!(second.entrance().id.as_deref(), Some("xy"));
        assert!(second.entrance().refused.is_some() && second.entrance().resumed.is_none());
    }

    #[test]
    fn who_is_eager_says_at_once_what_depends_on_no_answer() {
        let (mut manners, mut salted) = (manners(), Salted::default());
        manners.security = Security::Plain;
        manners.mechanism = Mechanism::ScramSha1;
        manners.eager = true;
        let mut login = Login::new(manners.accounts.account(7), false, None);
        let mut out = Vec::new();
        login.open(&manners, &mut out).unwrap();
        let said = String::from_utf8(out).unwrap();
        let first = said.split_once("mechanism='SCRAM-SHA-1'>").unwrap().1.split_once('<').unwrap().0;
        let nonce = String::from_utf8(STANDARD.decode(first).unwrap()).unwrap();
        let nonce = nonce.split_once("r=").unwrap().1;
        let mut take = |login: &mut Login, stanza: &str| {
            let mut out = Vec::new();
            let next = login.take(Frame::Stanza(stanza.as_bytes()), &manners, &mut salted, &mut out).unwrap();
            assert_eq!(next == Next::Done, stanza.starts_with("<enabled"), "{stanza}");
            String::from_utf8(out).unwrap()
        };
        let offer =
            "<stream:features><mechanisms><mechanism>SCRAM-SHA-1</mechanism></mechanisms></stream:features>";
        assert_eq!(take(&mut login, offer), "");
        let challenge = STANDARD.encode(format!("r={nonce}x,s=c2FsdA==,i=4096"));
        let said = take(&mut login, &format!("<challenge>{challenge}</challenge>"));
        let places =
            ["<response", "<stream:stream", "<resource>r<", "<enable"].map(|word| said.find(word).unwrap());
        assert!(places.is_sorted(), "{said}");
        let Step::Success(Some(scram)) = &login.step else { panic!("it waits for the server's proof") };
        let proof = scram.proof();
        assert_eq!(take(&mut login, &format!("<success>{proof}</success>")), "");
        assert_eq!(
            take(&mut login, "<stream:features><bind/><sm xmlns='urn:xmpp:sm:3'/></stream:features>"),
            ""
        );
        assert_eq!(take(&mut login, "<iq type='result' id='bind'/>"), "");
        assert_eq!(take(&mut login, "<enabled/>"), "");
    }

    #[test]
    fn what_is_not_offered_is_not_asked_for() {
        let mut manners = manners();
        manners.security = Security::Plain;
        manners.mechanism = Mechanism::ScramSha256;
        let mut login = Login::new(manners.accounts.account(7), false, None);
        let offer = Frame::Stanza(b"<stream:features><mechanism>PLAIN</mechanism></stream:features>");
        let taken = login.take(offer, &manners, &mut Salted::default(), &mut Vec::new());
        assert!(taken.unwrap_err().to_string().contains("SCRAM-SHA-256 is not offered"));
    }
}
