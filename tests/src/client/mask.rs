//! Scenes that share a server must not meet: each wears a mask, so that its `romeo@montague.lit` is an account of its own
//! while the scene reads as if it were alone.

/// The names of the domains of every stage. `verona.lit` lets anybody in and register.
pub const DOMAINS: [&str; 3] = ["montague.lit", "capulet.lit", "verona.lit"];

/// What is added to the part before the `@` of each address on its way out, and removed on its way in.
#[derive(Clone, Debug, Default)]
pub struct Mask(String);

impl Mask {
    /// The mask of the scene of this number.
    pub fn of(number: usize) -> Self {
        // Tildes are allowed in localparts and rare in anything else.
        Self(format!("~{number}~"))
    }

    /// A local part, masked.
    pub fn name(&self, local: &str) -> String {
        format!("{local}{}", self.0)
    }

    /// Masks every address.
    pub fn hide(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        DOMAINS.iter().fold(text.to_owned(), |text, domain| {
            text.replace(&format!("@{domain}"), &format!("{}@{domain}", self.0))
                .replace(&format!("@conference.{domain}"), &format!("{}@conference.{domain}", self.0))
        })
    }

    /// Unmasks what was heard.
    pub fn show(&self, text: String) -> String {
        if self.0.is_empty() { text } else { text.replace(&self.0, "") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_masked_and_unmasked() {
        let text =
            "<message to='romeo@montague.lit/orchard'><x jid='hall@conference.capulet.lit'/></message>";
        let mask = Mask::of(7);
        let hidden = mask.hide(text);
        assert!(
            hidden.contains("romeo~7~@montague.lit/orchard") && hidden.contains("hall~7~@conference"),
            "{hidden}"
        );
        assert_eq!(mask.show(hidden), text);
        assert_eq!(Mask::default().hide(text), text);
    }
}
