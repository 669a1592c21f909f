//! Test accounts: `user%06d@domain`, all with one password.

use std::fmt::Write as _;

/// The accounts of a run.
#[derive(Clone, Debug)]
pub struct Accounts {
    /// The domain of them all.
    pub domain: String,
    /// The password of them all.
    pub password: String,
    /// What each binds.
    pub resource: String,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its number.
    pub number: usize,
    /// What stands before the @.
    pub name: String,
}

impl Accounts {
    /// An account by its number.
    #[must_use]
    pub fn account(&self, number: usize) -> Account {
        Account { number, name: name(number) }
    }

    /// The bare address of an account.
    #[must_use]
    pub fn bare(&self, number: usize) -> String {
        format!("{}@{}", name(number), self.domain)
    }

    /// The full address of an account.
    #[must_use]
    pub fn full(&self, number: usize) -> String {
        format!("{}/{}", self.bare(number), self.resource)
    }

    /// A line for each account, as `muster user import` reads them: address, space, password.
    #[must_use]
    pub fn file(&self, numbers: std::ops::Range<usize>) -> String {
        let mut text = String::new();
        for number in numbers {
            let _ = writeln!(text, "{} {}", self.bare(number), self.password);
        }
        text
    }
}

fn name(number: usize) -> String {
    format!("user{number:06}")
}
