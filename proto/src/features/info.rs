//! What disco#info says (XEP-0030 §3.1), and how it is summed up (XEP-0115 §5.1).

use base64::{Engine, engine::general_purpose::STANDARD};
use minidom::Element;
use sha1::{Digest, Sha1};

use crate::form::Form;
use crate::ns;
use crate::xml::{Build, el};

/// What an entity is and can do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// What it is: at least one.
    pub identities: Vec<Identity>,
    /// What it can do.
    pub features: Vec<String>,
    /// What else there is to say of it (XEP-0128).
    pub forms: Vec<Form>,
}

/// What an entity is. Names are in English only, so there is no language.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// Such as `server`.
    pub category: &'static str,
    /// Such as `im`.
    pub kind: &'static str,
    /// For people; may be empty.
    pub name: String,
}

impl Info {
    /// An entity that is this.
    pub fn new(category: &'static str, kind: &'static str, name: impl Into<String>) -> Self {
        let identity = Identity { category, kind, name: name.into() };
        Self { identities: vec![identity], ..Self::default() }
    }

    /// And can do this.
    pub fn with<T: Into<String>>(mut self, features: impl IntoIterator<Item = T>) -> Self {
        self.features.extend(features.into_iter().map(Into::into));
        self
    }

    /// And there is this to say of it.
    pub fn form(mut self, form: Form) -> Self {
        self.forms.push(form);
        self
    }

    /// The `<query/>` that answers; the node is the one that was asked for.
    pub fn to_element(&self, node: Option<&str>) -> Element {
        let identity = |identity: &Identity| {
            el("identity", ns::DISCO_INFO)
                .with("category", identity.category)
                .with("type", identity.kind)
                .with_some("name", (!identity.name.is_empty()).then_some(&identity.name))
        };
        el("query", ns::DISCO_INFO)
            .with_some("node", node)
            .children_of(self.identities.iter().map(identity))
            .children_of(
                self.features.iter().map(|feature| el("feature", ns::DISCO_INFO).with("var", feature)),
            )
            .children_of(self.forms.iter().map(Form::to_element))
    }

    /// The verification string (XEP-0115 §5.1), by SHA-1.
    pub fn ver(&self) -> String {
        let mut text = String::new();
        let mut push = |part: &str| {
            text.push_str(part);
            text.push('<');
        };
        for Identity { category, kind, name } in sorted(&self.identities) {
            push(&format!("{category}/{kind}//{name}"));
        }
        for feature in sorted(&self.features) {
            push(feature);
        }
        let mut forms: Vec<&Form> = self.forms.iter().collect();
        forms.sort_by_key(|form| form.form_type());
        for form in forms {
            push(form.form_type().unwrap_or_default());
            let mut fields: Vec<_> = form.fields.iter().filter(|field| field.var != "FORM_TYPE").collect();
            fields.sort_by_key(|field| &field.var);
            for field in fields {
                push(&field.var);
                for value in sorted(&field.values) {
                    push(value);
                }
            }
        }
        STANDARD.encode(Sha1::digest(text))
    }
}

fn sorted<T: Ord>(things: &[T]) -> Vec<&T> {
    let mut things: Vec<_> = things.iter().collect();
    things.sort();
    things
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::{Field, FieldKind, FormKind};

    const FEATURES: [&str; 4] = [ns::DISCO_ITEMS, ns::CAPS, ns::MUC, ns::DISCO_INFO];

    #[test]
    fn the_simple_example_of_the_specification_is_summed_up_rightly() {
        let info = Info::new("client", "pc", "Exodus 0.9.1").with(FEATURES);
        assert_eq!(info.ver(), "QgayPKawpkPSDYmwT/WM94uAlu0=");
    }

    #[test]
    fn forms_are_summed_up_in_order_of_fields_and_values() {
        let form = |fields: [Field; 2]| {
            let form = Form::new(FormKind::Result, "urn:xmpp:dataforms:softwareinfo");
            fields.into_iter().fold(form, Form::field)
        };
        let os = Field::text("os").value("Mac");
        let ip = |values: [&str; 2]| Field::new(FieldKind::TextMulti, "ip_version").values(values);
        let one =
            Info::new("client", "pc", "Psi").with(FEATURES).form(form([ip(["ipv4", "ipv6"]), os.clone()]));
        let other = Info::new("client", "pc", "Psi").with(FEATURES).form(form([os, ip(["ipv6", "ipv4"])]));
        assert_eq!(one.ver(), other.ver());
        assert_ne!(one.ver(), Info::new("client", "pc", "Psi").with(FEATURES).ver());
        // From the string that §5.3 prints, without its languages.
        let text = "client/pc//Psi<http://jabber.org/protocol/caps<http://jabber.org/protocol/disco#info<\
                    http://jabber.org/protocol/disco#items<http://jabber.org/protocol/muc<\
                    urn:xmpp:dataforms:softwareinfo<ip_version<ipv4<ipv6<os<Mac<";
        assert_eq!(one.ver(), STANDARD.encode(Sha1::digest(text)));
    }
}
