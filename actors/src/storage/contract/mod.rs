//! What every store must do, whatever is behind it. One suite; each backend plays all of it.

mod fences;
mod marks;
mod order;
mod register;
mod shapes;

use std::future::Future;
use std::sync::Arc;

use muster_proto::store::{Key, Page, Query, Reply, StoreError, Write};

use super::{Backend, Batch, Storage};

/// A store under test, by its shortest words.
#[derive(Clone)]
pub(crate) struct Subject(pub(crate) Arc<dyn Storage>);

/// Plays every scene. Each has owners of its own, so that one store serves all.
pub(crate) async fn holds(store: Arc<dyn Storage>) {
    let subject = Subject(store);
    shapes::play(&subject).await;
    order::play(&subject).await;
    fences::play(&subject).await;
    register::play(&subject).await;
}

/// Plays every scene, and those of a store that is written to again.
pub(crate) async fn backend_holds(store: Arc<dyn Backend>) {
    marks::play(&store).await;
    holds(store).await;
}

/// Runs on a current-thread runtime, as everything in an arbiter does.
pub(crate) fn run<T>(scene: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(scene)
}

pub(crate) const DOCUMENT: &str = "test-document";
pub(crate) const MAP: &str = "test-map";
pub(crate) const LOG: &str = "test-log";

pub(crate) fn document(owner: &str) -> Key {
    Key::new(DOCUMENT, owner)
}

pub(crate) fn map(owner: &str) -> Key {
    Key::new(MAP, owner)
}

pub(crate) fn log(owner: &str) -> Key {
    Key::new(LOG, owner)
}

pub(crate) fn all() -> Page {
    Page { limit: usize::MAX, ..Page::default() }
}

impl Subject {
    pub(crate) async fn write(&self, writes: impl Into<Vec<Write>>) {
        self.try_write(Batch::unfenced(writes.into())).await.unwrap();
    }

    pub(crate) async fn try_write(&self, batch: Batch) -> Result<(), StoreError> {
        self.0.write(batch).await
    }

    pub(crate) async fn document(&self, owner: &str) -> Option<Vec<u8>> {
        match self.0.query(Query::Document(document(owner))).await.unwrap() {
            Reply::Document(value) => value,
            other => panic!("a document was asked for: {other:?}"),
        }
    }

    pub(crate) async fn field(&self, owner: &str, field: &str) -> Option<Vec<u8>> {
        match self.0.query(Query::Field(map(owner), field.to_owned())).await.unwrap() {
            Reply::Document(value) => value,
            other => panic!("a field was asked for: {other:?}"),
        }
    }

    pub(crate) async fn map(&self, owner: &str) -> Vec<(String, Vec<u8>)> {
        match self.0.query(Query::Map(map(owner))).await.unwrap() {
            Reply::Map(fields) => fields,
            other => panic!("a map was asked for: {other:?}"),
        }
    }

    pub(crate) async fn page(&self, owner: &str, page: Page) -> Vec<(u64, Vec<u8>)> {
        match self.0.query(Query::Page(log(owner), page)).await.unwrap() {
            Reply::Page(entries) => entries,
            other => panic!("a page was asked for: {other:?}"),
        }
    }

    pub(crate) async fn count(&self, key: Key) -> u64 {
        match self.0.query(Query::Count(key)).await.unwrap() {
            Reply::Count(count) => count,
            other => panic!("a count was asked for: {other:?}"),
        }
    }
}
