//! A store in memory: nothing outlives it. It is also the plainest statement of what a store does.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use muster_cluster::{MemoryRegister, ViewRegister};
use muster_proto::store::{Collection, Key, Page, Query, Reply, StoreError, Write};

use super::{Backend, Batch, Mark, Pending, Storage, slots};

/// A store in memory.
#[derive(Debug, Default)]
pub struct Memory {
    state: Mutex<State>,
    register: Arc<MemoryRegister>,
}

type Place = (Collection, Box<str>);

#[derive(Debug, Default)]
struct State {
    documents: HashMap<Place, Vec<u8>>,
    maps: HashMap<Place, BTreeMap<String, Vec<u8>>>,
    logs: HashMap<Place, BTreeMap<u64, Vec<u8>>>,
    epochs: HashMap<u16, u64>,
    marks: HashMap<(u16, u64), u64>,
    closed: bool,
}

#[async_trait]
impl Storage for Memory {
    fn query(&self, query: Query) -> Pending<Reply> {
        let state = self.state();
        Pending::ready(state.open().map(|()| state.answer(query)))
    }

    fn write(&self, batch: Batch) -> Pending<()> {
        let mut state = self.state();
        Pending::ready(state.open().and_then(|()| state.write(None, batch)))
    }

    fn register(&self) -> Arc<dyn ViewRegister> {
        self.register.clone()
    }

    fn is_reachable(&self) -> bool {
        !self.state().closed
    }

    fn waiting(&self) -> usize {
        0
    }

    async fn close(&self) {
        self.state().closed = true;
    }
}

impl Backend for Memory {
    fn write_once(&self, mark: Mark, batch: Arc<Batch>) -> Pending<()> {
        let mut state = self.state();
        Pending::ready(state.open().and_then(|()| state.write(Some(mark), Arc::unwrap_or_clone(batch))))
    }
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn open(&self) -> Result<(), StoreError> {
        if self.closed { Err(StoreError::Away("it was closed".to_owned())) } else { Ok(()) }
    }

    fn answer(&self, query: Query) -> Reply {
        match query {
            Query::Document(key) => Reply::Document(self.documents.get(&place(key)).cloned()),
            Query::Field(key, field) => {
                Reply::Document(self.maps.get(&place(key)).and_then(|map| map.get(&field)).cloned())
            }
            Query::Map(key) => Reply::Map(
                self.maps
                    .get(&place(key))
                    .into_iter()
                    .flatten()
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect(),
            ),
            Query::Page(key, page) => Reply::Page(self.page(&place(key), &page)),
            Query::Count(key) => {
                let place = place(key);
                let fields = self.maps.get(&place).map_or(0, BTreeMap::len);
                let entries = self.logs.get(&place).map_or(0, BTreeMap::len);
                Reply::Count((fields + entries) as u64)
            }
        }
    }

    fn page(&self, place: &Place, page: &Page) -> Vec<(u64, Vec<u8>)> {
        let within = self
            .logs
            .get(place)
            .into_iter()
            .flatten()
            .filter(|(id, _)| page.after.is_none_or(|after| **id > after))
            .filter(|(id, _)| page.before.is_none_or(|before| **id < before));
        let mut entries: Vec<_> = within.map(|(id, value)| (*id, value.clone())).collect();
        if page.newest {
            entries.drain(..entries.len().saturating_sub(page.limit));
        } else {
            entries.truncate(page.limit);
        }
        entries
    }

    fn write(&mut self, mark: Option<Mark>, batch: Batch) -> Result<(), StoreError> {
        let touched = slots::of_batch(&batch);
        if let (Some(mark), Some(first)) = (mark, touched.first())
            && self.marks.get(&(*first, mark.writer)).is_some_and(|number| *number >= mark.number)
        {
            return Ok(());
        }
        if let Some(fence) = batch.fence {
            let seen = self.epochs.entry(fence.slot).or_default();
            if fence.epoch < *seen {
                return Err(StoreError::Stale);
            }
            *seen = fence.epoch;
        }
        batch.writes.into_iter().for_each(|write| self.apply(write));
        if let Some(mark) = mark {
            self.marks.extend(touched.iter().map(|slot| ((*slot, mark.writer), mark.number)));
        }
        Ok(())
    }

    fn apply(&mut self, write: Write) {
        match write {
            Write::Put(key, value) => {
                self.documents.insert(place(key), value);
            }
            Write::SetField(key, field, value) => {
                self.maps.entry(place(key)).or_default().insert(field, value);
            }
            Write::RemoveField(key, field) => {
                self.maps.entry(place(key)).or_default().remove(&field);
            }
            Write::Append(key, id, value) => {
                self.logs.entry(place(key)).or_default().insert(id, value);
            }
            Write::Trim(key, id) => {
                self.logs.entry(place(key)).or_default().retain(|entry, _| *entry > id);
            }
            Write::RemoveEntry(key, id) => {
                self.logs.entry(place(key)).or_default().remove(&id);
            }
            Write::Remove(key) => {
                let place = place(key);
                self.documents.remove(&place);
                self.maps.remove(&place);
                self.logs.remove(&place);
            }
        }
    }
}

fn place(key: Key) -> Place {
    (key.collection, key.owner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::contract;

    #[test]
    fn memory_holds_the_contract() {
        contract::run(contract::backend_holds(Arc::new(Memory::default())));
    }
}
