//! A store in memory, for tests: documents, maps and logs as they are, and failures on demand.

use std::collections::BTreeMap;

use crate::store::{Collection, Key, Page, Query, Reply, StoreError, Write};

/// A store in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    things: BTreeMap<(Collection, Box<str>), Thing>,
    /// Whether every question and write fails with [`StoreError::Away`].
    pub away: bool,
}

/// One stored thing, of one of the three shapes.
#[derive(Clone, Debug)]
enum Thing {
    Document(Vec<u8>),
    Map(BTreeMap<String, Vec<u8>>),
    Log(BTreeMap<u64, Vec<u8>>),
}

impl MemoryStore {
    /// Answers a question.
    ///
    /// # Errors
    /// [`StoreError::Away`] if it was told to fail.
    pub fn ask(&self, query: &Query) -> Result<Reply, StoreError> {
        self.reach()?;
        let key = query.key();
        let thing = self.things.get(&(key.collection, key.owner.clone()));
        Ok(match (query, thing) {
            (Query::Document(_), Some(Thing::Document(value))) => Reply::Document(Some(value.clone())),
            (Query::Field(_, name), Some(Thing::Map(fields))) => Reply::Document(fields.get(name).cloned()),
            (Query::Document(_) | Query::Field(..), _) => Reply::Document(None),
            (Query::Map(_), Some(Thing::Map(fields))) => {
                Reply::Map(fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
            }
            (Query::Map(_), _) => Reply::Map(vec![]),
            (Query::Page(_, page), Some(Thing::Log(entries))) => Reply::Page(cut(entries, page)),
            (Query::Page(..), _) => Reply::Page(vec![]),
            (Query::Count(_), Some(Thing::Map(fields))) => Reply::Count(fields.len() as u64),
            (Query::Count(_), Some(Thing::Log(entries))) => Reply::Count(entries.len() as u64),
            (Query::Count(_), _) => Reply::Count(0),
        })
    }

    /// Does all the writes, or none.
    ///
    /// # Errors
    /// [`StoreError::Away`] if it was told to fail.
    pub fn write(&mut self, writes: &[Write]) -> Result<Reply, StoreError> {
        self.reach()?;
        for write in writes {
            self.write_one(write);
        }
        Ok(Reply::Done)
    }

    fn reach(&self) -> Result<(), StoreError> {
        if self.away { Err(StoreError::Away("a test says so".into())) } else { Ok(()) }
    }

    fn write_one(&mut self, write: &Write) {
        let key = (write.key().collection, write.key().owner.clone());
        match write {
            Write::Put(_, value) => {
                self.things.insert(key, Thing::Document(value.clone()));
            }
            Write::SetField(_, name, value) => {
                self.fields(key).insert(name.clone(), value.clone());
            }
            Write::RemoveField(_, name) => {
                self.fields(key).remove(name);
            }
            Write::Append(_, id, value) => {
                self.entries(key).insert(*id, value.clone());
            }
            Write::Trim(_, id) => self.entries(key).retain(|entry, _| entry > id),
            Write::RemoveEntry(_, id) => {
                self.entries(key).remove(id);
            }
            Write::Remove(_) => {
                self.things.remove(&key);
            }
        }
    }

    fn fields(&mut self, key: (Collection, Box<str>)) -> &mut BTreeMap<String, Vec<u8>> {
        match self.things.entry(key.clone()).or_insert_with(|| Thing::Map(BTreeMap::new())) {
            Thing::Map(fields) => fields,
            Thing::Document(_) | Thing::Log(_) => panic!("{key:?} is not a map"),
        }
    }

    fn entries(&mut self, key: (Collection, Box<str>)) -> &mut BTreeMap<u64, Vec<u8>> {
        match self.things.entry(key.clone()).or_insert_with(|| Thing::Log(BTreeMap::new())) {
            Thing::Log(entries) => entries,
            Thing::Document(_) | Thing::Map(_) => panic!("{key:?} is not a log"),
        }
    }

    /// Sets a document.
    pub fn put(&mut self, collection: Collection, owner: &str, value: &[u8]) {
        self.write_one(&Write::Put(Key::new(collection, owner), value.to_vec()));
    }

    /// Whether anything is stored there.
    pub fn has(&self, collection: Collection, owner: &str) -> bool {
        match self.things.get(&(collection, owner.into())) {
            None => false,
            Some(Thing::Document(_)) => true,
            Some(Thing::Map(fields)) => !fields.is_empty(),
            Some(Thing::Log(entries)) => !entries.is_empty(),
        }
    }
}

fn cut(entries: &BTreeMap<u64, Vec<u8>>, page: &Page) -> Vec<(u64, Vec<u8>)> {
    let inside = |id: &u64| {
        page.after.is_none_or(|after| *id > after) && page.before.is_none_or(|before| *id < before)
    };
    let mut found: Vec<_> =
        entries.iter().filter(|(id, _)| inside(id)).map(|(id, value)| (*id, value.clone())).collect();
    let excess = found.len().saturating_sub(page.limit);
    if page.newest {
        found.drain(..excess);
    } else {
        found.truncate(page.limit);
    }
    found
}
