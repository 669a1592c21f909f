//! Specifications that live in the machines themselves: here they only say their name, and announce themselves.

use minidom::Element;

use crate::feature::{Feature, Place, Spec};
use crate::machine::Env;
use crate::ns;
use crate::options::Domain;

const fn rfc(name: &'static str, title: &'static str) -> Spec {
    Spec { name, version: "", title }
}

/// Managed streams: see [`crate::stream`] and [`crate::session::managed`].
pub struct StreamManagement;

impl Feature for StreamManagement {
    fn spec(&self) -> Spec {
        Spec { name: "XEP-0198", version: "1.6.3", title: "Stream Management" }
    }

    fn stream_feature(&self, _domain: &Domain, _env: &Env<'_>) -> Option<Element> {
        Some(Element::bare("sm", ns::SM))
    }
}

/// What the machines are made of.
pub(super) const CORE: [Spec; 7] = [
    rfc("RFC 6120", "XMPP: Core"),
    rfc("RFC 6121", "XMPP: Instant Messaging and Presence"),
    rfc("RFC 7622", "XMPP: Address Format"),
    rfc("RFC 5802", "SCRAM-SHA-1 and SCRAM-SHA-1-PLUS"),
    rfc("RFC 7677", "SCRAM-SHA-256 and SCRAM-SHA-256-PLUS"),
    rfc("RFC 9266", "Channel bindings for TLS 1.3 (tls-exporter)"),
    rfc("RFC 5929", "Channel bindings for TLS (tls-server-end-point)"),
];

macro_rules! elsewhere {
    ($($(#[$doc:meta])* $name:ident $spec:literal $version:literal $title:literal $(at $place:ident $features:expr)*;)*) => {
        $(
            $(#[$doc])*
            pub struct $name;

            impl Feature for $name {
                fn spec(&self) -> Spec {
                    Spec { name: $spec, version: $version, title: $title }
                }

                fn advertises(&self, place: Place) -> &'static [&'static str] {
                    $(if place == Place::$place {
                        return $features;
                    })*
                    let _ = place;
                    &[]
                }
            }
        )*
    };
}

elsewhere! {
    /// Data forms: see [`crate::form`].
    Forms "XEP-0004" "2.13.2" "Data Forms" at Host &[ns::DATA];
    /// Rooms: see [`crate::room`].
    Rooms "XEP-0045" "1.35.5" "Multi-User Chat" at Rooms &[ns::MUC, ns::MUC_STABLE_ID]
        at Room &[ns::MUC, ns::MUC_STABLE_ID];
    /// Messages that wait for their receiver: see [`crate::session::offline`].
    Offline "XEP-0160" "1.0.1" "Offline Messages" at Host &[ns::MSG_OFFLINE];
    /// Stamps on messages that were late: see [`crate::datetime`].
    Delay "XEP-0203" "2.0" "Delayed Delivery" at Host &[ns::DELAY];
    /// Direct TLS: see the listeners.
    DirectTls "XEP-0368" "1.1.0" "SRV records for XMPP over TLS";
    /// Which channel bindings there are: see [`crate::stream`].
    ChannelBindings "XEP-0440" "1.0.0" "SASL Channel-Binding Type Capability";
    /// Invitations pass from client to client, and are copied: see [`super::carbons`].
    Invitations "XEP-0249" "1.2" "Direct MUC Invitations";
    /// Occupants ask a room whether they are still in it: see [`crate::room`].
    SelfPing "XEP-0410" "1.1.0" "MUC Self-Ping" at Room &[ns::MUC_SELF_PING];
    /// Hints about copying and keeping are honoured: see [`crate::stanza::Facts`].
    Hints "XEP-0334" "1.0.0" "Message Processing Hints";
    /// Wraps copies: see [`super::carbons`].
    Forwarding "XEP-0297" "1.0" "Stanza Forwarding";
    /// Dates and times: see [`crate::datetime`].
    DateTimes "XEP-0082" "1.1.1" "XMPP Date and Time Profiles";
    /// Names of form fields: see [`crate::form`].
    FormTypes "XEP-0068" "1.3.0" "Field Standardization for Data Forms";
}
