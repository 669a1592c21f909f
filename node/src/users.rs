//! Accounts as an administrator names them: text in, checked against the domains of the configuration, into the store.

use std::collections::HashSet;
use std::sync::Arc;

use jid::BareJid;
use muster_actors::storage::{Batch, Storage};
use muster_proto::features::account;
use muster_proto::sasl::Credentials;
use muster_proto::store::{Key, Query, Reply, StoreError, Write, collection};

use crate::authpassword;

/// Accounts derived and written at once by an import.
const CHUNK: usize = 512;

/// Why something was not done to an account.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// It is no account's address.
    #[error("{0:?} is not the address of an account, such as romeo@example.org{1}")]
    Jid(String, String),
    /// It is not of a domain of ours.
    #[error("{0:?} is not a domain of this server: add it as a [[domain]]")]
    Domain(String),
    /// A line of a file is not `JID password`.
    #[error("line {0} is not an address, a space and a password")]
    Line(usize),
    /// It is there already.
    #[error("{0} exists already; `muster user password` gives it another password")]
    Exists(BareJid),
    /// It is not there.
    #[error("{0} does not exist")]
    Unknown(BareJid),
    /// The password cannot be used.
    #[error("the password of {0} cannot be used: {1}")]
    Password(BareJid, String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The accounts of some domains.
pub struct Users {
    /// Where they are.
    pub storage: Arc<dyn Storage>,
    /// Which domains.
    pub domains: Vec<String>,
    /// Rounds of PBKDF2 for new passwords.
    pub iterations: u32,
}

impl Users {
    /// All of them, sorted.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub async fn list(&self) -> Result<Vec<String>, UserError> {
        let mut all = Vec::new();
        for domain in &self.domains {
            if let Reply::Map(fields) = self.storage.query(Query::Map(accounts_of(domain))).await? {
                all.extend(fields.into_iter().map(|(jid, _)| jid));
            }
        }
        all.sort();
        Ok(all)
    }

    /// Adds one.
    ///
    /// # Errors
    /// It exists, or its address or password cannot be used.
    pub async fn add(&self, jid: &str, password: &str) -> Result<BareJid, UserError> {
        let jid = self.account(jid)?;
        if self.exists(&jid).await? {
            return Err(UserError::Exists(jid));
        }
        self.put(vec![Made { jid: jid.clone(), secret: Secret::Password(password.to_owned()), fresh: true }])
            .await?;
        Ok(jid)
    }

    /// Gives one another password.
    ///
    /// # Errors
    /// It does not exist, or the password cannot be used.
    pub async fn set_password(&self, jid: &str, password: &str) -> Result<BareJid, UserError> {
        let jid = self.existing(jid).await?;
        self.put(vec![Made {
            jid: jid.clone(),
            secret: Secret::Password(password.to_owned()),
            fresh: false,
        }])
        .await?;
        Ok(jid)
    }

    /// Ends one: nobody can log in to it any more. [`muster_proto::session::Order::Remove`] must follow: it tells its contacts
    /// and clears up the rest.
    ///
    /// # Errors
    /// It does not exist.
    pub async fn close(&self, jid: &str) -> Result<BareJid, UserError> {
        let jid = self.existing(jid).await?;
        self.storage.write(Batch::unfenced(account::closing(&jid))).await?;
        Ok(jid)
    }

    /// Removes one, with all that is stored of it, when no node runs; its contacts are not told.
    ///
    /// # Errors
    /// It does not exist.
    pub async fn remove(&self, jid: &str) -> Result<BareJid, UserError> {
        let jid = self.existing(jid).await?;
        let remove = |name| Write::Remove(Key::new(name, jid.to_string()));
        let mut writes = collection::OF_ACCOUNT.map(remove).to_vec();
        writes.extend(account::closing(&jid));
        self.storage.write(Batch::unfenced(writes)).await?;
        Ok(jid)
    }

    /// Adds many; those that exist get the password of the list, which may be SCRAM keys (RFC 5803). Returns how many.
    ///
    /// # Errors
    /// One of them cannot be used; those before it may have been added.
    pub async fn import(&self, accounts: Vec<(String, String)>) -> Result<usize, UserError> {
        let known: HashSet<String> = self.list().await?.into_iter().collect();
        let parsed = accounts.into_iter().map(|(jid, password)| {
            let jid = self.account(&jid)?;
            let secret =
                authpassword::read(&password).map_or_else(|| Secret::Password(password), Secret::Keys);
            Ok(Made { fresh: !known.contains(jid.as_str()), jid, secret })
        });
        let mut parsed = parsed.collect::<Result<Vec<_>, UserError>>()?;
        let count = parsed.len();
        while !parsed.is_empty() {
            self.put(parsed.drain(..parsed.len().min(CHUNK)).collect()).await?;
        }
        Ok(count)
    }

    async fn existing(&self, jid: &str) -> Result<BareJid, UserError> {
        let jid = self.account(jid)?;
        if self.exists(&jid).await? { Ok(jid) } else { Err(UserError::Unknown(jid)) }
    }

    async fn exists(&self, jid: &BareJid) -> Result<bool, UserError> {
        let query = Query::Document(Key::new(collection::CREDENTIALS, jid.to_string()));
        Ok(matches!(self.storage.query(query).await?, Reply::Document(Some(_))))
    }

    /// Derives keys on all cores and writes them in one go.
    async fn put(&self, mut accounts: Vec<Made>) -> Result<(), UserError> {
        let share = accounts.len().div_ceil(std::thread::available_parallelism().map_or(1, usize::from));
        let mut shares = Vec::new();
        while !accounts.is_empty() {
            let share: Vec<_> = accounts.drain(..accounts.len().min(share)).collect();
            let iterations = self.iterations;
            shares.push(tokio::task::spawn_blocking(move || {
                share.iter().map(|made| made.writes(iterations)).collect::<Result<Vec<_>, _>>()
            }));
        }
        let mut writes = Vec::new();
        for share in shares {
            match share.await {
                Ok(derived) => writes.extend(derived?.into_iter().flatten()),
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            }
        }
        Ok(self.storage.write(Batch::unfenced(writes)).await?)
    }

    fn account(&self, text: &str) -> Result<BareJid, UserError> {
        let jid =
            BareJid::new(text).map_err(|error| UserError::Jid(text.to_owned(), format!(" ({error})")))?;
        if jid.node().is_none() {
            return Err(UserError::Jid(text.to_owned(), String::new()));
        }
        match self.domains.iter().any(|domain| domain == jid.domain().as_str()) {
            true => Ok(jid),
            false => Err(UserError::Domain(jid.domain().to_string())),
        }
    }
}

