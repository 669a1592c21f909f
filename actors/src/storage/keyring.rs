//! The keys of accounts seen lately, so that they can log in while the store is away. SCRAM keys only, never a password; bounded
//! in number and in time; and what is changed or removed is forgotten here, and by the other nodes when they are told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use muster_cluster::ViewRegister;
use muster_proto::store::{Query, Reply, StoreError, collection};

use super::{Batch, Pending, Storage};

/// Told whose keys have changed.
type Changed = Box<dyn Fn(&str) + Send + Sync>;

/// A store whose keys are remembered.
pub struct Keyring {
    store: Arc<dyn Storage>,
    known: Arc<Known>,
}

/// How much is remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// Accounts. About 600 bytes each.
    pub accounts_max: usize,
    /// How long after the store confirmed them their keys may be used without it.
    pub time_max: Duration,
}

/// What is remembered of accounts; by default nothing.
#[derive(Default)]
pub struct Known {
    memory: Remembered,
    shelves: Mutex<Shelves>,
    changed: OnceLock<Changed>,
}

/// Two shelves: what is used moves to the young one; when that is full, the old one is cleared and they change places.
#[derive(Default)]
struct Shelves {
    young: HashMap<Box<str>, Seen>,
    old: HashMap<Box<str>, Seen>,
}

struct Seen {
    keys: Vec<u8>,
    at: Instant,
}

impl Keyring {
    /// Remembers so much of this store.
    pub fn new(store: Arc<dyn Storage>, memory: Remembered) -> Self {
        let known = Known { memory, shelves: Mutex::default(), changed: OnceLock::new() };
        Self { store, known: Arc::new(known) }
    }

    /// What it remembers.
    pub fn known(&self) -> Arc<Known> {
        self.known.clone()
    }
}

impl Known {
    /// Tells `changed` from now on whose keys were written here, so that other nodes forget them. Once.
    pub fn on_change(&self, changed: impl Fn(&str) + Send + Sync + 'static) {
        drop(self.changed.set(Box::new(changed)));
    }

    /// Another node has changed or removed these keys.
    pub fn forget(&self, account: &str) {
        let mut shelves = self.shelves();
        shelves.young.remove(account);
        shelves.old.remove(account);
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store has said what keys an account has.
    fn confirm(&self, account: &str, keys: Option<&[u8]>) {
        let Some(keys) = keys else { return self.forget(account) };
        let mut shelves = self.shelves();
        if shelves.young.len() >= self.memory.accounts_max.div_ceil(2) && !shelves.young.contains_key(account)
        {
            shelves.old = std::mem::take(&mut shelves.young);
        }
        shelves.old.remove(account);
        shelves.young.insert(account.into(), Seen { keys: keys.to_vec(), at: Instant::now() });
    }

    /// The keys of an account whose store does not answer.
    fn recall(&self, account: &str) -> Option<Vec<u8>> {
        let shelves = self.shelves();
        let seen = shelves.young.get(account).or_else(|| shelves.old.get(account))?;
        (seen.at.elapsed() < self.memory.time_max).then(|| seen.keys.clone())
    }

    /// What the store said, or what is remembered if it said nothing.
    fn hear(&self, account: &str, reply: Result<Reply, StoreError>) -> Result<Reply, StoreError> {
        match &reply {
            Ok(Reply::Document(keys)) => self.confirm(account, keys.as_deref()),
            Err(StoreError::Away(_)) => {
                if let Some(keys) = self.recall(account) {
                    metrics::counter!("muster_keys_recalled_total").increment(1);
                    return Ok(Reply::Document(Some(keys)));
                }
            }
            Ok(_) | Err(StoreError::Stale | StoreError::Failed(_)) => {}
        }
        reply
    }
}

#[async_trait]
impl Storage for Keyring {
    fn query(&self, query: Query) -> Pending<Reply> {
        let Query::Document(key) = &query else { return self.store.query(query) };
        if key.collection != collection::CREDENTIALS || self.known.memory.accounts_max == 0 {
            return self.store.query(query);
        }
        let (account, known) = (key.owner.clone(), self.known.clone());
        let (answer, pending) = Pending::channel();
        self.store.query(query).then(move |reply| answer.send(known.hear(&account, reply)));
        pending
    }

    fn write(&self, batch: Batch) -> Pending<()> {
        let written = batch.writes.iter().map(muster_proto::store::Write::key);
        let accounts: Vec<Box<str>> = written
            .filter(|key| key.collection == collection::CREDENTIALS)
            .map(|key| key.owner.clone())
            .collect();
        if accounts.is_empty() {
            return self.store.write(batch);
        }
        accounts.iter().for_each(|account| self.known.forget(account));
        let known = self.known.clone();
        let (answer, pending) = Pending::channel();
        self.store.write(batch).then(move |outcome| {
            // Again: a question that was asked before may have been answered meanwhile.
            for account in &accounts {
                known.forget(account);
                known.changed.get().into_iter().for_each(|changed| changed(account));
            }
            answer.send(outcome);
        });
        pending
    }

