//! Test accounts: `user%06d@domain`, all with one password.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::Context;

/// The accounts of a run.
#[derive(Clone, Debug)]
pub struct Accounts {
    /// The domain of them all.
    pub domain: String,
    /// The password of them all.
    pub password: String,
    /// What each binds.
    pub resource: String,
    /// The number of the first: what is number 0 here is that account.
    pub first: usize,
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
        Account { number: self.first + number, name: name(self.first + number) }
    }

    /// The bare address of an account.
    #[must_use]
    pub fn bare(&self, number: usize) -> String {
        format!("{}@{}", name(self.first + number), self.domain)
    }

    /// The full address of an account.
    #[must_use]
    pub fn full(&self, number: usize) -> String {
        format!("{}/{}", self.bare(number), self.resource)
    }

    /// A line for each account, as `muster user import` reads them: address, space, password.
    #[must_use]
    pub fn file(&self, numbers: std::ops::Range<usize>) -> String {
        numbers.map(|number| format!("{} {}\n", self.bare(number), self.password)).collect()
    }

    /// Writes a line for each account, as `muster user import` reads them: address, space, password or keys.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, file: &Path, count: usize, secret: &str) -> anyhow::Result<()> {
        let refused = || format!("{} cannot be written", file.display());
        let mut out = BufWriter::new(File::create(file).with_context(refused)?);
        for number in 0..count {
            writeln!(out, "{} {secret}", self.bare(number)).with_context(refused)?;
        }
        out.flush().with_context(refused)
    }
}

fn name(number: usize) -> String {
    format!("user{number:06}")
}
