//! Addresses as they come: prepared (RFC 7622), and those that came lately are known, since people talk at length.

use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};

use jid::{BareJid, Jid};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

/// So many are known on each thread.
const PLACES: usize = 1_024;
/// Longer ones are prepared each time: what is known takes at most 160 KiB.
const BYTES_MAX: usize = 128;

thread_local! {
    static KNOWN: RefCell<Vec<Option<Jid>>> = const { RefCell::new(Vec::new()) };
}

/// Prepares an address.
///
/// # Errors
/// It is none.
pub fn jid(text: &str) -> Result<Jid, jid::Error> {
    if text.len() > BYTES_MAX {
        return Jid::new(text);
    }
    KNOWN.with_borrow_mut(|known| {
        known.resize(PLACES, None);
        let place = &mut known[place(text)];
        if let Some(jid) = place.as_ref().filter(|jid| jid.as_str() == text) {
            return Ok(jid.clone());
        }
        let jid = Jid::new(text)?;
        // What is prepared already stays as it is, so the text alone says whether it is this one.
        if jid.as_str() == text {
            *place = Some(jid.clone());
        }
        Ok(jid)
    })
}

fn place(text: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish() as usize % PLACES
}

/// As [`jid()`] reads it, if there is one.
pub fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Jid>, D::Error> {
    Ok(Option::<Address>::deserialize(deserializer)?.map(|address| address.0))
}

/// As [`jid()`] reads it, if it is bare.
pub fn bare<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BareJid, D::Error> {
    BareJid::try_from(Address::deserialize(deserializer)?.0).map_err(D::Error::custom)
}

struct Address(Jid);

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Address;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an address")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Address, E> {
                jid(text).map(Address).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_alike_the_first_time_and_later() {
        for text in
            ["juliet@capulet.lit/balcony", "Juliet@Capulet.LIT/Balcony", "capulet.lit", "jüliet@capulet.lit"]
        {
            for _ in 0..3 {
                assert_eq!(jid(text).unwrap(), Jid::new(text).unwrap());
            }
        }
        for text in ["", "@", "juliet@", "/balcony", "jul iet@capulet.lit"] {
            for _ in 0..2 {
                assert_eq!(jid(text).is_err(), Jid::new(text).is_err(), "{text}");
            }
        }
        let many = |number: usize| format!("user{number}@capulet.lit/{}", "x".repeat(1 + number % 200));
        assert!((0..5_000).map(many).all(|text| jid(&text).unwrap().as_str() == text));
    }

    #[test]
    fn what_is_sent_is_read_as_if_it_were_read_plainly() {
        let read = |text: &str| optional(&mut serde_json::Deserializer::from_str(text)).map_err(drop);
        assert_eq!(read("\"juliet@capulet.lit/a\""), Ok(Some(Jid::new("juliet@capulet.lit/a").unwrap())));
        assert_eq!(read("null"), Ok(None));
        assert_eq!(read("\"@\""), Err(()));
        let read = |text: &str| bare(&mut serde_json::Deserializer::from_str(text)).map_err(drop);
        assert_eq!(read("\"juliet@capulet.lit\""), Ok(BareJid::new("juliet@capulet.lit").unwrap()));
        assert_eq!(read("\"juliet@capulet.lit/a\""), Err(()));
    }
}
