//! Exchanges with a small client, and the vectors of the RFCs.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::*;
use crate::store::StoreError;
use crate::stream::TlsFacts;

const DOMAIN: &str = "capulet.lit";

fn at(nonce: &str) -> Circumstances {
    Circumstances {
        domain: DOMAIN.to_owned(),
        tls: None,
        binding_offered: false,
        nonce: nonce.to_owned(),
        secret: [3; 32],
        iterations: ITERATIONS,
    }
}

fn with_tls(identities: &[&str]) -> Circumstances {
    let facts = TlsFacts {
        exporter: Some(vec![1; 32]),
        server_end_point: Some(vec![2; 32]),
        client_identities: identities.iter().map(|name| jid::BareJid::new(name).unwrap()).collect(),
    };
    Circumstances { tls: Some(facts), binding_offered: true, ..at("server") }
}

fn scram(hash: Hash, bound: bool) -> Mechanism {
    Mechanism::Scram { hash, bound }
}

fn text(step: Step) -> String {
    match step {
        Step::Challenge(data) | Step::Success { data: Some(data), .. } => String::from_utf8(data).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn failure(step: &Step) -> Failure {
    match step {
        Step::Failure(failure, _) => *failure,
        other => panic!("{other:?}"),
    }
}

/// What the server says to a client of this user and password.
fn log_in(
    hash: Hash,
    flag: &str,
    binding: &[u8],
    user: &str,
    password: &str,
    stored: Option<Credentials>,
    at: Circumstances,
) -> Step {
    let mechanism = scram(hash, flag.starts_with('p'));
    let header = format!("{flag},,");
    let bare = format!("n={user},r=client");
    let (mut exchange, step) = Exchange::start(mechanism, Some(format!("{header}{bare}").as_bytes()), at);
    let step = if matches!(step, Step::Lookup(_)) { exchange.found(Ok(stored)) } else { step };
    let Step::Challenge(challenge) = step else { return step };
    let first = String::from_utf8(challenge).unwrap();
    let mut parts = first.split(',').map(|part| &part[2..]);
    let (nonce, salt, rounds) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let salt = STANDARD.decode(salt).unwrap();
    let salted = hash.stretch(prepare(password).unwrap().as_bytes(), &salt, rounds.parse().unwrap());
    let key = hash.hmac(&salted, b"Client Key");
    let channel = STANDARD.encode([header.as_bytes(), binding].concat());
    let last = format!("c={channel},r={nonce}");
    let signature = hash.hmac(&hash.digest(&key), format!("{bare},{first},{last}").as_bytes());
    let proof: Vec<u8> = key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
    exchange.respond(format!("{last},p={}", STANDARD.encode(proof)).as_bytes())
}

fn juliet() -> Option<Credentials> {
    Some(Credentials::derive("r0m30", std::array::from_fn(|at| at as u8), 16).unwrap())
}

#[test]
fn the_vectors_of_the_rfcs_hold() {
    let vectors = [
        // RFC 5802 §5.
        (
            Hash::Sha1,
            "fyko+d2lbbFgONRv9qkxdawL",
            "3rfcNHYJY1ZVvWVs7j",
            "QSXCR+Q6sek8bf92",
            "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        ),
        // RFC 7677 §3.
        (
            Hash::Sha256,
            "rOprNGfwEbeRWgbNEkqO",
            "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            "W22ZaJ0SNY7soEsUEjb6gQ==",
            "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ),
    ];
    for (hash, client, server, salt, proof, signature) in vectors {
        let keys = Keys::derive(hash, b"pencil", &STANDARD.decode(salt).unwrap(), 4096);
        let stored = Credentials { sha1: keys.clone(), sha256: keys };
        let first = format!("n,,n=user,r={client}");
        let (mut exchange, step) = Exchange::start(scram(hash, false), Some(first.as_bytes()), at(server));
        assert!(matches!(step, Step::Lookup(account) if account.as_str() == "user@capulet.lit"));
        assert_eq!(text(exchange.found(Ok(Some(stored)))), format!("r={client}{server},s={salt},i=4096"));
        let last = format!("c=biws,r={client}{server},p={proof}");
        assert_eq!(text(exchange.respond(last.as_bytes())), format!("v={signature}"));
    }
}

#[test]
fn a_right_password_is_right_with_every_hash_and_binding() {
    for hash in [Hash::Sha1, Hash::Sha256] {
        for (flag, binding, at) in [
            ("n", vec![], at("server")),
            ("y", vec![], at("server")),
            ("n", vec![], with_tls(&[])),
            ("p=tls-exporter", vec![1; 32], with_tls(&[])),
            ("p=tls-server-end-point", vec![2; 32], with_tls(&[])),
        ] {
            let right = log_in(hash, flag, &binding, "juliet", "r0m30", juliet(), at.clone());
            assert!(
                matches!(right, Step::Success { data: Some(_), anonymous: false, .. }),
                "{flag} {right:?}"
            );
            let wrong = log_in(hash, flag, &binding, "juliet", "paris", juliet(), at);
            assert_eq!(failure(&wrong), Failure::NotAuthorized);
        }
    }
}

#[test]
fn a_connection_between_us_is_noticed() {
    let other = log_in(Hash::Sha256, "p=tls-exporter", &[9; 32], "juliet", "r0m30", juliet(), with_tls(&[]));
    assert_eq!(failure(&other), Failure::NotAuthorized);
    let downgraded = log_in(Hash::Sha256, "y", &[], "juliet", "r0m30", juliet(), with_tls(&[]));
    assert_eq!(failure(&downgraded), Failure::NotAuthorized);
    let unknown = log_in(Hash::Sha256, "p=tls-unique", &[1; 32], "juliet", "r0m30", juliet(), with_tls(&[]));
    assert_eq!(failure(&unknown), Failure::MalformedRequest);
}

#[test]
fn an_unknown_user_looks_like_a_known_one() {
    let challenge = |user: &str, stored: Option<Credentials>| {
        let first = format!("n,,n={user},r=client");
        let (mut exchange, step) = Exchange::start(scram(Hash::Sha1, false), Some(first.as_bytes()), at("s"));
        text(if matches!(step, Step::Lookup(_)) { exchange.found(Ok(stored)) } else { step })
    };
    let known = challenge("juliet", Some(Credentials::derive("r0m30", [5; 32], ITERATIONS).unwrap()));
    let unknown = challenge("tybalt", None);
    assert_eq!(known.len(), unknown.len());
    assert_eq!(unknown, challenge("tybalt", None));
    assert_ne!(unknown, challenge("paris", None));
    // No JID at all.
    assert_eq!(challenge("a@b", None).len(), unknown.len());
    for user in ["tybalt", "a@b"] {
        let step = log_in(Hash::Sha1, "n", &[], user, "r0m30", None, at("s"));
        assert_eq!(failure(&step), Failure::NotAuthorized);
    }
}

#[test]
fn names_and_passwords_are_prepared() {
    let stored = Some(Credentials::derive("pass\u{a0}word\u{ad}", [5; 32], 16).unwrap());
    let step = log_in(Hash::Sha256, "n", &[], "jul\u{ad}iet", "pass word", stored, at("s"));
    assert!(matches!(step, Step::Success { account, .. } if account.as_str() == "juliet@capulet.lit"));
    assert_eq!(Credentials::derive("\u{7}", [5; 32], 16), Err(PasswordError::Prohibited));
    assert_eq!(Credentials::derive("", [5; 32], 16), Err(PasswordError::Empty));
}

#[test]
fn what_scram_cannot_read_is_malformed() {
    for message in [
        "",
        "n",
        "n,,",
        "n,,n=juliet",
        "n,,r=client",
        "n,,n=,r=c",
        "n,,n=a=b,r=c",
        "n,,n=a=2c,r=c",
        "x,,n=a,r=c",
        "n,b=c,n=a,r=c",
        "n,,m=1,n=a,r=c",
        "n,,n=a,r=",
        "n,,n=a,r=\u{e9}",
        "p=,,n=a,r=c",
        "p=tls-exporter,,n=a,r=c",
    ] {
        let (_, step) = Exchange::start(scram(Hash::Sha1, false), Some(message.as_bytes()), at("s"));
        assert_eq!(failure(&step), Failure::MalformedRequest, "{message}");
    }
    for message in [
        "",
        "c=biws",
        "c=biws,r=clients",
        "c=biws,r=clients,p=",
        "c=biws,r=clients,p=AA==",
        "c=!,r=clients,p=AA==",
    ] {
        let (mut exchange, _) =
            Exchange::start(scram(Hash::Sha1, false), Some(b"n,,n=juliet,r=client"), at("s"));
        exchange.found(Ok(juliet()));
        assert_eq!(failure(&exchange.respond(message.as_bytes())), Failure::MalformedRequest, "{message}");
    }
    let (_, step) = Exchange::start(scram(Hash::Sha1, false), Some(b"\xff"), at("s"));
    assert_eq!(failure(&step), Failure::MalformedRequest);
}

#[test]
fn nobody_acts_as_another() {
    let (_, step) =
        Exchange::start(scram(Hash::Sha1, false), Some(b"n,a=romeo@capulet.lit,n=juliet,r=c"), at("s"));
    assert_eq!(failure(&step), Failure::InvalidAuthzid);
    let (_, step) =
        Exchange::start(scram(Hash::Sha1, false), Some(b"n,a=juliet@capulet.lit,n=juliet,r=c"), at("s"));
    assert!(matches!(step, Step::Lookup(_)));
    let (_, step) = Exchange::start(Mechanism::Plain, Some(b"romeo@capulet.lit\0juliet\0r0m30"), at("s"));
    assert_eq!(failure(&step), Failure::InvalidAuthzid);
}

#[test]
fn a_plain_password_is_derived_and_compared() {
    for (password, stored, right) in
        [("r0m30", juliet(), true), ("paris", juliet(), false), ("r0m30", None, false)]
    {
        let message = format!("\0juliet\0{password}");
        let (mut exchange, step) = Exchange::start(Mechanism::Plain, Some(message.as_bytes()), at("s"));
        assert!(matches!(step, Step::Lookup(_)));
        let Step::Derive(derivation) = exchange.found(Ok(stored)) else { panic!() };
        let step = exchange.derived(derivation.run());
        match right {
            true => assert!(matches!(step, Step::Success { data: None, .. })),
            false => assert_eq!(failure(&step), Failure::NotAuthorized),
        }
    }
    for message in [&b"juliet\0r0m30"[..], b"\0juliet\0", b"\0\0r0m30", b"\0a\0b\0c", b""] {
        let (_, step) = Exchange::start(Mechanism::Plain, Some(message), at("s"));
        assert_eq!(failure(&step), Failure::MalformedRequest);
    }
}

#[test]
fn a_certificate_says_who_it_is() {
    let start =
        |authzid: &str, at: Circumstances| Exchange::start(Mechanism::External, Some(authzid.as_bytes()), at);
    let (mut exchange, step) = start("", with_tls(&["juliet@capulet.lit", "juliet@other.lit"]));
    assert!(matches!(step, Step::Lookup(_)));
    assert!(matches!(exchange.found(Ok(juliet())), Step::Success { .. }));
    let (mut exchange, _) =
        start("juliet@capulet.lit", with_tls(&["nurse@capulet.lit", "juliet@capulet.lit"]));
    assert_eq!(failure(&exchange.found(Ok(None))), Failure::NotAuthorized);
    let two = &["juliet@capulet.lit", "nurse@capulet.lit"];
    assert_eq!(failure(&start("", with_tls(two)).1), Failure::InvalidAuthzid);
    assert_eq!(failure(&start("romeo@capulet.lit", with_tls(two)).1), Failure::InvalidAuthzid);
    assert_eq!(failure(&start("", with_tls(&["juliet@other.lit"])).1), Failure::NotAuthorized);
}

#[test]
fn a_store_that_is_away_fails_for_now() {
    let (mut exchange, _) = Exchange::start(Mechanism::Plain, Some(b"\0juliet\0r0m30"), at("s"));
    let step = exchange.found(Err(StoreError::Away("gone".into())));
    assert_eq!(failure(&step), Failure::TemporaryAuthFailure);
}

#[test]
fn a_client_that_waits_is_asked() {
    let (mut exchange, step) = Exchange::start(Mechanism::Plain, None, at("s"));
    assert!(matches!(step, Step::Challenge(data) if data.is_empty()));
    assert!(matches!(exchange.respond(b"\0juliet\0r0m30"), Step::Lookup(_)));
    let (_, step) = Exchange::start(Mechanism::Anonymous, Some(b"trace"), at("aB3/+"));
    assert!(
        matches!(step, Step::Success { account, anonymous: true, .. } if account.as_str() == "ab3@capulet.lit")
    );
}

#[test]
fn stored_credentials_are_text_and_hold_no_password() {
    let stored = juliet().unwrap();
    let text = serde_json::to_string(&stored).unwrap();
    assert!(!text.contains("r0m30") && text.contains("\"iterations\":16"));
    assert_eq!(serde_json::from_str::<Credentials>(&text).unwrap(), stored);
    assert_ne!(stored.sha1.salt, stored.sha256.salt);
    assert!(!format!("{stored:?}").contains("stored_key"));
}
