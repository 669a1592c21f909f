//! Stream headers (RFC 6120 §4.7): the client's is judged, ours is written.

use jid::{BareJid, Jid};

use super::steps::write;
use super::{Channel, Effect, State, Stream, StreamCondition, StreamError, features};
use crate::machine::Env;
use crate::ns;
use crate::xml::reader::Header;
use crate::xml::writer::attribute;

/// The language of our own texts.
const LANG: &str = "en";

impl Stream {
    /// The client opened the stream: answers with ours and what may be negotiated now.
    pub(super) fn opened(
        &mut self,
        state: State,
        header: Header,
        env: &Env<'_>,
        out: &mut Vec<Effect>,
    ) -> Result<State, StreamError> {
        check_names(&header)?;
        let domain = domain(&header, env)?;
        if self.domain.as_ref().is_some_and(|before| **before != *domain) {
            // It would be logged in at a domain where it is not known.
            return Err(StreamCondition::ImproperAddressing.into());
        }
        self.domain = Some(domain.into());
        let from = header.from.as_deref().and_then(|from| Jid::new(from).ok()).map(|from| from.to_bare());
        self.lang = header.lang.filter(|lang| !lang.is_empty()).map(Into::into);
        let next = match state {
            State::Opening if self.channel == Channel::Clear => State::Clear,
            State::Opening => State::LogIn,
            State::Reopening => {
                if header.from.is_some() && from.as_ref() != self.account() {
                    return Err(StreamCondition::InvalidFrom.into());
                }
                State::Unbound
            }
            // A reader yields one header.
            _ => return Err(StreamCondition::BadFormat.into()),
        };
        check_version(header.version.as_deref())?;
        self.greet(from.as_ref(), env, out);
        let mut bytes = Vec::new();
        features::write(&next, &self.channel, self.domain.as_deref(), env, &mut bytes);
        write(out, &bytes);
        Ok(next)
    }

    /// Writes our header.
    pub(super) fn greet(&mut self, to: Option<&BareJid>, env: &Env<'_>, out: &mut Vec<Effect>) {
        let mut bytes = b"<?xml version='1.0'?><stream:stream".to_vec();
        attribute("xmlns", ns::CLIENT, &mut bytes);
        attribute("xmlns:stream", ns::STREAM, &mut bytes);
        let id = self.chance.draw(env);
        let number = u128::from_str_radix(&id, 16).expect("32 hexadecimal digits are 128 bits");
        self.id = number.to_be_bytes();
        attribute("id", &id, &mut bytes);
        let first = env.options.domains.first().map(|domain| domain.name.as_str());
        if let Some(from) = self.domain.as_deref().or(first) {
            attribute("from", from, &mut bytes);
        }
        if let Some(to) = to {
            attribute("to", to.as_str(), &mut bytes);
        }
        attribute("version", "1.0", &mut bytes);
        // Of the client's language we say only what we speak ourselves (RFC 6120 §4.7.4).
        let lang =
            self.lang.as_deref().filter(|lang| *lang == LANG || lang.starts_with("en-")).unwrap_or(LANG);
        attribute("xml:lang", lang, &mut bytes);
        bytes.push(b'>');
        write(out, &bytes);
        self.greeted = true;
    }
}

fn check_names(header: &Header) -> Result<(), StreamError> {
    match (&*header.ns, &*header.name) {
        (ns::STREAM, "stream") => {}
        (ns::STREAM, _) => return Err(StreamCondition::BadFormat.into()),
        // It lacks the prefix that would say which element it is (RFC 6120 §4.9.3.2).
        (ns::CLIENT | ns::SERVER, "stream") => return Err(StreamCondition::BadNamespacePrefix.into()),
        _ => return Err(StreamCondition::InvalidNamespace.into()),
    }
    if header.is_empty {
        return Err(StreamCondition::BadFormat.into());
    }
    // RFC 6120 §4.8.3 lets either the stream's or the content's namespace be the default.
    match &*header.content {
        ns::CLIENT | ns::STREAM | "" => Ok(()),
        _ => Err(StreamCondition::InvalidNamespace.into()),
    }
}

fn domain(header: &Header, env: &Env<'_>) -> Result<String, StreamError> {
    let to = header.to.as_deref().ok_or(StreamCondition::ImproperAddressing)?;
    let to = Jid::new(to).map_err(|_| StreamCondition::HostUnknown)?;
    if to.node().is_some() || to.resource().is_some() {
        return Err(StreamCondition::ImproperAddressing.into());
    }
    let domain = env.options.domain(to.domain().as_str()).ok_or(StreamCondition::HostUnknown)?;
    Ok(domain.name.clone())
}

/// RFC 6120 §4.7.5: no version is 0.9, which has neither SASL nor bind; a higher one is answered with ours.
fn check_version(version: Option<&str>) -> Result<(), StreamError> {
    let (major, minor) = version.and_then(|version| version.split_once('.')).unwrap_or(("0", "9"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if is_number(major) && is_number(minor) && major.bytes().any(|byte| byte != b'0') {
        Ok(())
    } else {
        Err(StreamCondition::UnsupportedVersion.into())
    }
}
