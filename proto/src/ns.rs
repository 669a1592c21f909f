//! XML namespaces, named as their specifications name them.

/// Client streams (RFC 6120 §4.8.2).
pub const CLIENT: &str = "jabber:client";
/// Server streams (RFC 6120 §4.8.2).
pub const SERVER: &str = "jabber:server";
/// The stream element itself (RFC 6120 §4.8.1).
pub const STREAM: &str = "http://etherx.jabber.org/streams";
/// Stream error conditions (RFC 6120 §4.9.2).
pub const STREAMS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
/// Stanza error conditions (RFC 6120 §8.3.2).
pub const STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
/// STARTTLS (RFC 6120 §5).
pub const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
/// SASL (RFC 6120 §6).
pub const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
/// Channel binding types (XEP-0440).
pub const SASL_CB: &str = "urn:xmpp:sasl-cb:0";
/// Resource binding (RFC 6120 §7).
pub const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
/// Session establishment (RFC 3921 §3), kept as a no-op for old clients.
pub const SESSION: &str = "urn:ietf:params:xml:ns:xmpp-session";
/// Rosters (RFC 6121 §2).
pub const ROSTER: &str = "jabber:iq:roster";
/// The roster versioning stream feature (RFC 6121 §2.6).
pub const ROSTER_VER: &str = "urn:xmpp:features:rosterver";
/// The pre-approval stream feature (RFC 6121 §3.4).
pub const PRE_APPROVAL: &str = "urn:xmpp:features:pre-approval";
/// XML's own.
pub const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// Data forms (XEP-0004).
pub const DATA: &str = "jabber:x:data";
/// Service discovery, information (XEP-0030).
pub const DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";
/// Service discovery, items (XEP-0030).
pub const DISCO_ITEMS: &str = "http://jabber.org/protocol/disco#items";
/// Rooms (XEP-0045).
pub const MUC: &str = "http://jabber.org/protocol/muc";
/// Rooms, for users.
pub const MUC_USER: &str = "http://jabber.org/protocol/muc#user";
/// Rooms, for administrators.
pub const MUC_ADMIN: &str = "http://jabber.org/protocol/muc#admin";
/// Rooms, for owners.
pub const MUC_OWNER: &str = "http://jabber.org/protocol/muc#owner";
/// The room configuration form.
pub const MUC_ROOMCONFIG: &str = "http://jabber.org/protocol/muc#roomconfig";
/// Extended information about a room.
pub const MUC_ROOMINFO: &str = "http://jabber.org/protocol/muc#roominfo";
/// The voice request form.
pub const MUC_REQUEST: &str = "http://jabber.org/protocol/muc#request";
/// Private XML storage (XEP-0049).
pub const PRIVATE: &str = "jabber:iq:private";
/// Reflected messages keep their id (XEP-0045 §7.4).
pub const MUC_STABLE_ID: &str = "http://jabber.org/protocol/muc#stable_id";
/// The room answers pings of occupants to themselves (XEP-0410 §3.3).
pub const MUC_SELF_PING: &str = "http://jabber.org/protocol/muc#self-ping-optimization";
/// Ad-hoc commands (XEP-0050).
pub const COMMANDS: &str = "http://jabber.org/protocol/commands";
/// vCards (XEP-0054).
pub const VCARD: &str = "vcard-temp";
/// In-band registration (XEP-0077).
pub const REGISTER: &str = "jabber:iq:register";
/// In-band registration, the stream feature.
pub const REGISTER_FEATURE: &str = "http://jabber.org/features/iq-register";
/// Chat states (XEP-0085).
pub const CHAT_STATES: &str = "http://jabber.org/protocol/chatstates";
/// Software version (XEP-0092).
pub const VERSION: &str = "jabber:iq:version";
/// Entity capabilities (XEP-0115).
pub const CAPS: &str = "http://jabber.org/protocol/caps";
/// Service administration (XEP-0133).
pub const ADMIN: &str = "http://jabber.org/protocol/admin";
/// Offline messages, as advertised by XEP-0160.
pub const MSG_OFFLINE: &str = "msgoffline";
/// Delivery receipts (XEP-0184).
pub const RECEIPTS: &str = "urn:xmpp:receipts";
/// Stream management (XEP-0198).
pub const SM: &str = "urn:xmpp:sm:3";
/// Pings (XEP-0199).
pub const PING: &str = "urn:xmpp:ping";
/// Entity time (XEP-0202).
pub const TIME: &str = "urn:xmpp:time";
/// Delayed delivery (XEP-0203).
pub const DELAY: &str = "urn:xmpp:delay";
/// Direct invitations (XEP-0249).
pub const CONFERENCE: &str = "jabber:x:conference";
/// Carbons (XEP-0280).
pub const CARBONS: &str = "urn:xmpp:carbons:2";
/// Carbons, with all recommended rules (XEP-0280 §6.2).
pub const CARBONS_RULES: &str = "urn:xmpp:carbons:rules:0";
/// Forwarding (XEP-0297).
pub const FORWARD: &str = "urn:xmpp:forward:0";
/// Chat markers (XEP-0333).
pub const MARKERS: &str = "urn:xmpp:chat-markers:0";
/// Processing hints (XEP-0334).
pub const HINTS: &str = "urn:xmpp:hints";
