//! Entity Capabilities (XEP-0115): a client that has seen the server's `<c/>` before need not ask what it can do.

use minidom::Element;

use super::info::Info;
use crate::feature::{Feature, Place, Spec};
use crate::machine::Env;
use crate::ns;
use crate::options::Domain;
use crate::xml::{Build, el};

/// Says which software this is; clients treat it as opaque.
const NODE: &str = "urn:muster:server";

/// XEP-0115.
pub struct Caps;

impl Feature for Caps {
    fn spec(&self) -> Spec {
        Spec { name: "XEP-0115", version: "1.6.0", title: "Entity Capabilities" }
    }

    fn advertises(&self, place: Place) -> &'static [&'static str] {
        match place {
            Place::Host => &[ns::CAPS],
            Place::Rooms | Place::Account | Place::Room => &[],
        }
    }

    fn stream_feature(&self, _: &Domain, env: &Env<'_>) -> Option<Element> {
        let ver = host(env).ver();
        Some(el("c", ns::CAPS).with("hash", "sha-1").with("node", NODE).with("ver", ver))
    }
}

/// What a domain is and can do: the same for all domains.
pub fn host(env: &Env<'_>) -> Info {
    Info::new("server", "im", "Muster").with(env.features.advertised(Place::Host))
}

/// The node that means what the server can do now (§6.2).
pub fn node(env: &Env<'_>) -> String {
    format!("{NODE}#{}", host(env).ver())
}
