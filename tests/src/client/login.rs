//! The steps of a log-in (RFC 6120 §4 to §7), each on its own so that a scene may take another turn.

use base64::{Engine, engine::general_purpose::STANDARD};
use muster_proto::{Element, ns};

use super::scram::Scram;
use super::{Client, Heard, PATIENCE};

/// How a log-in ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With `<success/>`.
    Success,
    /// With `<failure/>` and this condition.
    Failure(String),
}

impl Client {
    /// Opens a stream to a domain; yields the features that the server offers.
    ///
    /// # Panics
    /// The server does not answer as it must.
    pub fn open(&mut self, domain: &str) -> Element {
        self.send(
            format!(
                "<?xml version='1.0'?><stream:stream to='{domain}' version='1.0' xml:lang='en' xmlns='{}' xmlns:stream='{}'>",
                ns::CLIENT,
                ns::STREAM
            )
            .as_bytes(),
        );
        match self.next(PATIENCE) {
            Some(Heard::Header(_)) => {}
            other => panic!("a stream header should have come, but: {other:?}"),
        }
        let features = self.element();
        assert!(features.is("features", ns::STREAM), "features follow the header: {features:?}");
        features
    }

    /// Logs in with a mechanism: PLAIN, EXTERNAL, ANONYMOUS, or SCRAM. A channel is bound with the named type, as `-PLUS`
    /// wants it.
    pub fn log_in(&mut self, mechanism: &str, user: &str, password: &str, binding: Option<&str>) -> Outcome {
        let user = &self.mask.name(user);
        match mechanism {
            "PLAIN" => self.say_auth(mechanism, Some(&format!("\0{user}\0{password}"))),
            // Empty: as whom the certificate says (XEP-0178 §2).
            "EXTERNAL" => self.say_auth(mechanism, Some("")),
            "ANONYMOUS" => self.say_auth(mechanism, Some("")),
            scram => return self.log_in_by_scram(scram, user, password, binding),
        }
        self.outcome()
    }

    /// Logs in with PLAIN and opens the second stream; yields the features that the server offers then.
    ///
    /// # Panics
    /// The server does not let the user in.
    pub fn authenticate(&mut self, user: &str, domain: &str, password: &str) -> Element {
        self.open(domain);
        let outcome = self.log_in("PLAIN", user, password, None);
        assert_eq!(outcome, Outcome::Success, "{user}@{domain} may log in");
        self.restart();
        self.open(domain)
    }

    /// Logs in with PLAIN and binds a resource; yields the full JID.
    ///
    /// # Panics
    /// The server does not let the user in.
    pub fn enter(&mut self, user: &str, domain: &str, password: &str, resource: Option<&str>) -> String {
        self.authenticate(user, domain, password);
        self.bind(resource).unwrap_or_else(|error| panic!("{user}@{domain} may bind: {error}"))
    }

    /// Binds a resource (RFC 6120 §7); yields the full JID.
    ///
    /// # Errors
    /// The server refuses, with this condition.
    pub fn bind(&mut self, resource: Option<&str>) -> Result<String, String> {
        let wish = resource.map_or(String::new(), |name| format!("<resource>{name}</resource>"));
        self.say(&format!("<iq type='set' id='bind'><bind xmlns='{}'>{wish}</bind></iq>", ns::BIND));
        let answer = self.element();
        if answer.attr("type") == Some("error") {
            let error = answer.get_child("error", ns::CLIENT).and_then(|error| error.children().next());
            return Err(error.map_or(String::new(), |condition| condition.name().to_owned()));
        }
        let bound = answer.get_child("bind", ns::BIND).and_then(|bind| bind.get_child("jid", ns::BIND));
        Ok(bound.unwrap_or_else(|| panic!("a JID in the answer: {answer:?}")).text())
    }

    fn log_in_by_scram(
        &mut self,
        mechanism: &str,
        user: &str,
        password: &str,
        binding: Option<&str>,
    ) -> Outcome {
        let binding = binding.map(|name| (name, self.channel(name)));
        self.scram(mechanism, user, password, binding)
    }

    /// Logs in with SCRAM, bound to a channel that may not be this one.
    pub fn log_in_bound(
        &mut self,
        mechanism: &str,
        user: &str,
        password: &str,
        channel: (&str, Vec<u8>),
    ) -> Outcome {
        let user = self.mask.name(user);
        self.scram(mechanism, &user, password, Some(channel))
    }

    fn scram(
        &mut self,
        mechanism: &str,
        user: &str,
        password: &str,
        binding: Option<(&str, Vec<u8>)>,
    ) -> Outcome {
        let mut scram = Scram::new(mechanism, user, password, binding);
        self.say_auth(mechanism, Some(&scram.first()));
        let challenge = self.element();
        if !challenge.is("challenge", ns::SASL) {
            return outcome(&challenge);
        }
        let answer = scram.answer(&decode(&challenge));
        self.say(&format!("<response xmlns='{}'>{}</response>", ns::SASL, STANDARD.encode(answer)));
        let last = self.element();
        let outcome = outcome(&last);
        if outcome == Outcome::Success {
            assert!(scram.accepts(&decode(&last)), "the server must prove that it knows the password");
        }
        outcome
    }

    /// Begins a SASL exchange.
    pub fn say_auth(&mut self, mechanism: &str, response: Option<&str>) {
        let response = match response {
            None => String::new(),
            Some("") => "=".to_owned(),
            Some(text) => STANDARD.encode(text),
        };
        self.say(&format!("<auth xmlns='{}' mechanism='{mechanism}'>{response}</auth>", ns::SASL));
    }

    /// How the exchange ends.
    ///
    /// # Panics
    /// It does not.
    pub fn outcome(&mut self) -> Outcome {
        outcome(&self.element())
    }

    /// The data that binds a log-in to this connection.
    ///
    /// # Panics
    /// There is no TLS.
    pub fn channel(&self, name: &str) -> Vec<u8> {
        let tls = self.tls().expect("a channel binding needs TLS");
        match name {
            "tls-exporter" => {
                let mut bytes = vec![0; 32];
                tls.export_keying_material(&mut bytes, "EXPORTER-Channel-Binding", Some(&[]))
                    .expect("TLS 1.3");
                bytes
            }
            "tls-server-end-point" => {
                let certificate = tls.peer_certificate().expect("a server has a certificate");
                let digest = openssl::hash::MessageDigest::sha256();
                certificate.digest(digest).expect("a hash").to_vec()
            }
            _ => vec![],
        }
    }
}

fn outcome(element: &Element) -> Outcome {
    match element.name() {
        "success" => Outcome::Success,
        "failure" => {
            let condition = element.children().find(|child| child.name() != "text");
            Outcome::Failure(condition.map_or(String::new(), |condition| condition.name().to_owned()))
        }
        _ => panic!("the log-in should have ended, but: {element:?}"),
    }
}

fn decode(element: &Element) -> String {
    let bytes = STANDARD.decode(element.text()).expect("base64");
    String::from_utf8(bytes).expect("SCRAM is text")
}
