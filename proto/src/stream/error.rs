//! Stream errors (RFC 6120 §4.9.3): why a stream ends, as data and as bytes.

use serde::{Deserialize, Serialize};

use crate::{ns, xml::writer};

/// Why a stream ends, with the condition that goes on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub struct StreamError {
    /// What went wrong.
    pub condition: StreamCondition,
    /// A word for people, in English.
    pub text: Option<String>,
    /// What the condition's element holds: the address of `see-other-host` (RFC 6120 §4.9.3.19).
    pub address: Option<String>,
    /// The client acknowledged the first number where the second was the last sent (XEP-0198 §6).
    pub handled_too_high: Option<(u32, u32)>,
}

impl std::fmt::Display for StreamError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.condition.name())?;
        match &self.text {
            Some(text) => write!(f, ": {text}"),
            None => Ok(()),
        }
    }
}

macro_rules! conditions {
    ($($variant:ident $name:literal),* $(,)?) => {
        /// RFC 6120 §4.9.3.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[allow(missing_docs)]
        pub enum StreamCondition { $($variant),* }

        impl StreamCondition {
            /// Every condition, in the order of the RFC.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The element's name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }
    };
}

conditions! {
    BadFormat "bad-format",
    BadNamespacePrefix "bad-namespace-prefix",
    Conflict "conflict",
    ConnectionTimeout "connection-timeout",
    HostGone "host-gone",
    HostUnknown "host-unknown",
    ImproperAddressing "improper-addressing",
    InternalServerError "internal-server-error",
    InvalidFrom "invalid-from",
    InvalidNamespace "invalid-namespace",
    InvalidXml "invalid-xml",
    NotAuthorized "not-authorized",
    NotWellFormed "not-well-formed",
    PolicyViolation "policy-violation",
    RemoteConnectionFailed "remote-connection-failed",
    Reset "reset",
    ResourceConstraint "resource-constraint",
    RestrictedXml "restricted-xml",
    SeeOtherHost "see-other-host",
    SystemShutdown "system-shutdown",
    UndefinedCondition "undefined-condition",
    UnsupportedEncoding "unsupported-encoding",
    UnsupportedFeature "unsupported-feature",
    UnsupportedStanzaType "unsupported-stanza-type",
    UnsupportedVersion "unsupported-version",
}

impl From<StreamCondition> for StreamError {
    fn from(condition: StreamCondition) -> Self {
        Self { condition, text: None, address: None, handled_too_high: None }
    }
}

impl StreamError {
    /// With a word for people.
    pub fn because(condition: StreamCondition, text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::from(condition) }
    }

    /// Sends the client to another address, `host` or `host:port` (RFC 6120 §4.9.3.19).
    pub fn see_other_host(address: impl Into<String>) -> Self {
        Self { address: Some(address.into()), ..Self::from(StreamCondition::SeeOtherHost) }
    }

    /// The client has acknowledged what it was not sent (XEP-0198 §6).
    pub fn handled_too_high(h: u32, sent: u32) -> Self {
        let text = format!("you acknowledged {h} stanzas, but only {sent} were sent so far");
        Self { handled_too_high: Some((h, sent)), ..Self::because(StreamCondition::UndefinedCondition, text) }
    }

    /// Appends `<stream:error/>`, for a stream that declared the prefix `stream`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let name = self.condition.name().as_bytes();
        out.extend_from_slice(b"<stream:error><");
        out.extend_from_slice(name);
        writer::attribute("xmlns", ns::STREAMS, out);
        match &self.address {
            Some(address) => {
                out.push(b'>');
                writer::text(address, out);
                out.extend_from_slice(b"</");
                out.extend_from_slice(name);
                out.push(b'>');
            }
            None => out.extend_from_slice(b"/>"),
        }
        if let Some(text) = &self.text {
            out.extend_from_slice(b"<text");
            writer::attribute("xmlns", ns::STREAMS, out);
            writer::attribute("xml:lang", "en", out);
            out.push(b'>');
            writer::text(text, out);
            out.extend_from_slice(b"</text>");
        }
        if let Some((h, sent)) = self.handled_too_high {
            out.extend_from_slice(b"<handled-count-too-high");
            writer::attribute("xmlns", ns::SM, out);
            writer::attribute("h", &h.to_string(), out);
            writer::attribute("send-count", &sent.to_string(), out);
            out.extend_from_slice(b"/>");
        }
        out.extend_from_slice(b"</stream:error>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_is_written_in_its_namespace() {
        for condition in StreamCondition::ALL {
            let mut bytes = Vec::new();
            StreamError::from(*condition).write(&mut bytes);
            let text = String::from_utf8(bytes).unwrap();
            let name = condition.name();
            assert_eq!(text, format!("<stream:error><{name} xmlns='{}'/></stream:error>", ns::STREAMS));
        }
    }

    #[test]
    fn a_text_and_an_address_are_escaped() {
        let mut bytes = Vec::new();
        StreamError::see_other_host("a&b").write(&mut bytes);
        assert!(String::from_utf8(bytes).unwrap().contains(">a&amp;b</see-other-host>"));
        let error = StreamError::because(StreamCondition::PolicyViolation, "<slow>");
        let mut bytes = Vec::new();
        error.write(&mut bytes);
        assert!(String::from_utf8(bytes).unwrap().contains(">&lt;slow&gt;</text>"));
        assert_eq!(error.to_string(), "policy-violation: <slow>");
    }
}
