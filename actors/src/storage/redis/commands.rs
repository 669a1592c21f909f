//! The shapes as Redis commands: a document is a string, a map a hash, a log a sorted set.
//!
//! Every key carries its slot as hash tag, `m:{1234}:roster:juliet@capulet.lit`, so that all of a slot lies on one server
//! of a Redis Cluster. A log's member is the entry's id in eight bytes and its value; its score is the id.

use std::collections::HashMap;

use muster_proto::store::{Key, Page, Query, Reply, StoreError, Write};
use redis::{Cmd, Value, cmd};

use super::super::{Batch, Mark, slots};
use super::faults;
use super::register;
use super::script::{self, By, Which};
use super::{Request, What};

/// The key of a thing.
fn name(prefix: &str, key: &Key) -> String {
    format!("{prefix}:{{{}}}:{}:{}", slots::slot(key), key.collection, key.owner)
}

/// The commands of a request, in order.
pub(super) fn of(request: &Request, prefix: &str, by: By) -> Vec<Cmd> {
    match &request.what {
        What::Query(query, _) => ask(query, prefix),
        What::Write(batch, mark, _) => vec![write(batch, *mark, prefix, by)],
        What::Load(_) => {
            let mut load = cmd("HGET");
            load.arg(register::key(prefix)).arg("view");
            vec![load]
        }
        What::Swap { expected, epoch, view, .. } => {
            let mut swap = script::call(Which::Swap, by);
            swap.arg(1).arg(register::key(prefix)).arg(*expected).arg(*epoch).arg(&view[..]);
            vec![swap]
        }
        What::Claim { holder, epoch, time, .. } => {
            let mut claim = script::call(Which::Claim, by);
            claim.arg(2).arg(register::key(prefix)).arg(register::lease_key(prefix));
            claim.arg(*epoch).arg(*holder).arg(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
            vec![claim]
        }
        What::Close(_) => vec![],
    }
}

fn ask(query: &Query, prefix: &str) -> Vec<Cmd> {
    let on = |command: &str, key: &Key| {
        let mut command = cmd(command);
        command.arg(name(prefix, key));
        command
    };
    match query {
        Query::Document(key) => vec![on("GET", key)],
        Query::Field(key, field) => {
            let mut field_of = on("HGET", key);
            field_of.arg(field);
            vec![field_of]
        }
        Query::Map(key) => vec![on("HGETALL", key)],
        Query::Page(key, page) => {
            let mut range = on(if page.newest { "ZREVRANGEBYSCORE" } else { "ZRANGEBYSCORE" }, key);
            let (low, high) = bounds(page);
            let (first, last) = if page.newest { (high, low) } else { (low, high) };
            let limit = i64::try_from(page.limit).unwrap_or(-1);
            range.arg(first).arg(last).arg("LIMIT").arg(0).arg(limit);
            vec![range]
        }
        // The shape is not known: the wrong one of these answers WRONGTYPE, which counts nothing.
        Query::Count(key) => vec![on("HLEN", key), on("ZCARD", key)],
    }
}

/// The bounds of a page. Ids stay below 2^53, which a score holds exactly; a bound above that is as good as none.
fn bounds(page: &Page) -> (String, String) {
    let low = page.after.map_or_else(|| "-inf".to_owned(), |after| format!("({after}"));
    let high = page.before.map_or_else(|| "+inf".to_owned(), |before| format!("({before}"));
    (low, high)
}

/// The script that writes a batch, once if it has a mark.
pub(super) fn write(batch: &Batch, mark: Option<Mark>, prefix: &str, by: By) -> Cmd {
    let mut keys = Vec::with_capacity(batch.writes.len() + 1);
    let mut arguments: Vec<Vec<u8>> = Vec::with_capacity(batch.writes.len() * 4 + 1);
    match batch.fence {
        Some(fence) => {
            keys.push(format!("{prefix}:{{{}}}:epoch", fence.slot));
            arguments.push(fence.epoch.to_string().into_bytes());
        }
        None => arguments.push(Vec::new()),
    }
    let marked = mark.map_or_else(Vec::new, |_| slots::of_batch(batch));
    arguments.push(mark.map_or_else(String::new, |mark| mark.number.to_string()).into_bytes());
    arguments.push(marked.len().to_string().into_bytes());
    for (slot, mark) in marked.iter().zip(mark.iter().cycle()) {
        keys.push(format!("{prefix}:{{{slot}}}:mark:{:016x}", mark.writer));
    }
    for write in &batch.writes {
        let key = name(prefix, write.key());
        change(write, |command, parts| {
            keys.push(key.clone());
            arguments.push(command.as_bytes().to_vec());
            arguments.push(parts.len().to_string().into_bytes());
            arguments.extend(parts.iter().map(|part| part.to_vec()));
        });
    }
    let mut call = script::call(Which::Batch, by);
    call.arg(keys.len()).arg(keys).arg(arguments);
    call
}

/// What a write is on the key of its thing.
fn change(write: &Write, mut command: impl FnMut(&str, &[&[u8]])) {
    match write {
        Write::Put(_, value) => command("SET", &[value]),
        Write::SetField(_, field, value) => command("HSET", &[field.as_bytes(), value]),
        Write::RemoveField(_, field) => command("HDEL", &[field.as_bytes()]),
        Write::Append(_, id, value) => {
            let score = id.to_string().into_bytes();
            // An id is one entry, even if it is written again with another value.
            command("ZREMRANGEBYSCORE", &[&score, &score]);
            command("ZADD", &[&score, &[&id.to_be_bytes()[..], value].concat()]);
        }
        Write::Trim(_, id) => command("ZREMRANGEBYSCORE", &[b"-inf", id.to_string().as_bytes()]),
        Write::RemoveEntry(_, id) => {
            let score = id.to_string().into_bytes();
            command("ZREMRANGEBYSCORE", &[&score, &score]);
        }
        Write::Remove(_) => command("DEL", &[]),
    }
}

/// What the values that a question's commands yielded say.
pub(super) fn reply(query: &Query, values: Vec<Value>) -> Result<Reply, StoreError> {
    let mut values = values.into_iter();
    let mut next = || values.next().ok_or_else(faults::unexpected);
    match query {
        Query::Document(_) | Query::Field(..) => optional(next()?).map(Reply::Document),
        Query::Map(_) => fields(next()?).map(Reply::Map),
        Query::Page(_, page) => entries(next()?, page.newest).map(Reply::Page),
        Query::Count(_) => Ok(Reply::Count(length(next()?)? + length(next()?)?)),
    }
}

/// A value, if there is one.
pub(super) fn optional(value: Value) -> Result<Option<Vec<u8>>, StoreError> {
    match value {
        Value::Nil => Ok(None),
        value => bytes(value).map(Some),
    }
}

fn bytes(value: Value) -> Result<Vec<u8>, StoreError> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        other => Err(faults::refusal(&other)),
    }
}

