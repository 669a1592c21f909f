//! The shapes as SQL: what each question and each write is.

use std::time::Duration;

use muster_cluster::clock;
use muster_proto::store::{Key, Page, Query, Reply, Write};
use rusqlite::{Connection, OptionalExtension, ToSql, params};

use super::super::{Fence, Mark};

/// The lease key is nobody's longer than this.
const KEY_TIME_MAX: Duration = Duration::from_secs(10);

/// Answers a question.
pub(super) fn answer(connection: &Connection, query: &Query) -> rusqlite::Result<Reply> {
    match query {
        Query::Document(key) => connection
            .prepare_cached("SELECT value FROM documents WHERE owner = ?1 AND collection = ?2")?
            .query_row(params![key.owner, key.collection], |row| row.get(0))
            .optional()
            .map(Reply::Document),
        Query::Field(key, field) => connection
            .prepare_cached("SELECT value FROM fields WHERE owner = ?1 AND collection = ?2 AND field = ?3")?
            .query_row(params![key.owner, key.collection, field], |row| row.get(0))
            .optional()
            .map(Reply::Document),
        Query::Map(key) => connection
            .prepare_cached(
                "SELECT field, value FROM fields WHERE owner = ?1 AND collection = ?2 ORDER BY field",
            )?
            .query_map(params![key.owner, key.collection], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()
            .map(Reply::Map),
        Query::Page(key, page) => entries(connection, key, page).map(Reply::Page),
        Query::Count(key) => connection
            .prepare_cached(
                "SELECT (SELECT count(*) FROM fields WHERE owner = ?1 AND collection = ?2)
                      + (SELECT count(*) FROM entries WHERE owner = ?1 AND collection = ?2)",
            )?
            .query_row(params![key.owner, key.collection], |row| row.get::<_, i64>(0))
            .map(|count| Reply::Count(count.unsigned_abs())),
    }
}

fn entries(connection: &Connection, key: &Key, page: &Page) -> rusqlite::Result<Vec<(u64, Vec<u8>)>> {
    let sql = if page.newest {
        "SELECT id, value FROM entries WHERE owner = ?1 AND collection = ?2 AND id > ?3 AND id < ?4
         ORDER BY id DESC LIMIT ?5"
    } else {
        "SELECT id, value FROM entries WHERE owner = ?1 AND collection = ?2 AND id > ?3 AND id < ?4
         ORDER BY id LIMIT ?5"
    };
    let after = page.after.map_or(-1, signed);
    let before = page.before.map_or(i64::MAX, signed);
    let limit = i64::try_from(page.limit).unwrap_or(i64::MAX);
    let mut entries = connection
        .prepare_cached(sql)?
        .query_map(params![key.owner, key.collection, after, before, limit], |row| {
            Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    if page.newest {
        entries.reverse();
    }
    Ok(entries)
}

/// Ids and epochs stay below 2^53; what is above can only be a bound, for which the largest number does as well.
fn signed(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

/// Whether the fence holds; raises it if it is the highest seen.
pub(super) fn pass(connection: &Connection, fence: Fence) -> rusqlite::Result<bool> {
    let epoch = signed(fence.epoch);
    let seen: Option<i64> = connection
        .prepare_cached("SELECT epoch FROM slots WHERE slot = ?1")?
        .query_row([fence.slot], |row| row.get(0))
        .optional()?;
    if seen.is_none_or(|seen| seen < epoch) {
        connection
            .prepare_cached("INSERT OR REPLACE INTO slots (slot, epoch) VALUES (?1, ?2)")?
            .execute(params![fence.slot, epoch])?;
    }
    Ok(seen.is_none_or(|seen| seen <= epoch))
}

/// Notes in every slot of a batch that this writer has come so far; whether it had not been there before.
pub(super) fn mark(connection: &Connection, mark: Mark, slots: &[u16]) -> rusqlite::Result<bool> {
    let mut fresh = true;
    let mut note = connection.prepare_cached(
        "INSERT INTO marks (slot, writer, number, at) VALUES (?1, ?2, ?3, unixepoch())
         ON CONFLICT DO UPDATE SET number = excluded.number, at = excluded.at WHERE number < excluded.number",
    )?;
    for (at, slot) in slots.iter().enumerate() {
        let noted = note.execute(params![slot, writer(mark), signed(mark.number)])? > 0;
        if at == 0 {
            fresh = noted;
        }
    }
    Ok(fresh)
}

/// Whether this writer has come so far in the first of these slots.
pub(super) fn is_marked(connection: &Connection, mark: Mark, slots: &[u16]) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM marks WHERE slot = ?1 AND writer = ?2 AND number >= ?3")?
        .exists(params![slots.first(), writer(mark), signed(mark.number)])
}

/// The writer's number as SQLite keeps it: the same bits.
fn writer(mark: Mark) -> i64 {
    mark.writer.cast_signed()
}

/// Makes a change.
pub(super) fn apply(connection: &Connection, write: &Write) -> rusqlite::Result<()> {
    match write {
        Write::Put(key, value) => run(
            connection,
            "INSERT OR REPLACE INTO documents (owner, collection, value) VALUES (?1, ?2, ?3)",
            params![key.owner, key.collection, value],
        ),
        Write::SetField(key, field, value) => run(
            connection,
            "INSERT OR REPLACE INTO fields (owner, collection, field, value) VALUES (?1, ?2, ?3, ?4)",
            params![key.owner, key.collection, field, value],
        ),
        Write::RemoveField(key, field) => run(
            connection,
            "DELETE FROM fields WHERE owner = ?1 AND collection = ?2 AND field = ?3",
            params![key.owner, key.collection, field],
        ),
        Write::Append(key, id, value) => run(
            connection,
            "INSERT OR REPLACE INTO entries (owner, collection, id, value) VALUES (?1, ?2, ?3, ?4)",
            params![key.owner, key.collection, signed(*id), value],
        ),
        Write::Trim(key, id) => run(
            connection,
            "DELETE FROM entries WHERE owner = ?1 AND collection = ?2 AND id <= ?3",
            params![key.owner, key.collection, signed(*id)],
        ),
        Write::RemoveEntry(key, id) => run(
            connection,
            "DELETE FROM entries WHERE owner = ?1 AND collection = ?2 AND id = ?3",
            params![key.owner, key.collection, signed(*id)],
        ),
        Write::Remove(key) => {
            for sql in [
                "DELETE FROM documents WHERE owner = ?1 AND collection = ?2",
                "DELETE FROM fields WHERE owner = ?1 AND collection = ?2",
                "DELETE FROM entries WHERE owner = ?1 AND collection = ?2",
            ] {
                run(connection, sql, params![key.owner, key.collection])?;
            }
            Ok(())
        }
    }
}

fn run(connection: &Connection, sql: &str, params: &[&dyn ToSql]) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute(params).map(drop)
}

/// The view that is registered.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .prepare_cached("SELECT view FROM register WHERE key = 'view'")?
        .query_row([], |row| row.get(0))
        .optional()
}

/// Registers a view if the one that is there has the expected epoch (0: none).
pub(super) fn swap(
    connection: &Connection,
    expected: u64,
    epoch: u64,
    view: &[u8],
) -> rusqlite::Result<bool> {
    let found: Option<i64> = connection
        .prepare_cached("SELECT epoch FROM register WHERE key = 'view'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    if found.unwrap_or(0) != signed(expected) {
        return Ok(false);
    }
    let sql = "INSERT OR REPLACE INTO register (key, epoch, view) VALUES ('view', ?1, ?2)";
    run(connection, sql, params![signed(epoch), view])?;
    Ok(true)
}

/// Takes the lease key if it is nobody else's and the view that is registered has that epoch. All who share the file run
/// on one machine, so its clock counts the time; a machine that was started anew has a younger clock, and no holders.
pub(super) fn claim(
    connection: &Connection,
    holder: u64,
    epoch: u64,
    time: Duration,
) -> rusqlite::Result<bool> {
    let found = |key: &str| {
        connection
            .prepare_cached("SELECT epoch, view FROM register WHERE key = ?1")?
            .query_row([key], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))
            .optional()
    };
    let (now, holder) = (clock::now(), holder.to_be_bytes());
    let time_of = |until: i64| Duration::from_millis(until.unsigned_abs());
    let is_taken = |(until, by): &(i64, Vec<u8>)| {
        by[..] != holder && now < time_of(*until) && time_of(*until) - now <= KEY_TIME_MAX
    };
    if found("view")?.map_or(0, |(epoch, _)| epoch) != signed(epoch)
        || found("lease")?.is_some_and(|it| is_taken(&it))
    {
        return Ok(false);
    }
    let until = i64::try_from((now + time.min(KEY_TIME_MAX)).as_millis()).unwrap_or(i64::MAX);
    let sql = "INSERT OR REPLACE INTO register (key, epoch, view) VALUES ('lease', ?1, ?2)";
    run(connection, sql, params![until, &holder[..]])?;
    Ok(true)
}
