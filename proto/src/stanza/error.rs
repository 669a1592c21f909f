//! Stanza errors (RFC 6120 §8.3).

use minidom::Element;
use serde::{Deserialize, Serialize};

use crate::ns;
use crate::xml::{Build, el};

/// A stanza error: data for the peer, never a Rust error of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StanzaError {
    /// What went wrong.
    pub condition: Condition,
    /// What the sender should do.
    pub kind: ErrorType,
    /// A word for people, in English.
    pub text: Option<String>,
    /// An application condition: name and namespace (RFC 6120 §8.3.4).
    pub detail: Option<(String, String)>,
}

/// RFC 6120 §8.3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum ErrorType {
    Auth,
    Cancel,
    Continue,
    Modify,
    Wait,
}

macro_rules! conditions {
    ($($variant:ident $name:literal $kind:ident),* $(,)?) => {
        /// RFC 6120 §8.3.3.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[allow(missing_docs)]
        pub enum Condition { $($variant),* }

        impl Condition {
            /// The element's name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The error type that the RFC recommends for it.
            pub fn usual_type(self) -> ErrorType {
                match self { $(Self::$variant => ErrorType::$kind),* }
            }

            /// Reads an element's name.
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

conditions! {
    BadRequest "bad-request" Modify,
    Conflict "conflict" Cancel,
    FeatureNotImplemented "feature-not-implemented" Cancel,
    Forbidden "forbidden" Auth,
    Gone "gone" Cancel,
    InternalServerError "internal-server-error" Cancel,
    ItemNotFound "item-not-found" Cancel,
    JidMalformed "jid-malformed" Modify,
    NotAcceptable "not-acceptable" Modify,
    NotAllowed "not-allowed" Cancel,
    NotAuthorized "not-authorized" Auth,
    PolicyViolation "policy-violation" Modify,
    RecipientUnavailable "recipient-unavailable" Wait,
    Redirect "redirect" Modify,
    RegistrationRequired "registration-required" Auth,
    RemoteServerNotFound "remote-server-not-found" Cancel,
    RemoteServerTimeout "remote-server-timeout" Wait,
    ResourceConstraint "resource-constraint" Wait,
    ServiceUnavailable "service-unavailable" Cancel,
    SubscriptionRequired "subscription-required" Auth,
    UndefinedCondition "undefined-condition" Modify,
    UnexpectedRequest "unexpected-request" Wait,
}

impl From<Condition> for StanzaError {
    fn from(condition: Condition) -> Self {
        Self { condition, kind: condition.usual_type(), text: None, detail: None }
    }
}

impl ErrorType {
    /// The value of the `type` attribute.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Cancel => "cancel",
            Self::Continue => "continue",
            Self::Modify => "modify",
            Self::Wait => "wait",
        }
    }
}

impl StanzaError {
    /// With a word for people.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// With another type than the usual one.
    pub fn of_type(mut self, kind: ErrorType) -> Self {
        self.kind = kind;
        self
    }

    /// With an application condition.
    pub fn detail(mut self, name: &str, ns: &str) -> Self {
        self.detail = Some((name.into(), ns.into()));
        self
    }

    /// The `<error/>` element.
    pub fn to_element(&self) -> Element {
        let error = el("error", ns::CLIENT)
            .with("type", self.kind.name())
            .child(el(self.condition.name(), ns::STANZAS));
        let text = self.text.as_ref().map(|text| el("text", ns::STANZAS).text_of(text));
        let detail = self.detail.as_ref().map(|(name, ns)| Element::bare(name.as_str(), ns.as_str()));
        error.children_of(text).children_of(detail)
    }
}