fn fields(value: Value) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let found: HashMap<Vec<u8>, Vec<u8>> = match value {
        value @ Value::ServerError(_) => return Err(faults::refusal(&value)),
        value => redis::from_redis_value(value).map_err(|_| faults::unexpected())?,
    };
    let mut fields = found
        .into_iter()
        .map(|(name, value)| Ok((String::from_utf8(name).map_err(|_| faults::unexpected())?, value)))
        .collect::<Result<Vec<_>, StoreError>>()?;
    fields.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
    Ok(fields)
}

fn entries(value: Value, newest: bool) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
    let Value::Array(members) = value else { return Err(faults::refusal(&value)) };
    let mut entries = Vec::with_capacity(members.len());
    for member in members {
        let mut member = bytes(member)?;
        let (id, _) = member.split_first_chunk::<8>().ok_or_else(faults::unexpected)?;
        let id = u64::from_be_bytes(*id);
        member.drain(..8);
        entries.push((id, member));
    }
    if newest {
        entries.reverse();
    }
    Ok(entries)
}

fn length(value: Value) -> Result<u64, StoreError> {
    match value {
        Value::Int(length) => Ok(length.unsigned_abs()),
        Value::ServerError(error) if error.code() == "WRONGTYPE" => Ok(0),
        other => Err(faults::refusal(&other)),
    }
}

/// Whether a script said yes.
pub(super) fn yes(values: Vec<Value>) -> Result<bool, StoreError> {
    match values.into_iter().next() {
        Some(Value::Int(answer)) => Ok(answer == 1),
        Some(other) => Err(faults::refusal(&other)),
        None => Err(faults::unexpected()),
    }
}
