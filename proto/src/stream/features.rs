//! Stream features (RFC 6120 §4.3.2): what may be negotiated where the stream stands.

use minidom::Element;

use super::{Channel, State, register};
use crate::machine::Env;
use crate::ns;
use crate::options::Domain;
use crate::sasl::Mechanism;
use crate::xml::{Build, el, writer};

/// Writes `<stream:features/>`.
pub(super) fn write(
    state: &State,
    channel: &Channel,
    domain: Option<&str>,
    env: &Env<'_>,
    out: &mut Vec<u8>,
) {
    let domain = domain.and_then(|name| env.options.domain(name));
    out.extend_from_slice(b"<stream:features>");
    for feature in list(state, channel, domain, env) {
        writer::element(&feature, ns::CLIENT, out);
    }
    out.extend_from_slice(b"</stream:features>");
}

fn list(state: &State, channel: &Channel, domain: Option<&Domain>, env: &Env<'_>) -> Vec<Element> {
    match (state, domain) {
        (State::Clear, _) => vec![el("starttls", ns::TLS).child(el("required", ns::TLS))],
        (State::LogIn, Some(domain)) => log_in(channel, domain),
        (State::Unbound, Some(domain)) => logged_in(domain, env),
        _ => vec![],
    }
}

/// The mechanisms that are offered there.
pub(super) fn mechanisms(channel: &Channel, domain: &Domain) -> Vec<Mechanism> {
    Mechanism::ALL.into_iter().filter(|mechanism| mechanism.is_offered(channel, domain)).collect()
}

fn log_in(channel: &Channel, domain: &Domain) -> Vec<Element> {
    let name = |mechanism: &Mechanism| el("mechanism", ns::SASL).text_of(mechanism.name());
    let mechanisms = el("mechanisms", ns::SASL).children_of(mechanisms(channel, domain).iter().map(name));
    let bindings: Vec<_> = match channel {
        Channel::Tls(Some(facts)) => facts.bindings().map(|(name, _)| name).collect(),
        Channel::Clear | Channel::Plain | Channel::Tls(None) => vec![],
    };
    let mut features = vec![mechanisms];
    if !bindings.is_empty() {
        // XEP-0440 §2.
        let binding = |name: &str| el("channel-binding", ns::SASL_CB).with("type", name);
        features.push(el("sasl-channel-binding", ns::SASL_CB).children_of(bindings.into_iter().map(binding)));
    }
    if domain.registration {
        features.push(register::feature());
    }
    features
}

fn logged_in(domain: &Domain, env: &Env<'_>) -> Vec<Element> {
    let mut features = vec![
        el("bind", ns::BIND).child(el("required", ns::BIND)),
        // Clients of RFC 3921 ask for it; it does nothing, and says so.
        el("session", ns::SESSION).child(el("optional", ns::SESSION)),
        el("ver", ns::ROSTER_VER),
        el("sub", ns::PRE_APPROVAL),
    ];
    features.extend(env.features.iter().filter_map(|feature| feature.stream_feature(domain, env)));
    features
}