fn accounts_of(domain: &str) -> Key {
    Key::new(collection::ACCOUNTS, domain)
}

/// An account to be written.
struct Made {
    jid: BareJid,
    secret: Secret,
    /// It does not exist yet.
    fresh: bool,
}

/// What an account is opened with.
enum Secret {
    Password(String),
    Keys(Credentials),
}

impl Made {
    fn writes(&self, iterations: u32) -> Result<Vec<Write>, UserError> {
        let refused = |error: String| UserError::Password(self.jid.clone(), error);
        let credentials = match &self.secret {
            Secret::Password(password) if password.len() > account::PASSWORD_BYTES_MAX => {
                return Err(refused(format!("it is longer than {} bytes", account::PASSWORD_BYTES_MAX)));
            }
            Secret::Password(password) => Credentials::derive(password, rand::random(), iterations)
                .map_err(|error| refused(error.to_string()))?,
            Secret::Keys(credentials) => credentials.clone(),
        };
        Ok(match self.fresh {
            true => account::creation(&self.jid, &credentials),
            false => vec![account::password(&self.jid, &credentials)],
        })
    }
}

/// Reads a file of accounts: on each line an address, a space or tab, and the password, which may itself hold spaces.
///
/// # Errors
/// A line without a password.
pub fn lines(text: &str) -> Result<Vec<(String, String)>, UserError> {
    let numbered =
        text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    numbered
        .map(|(index, line)| match line.split_once([' ', '\t']) {
            Some((jid, password)) if !password.is_empty() => Ok((jid.to_owned(), password.to_owned())),
            _ => Err(UserError::Line(index + 1)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use muster_actors::storage::Memory;

    use super::*;

    #[tokio::test]
    async fn accounts_come_and_go() {
        let users = Users {
            storage: Arc::new(Memory::default()),
            domains: vec!["capulet.lit".into()],
            iterations: 4_096,
        };
        users.add("Juliet@capulet.lit", "r0m30").await.unwrap();
        assert!(matches!(users.add("juliet@capulet.lit", "x").await, Err(UserError::Exists(_))));
        users
            .import(lines("nurse@capulet.lit a b\n\n# no one\ntybalt@capulet.lit c\n").unwrap())
            .await
            .unwrap();
        assert_eq!(
            users.list().await.unwrap(),
            ["juliet@capulet.lit", "nurse@capulet.lit", "tybalt@capulet.lit"]
        );
        users.remove("nurse@capulet.lit").await.unwrap();
        assert!(matches!(users.set_password("nurse@capulet.lit", "x").await, Err(UserError::Unknown(_))));
        assert!(matches!(users.add("romeo@montague.lit", "x").await, Err(UserError::Domain(_))));
        assert!(matches!(users.add("capulet.lit", "x").await, Err(UserError::Jid(..))));
    }

    #[test]
    fn a_line_without_a_password_is_named() {
        assert!(matches!(lines("a@b c\nd@e\n"), Err(UserError::Line(2))));
    }
}