    fn register(&self) -> Arc<dyn ViewRegister> {
        self.store.register()
    }

    fn is_reachable(&self) -> bool {
        self.store.is_reachable()
    }

    fn waiting(&self) -> usize {
        self.store.waiting()
    }

    async fn close(&self) {
        self.store.close().await;
    }
}

#[cfg(test)]
mod tests {
    use muster_proto::store::{Key, Write};

    use super::*;
    use crate::storage::{self, contract};

    const LONG: Duration = Duration::from_secs(60);

    fn keyring(accounts_max: usize, time_max: Duration) -> (Arc<storage::Memory>, Keyring) {
        let store = Arc::new(storage::Memory::default());
        (store.clone(), Keyring::new(store, Remembered { accounts_max, time_max }))
    }

    fn key(account: &str) -> Key {
        Key::new(collection::CREDENTIALS, account)
    }

    fn put(account: &str, keys: &str) -> Batch {
        Batch::unfenced(vec![Write::Put(key(account), keys.into())])
    }

    async fn keys(store: &Keyring, account: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match store.query(Query::Document(key(account))).await? {
            Reply::Document(keys) => Ok(keys),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_store_whose_keys_are_remembered_is_a_store() {
        let (_, keyring) = keyring(10, LONG);
        contract::run(contract::holds(Arc::new(keyring)));
    }

    #[test]
    fn keys_seen_lately_are_known_while_the_store_is_away_and_no_others() {
        let (store, keyring) = keyring(10, LONG);
        contract::run(async {
            for account in ["romeo@x", "juliet@x", "nurse@x"] {
                keyring.write(put(account, "1")).await.unwrap();
            }
            keys(&keyring, "romeo@x").await.unwrap();
            keys(&keyring, "juliet@x").await.unwrap();
            // What was read before is not what is stored now.
            keyring.write(put("juliet@x", "2")).await.unwrap();
            store.close().await;
            assert_eq!(keys(&keyring, "romeo@x").await, Ok(Some(b"1".to_vec())));
            assert!(keys(&keyring, "juliet@x").await.is_err(), "its keys have changed since");
            assert!(keys(&keyring, "nurse@x").await.is_err(), "it was not seen");
            keyring.known().forget("romeo@x");
            assert!(keys(&keyring, "romeo@x").await.is_err(), "another node has changed them");
        });
    }

    #[test]
    fn an_account_that_is_gone_is_forgotten_when_the_store_says_so() {
        let (store, keyring) = keyring(10, LONG);
        contract::run(async {
            keyring.write(put("romeo@x", "1")).await.unwrap();
            keys(&keyring, "romeo@x").await.unwrap();
            store.write(Batch::unfenced(vec![Write::Remove(key("romeo@x"))])).await.unwrap();
            assert_eq!(keys(&keyring, "romeo@x").await, Ok(None));
            store.close().await;
            assert!(keys(&keyring, "romeo@x").await.is_err());
        });
    }

    #[test]
    fn what_is_remembered_is_bounded_in_number_and_in_time() {
        let (store, keyring) = keyring(10, LONG);
        contract::run(async {
            for n in 0..100 {
                let account = format!("{n}@x");
                keyring.write(put(&account, "1")).await.unwrap();
                keys(&keyring, &account).await.unwrap();
            }
            store.close().await;
            assert!(keys(&keyring, "99@x").await.is_ok());
            assert!(keys(&keyring, "80@x").await.is_err());
            let shelves = keyring.known.shelves();
            assert!(shelves.young.len() + shelves.old.len() <= 10);
        });
        let (store, keyring) = self::keyring(10, Duration::ZERO);
        contract::run(async {
            keyring.write(put("romeo@x", "1")).await.unwrap();
            keys(&keyring, "romeo@x").await.unwrap();
            store.close().await;
            assert!(keys(&keyring, "romeo@x").await.is_err());
        });
    }

    #[test]
    fn whose_keys_change_is_told() {
        let (_, keyring) = keyring(10, LONG);
        let told = Arc::new(Mutex::new(Vec::new()));
        let hears = told.clone();
        keyring.known().on_change(move |account| hears.lock().unwrap().push(account.to_owned()));
        contract::run(async {
            keyring.write(put("romeo@x", "1")).await.unwrap();
            keyring
                .write(Batch::unfenced(vec![Write::Put(Key::new("roster", "nurse@x"), vec![])]))
                .await
                .unwrap();
            keyring.write(Batch::unfenced(vec![Write::Remove(key("juliet@x"))])).await.unwrap();
        });
        assert_eq!(*told.lock().unwrap(), ["romeo@x", "juliet@x"]);
    }
}
