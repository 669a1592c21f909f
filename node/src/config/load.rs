//! Reads the sections key by key, so that one bad key does not hide the next.

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::de::DeTable;
use toml::{Table, Value};

use super::fault::Faults;
use super::origin::{self, Origin};
use super::sections::Sections;

/// What the file says, with the environment over it.
pub(super) fn sections(text: &str, environment: &[(String, String)], faults: &mut Faults) -> Sections {
    let (lines, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        for error in errors {
            let line = origin::line_of(text, error.span().map_or(0, |span| span.start));
            faults.at_line(line, error.message(), "write it as TOML 1.0 (strings need quotes)");
        }
        return Sections::default();
    }
    origin::note_lines(text, lines.get_ref(), faults);
    let mut table = match text.parse::<Table>() {
        Ok(table) => table,
        Err(error) => {
            faults.at_line(1, error.message(), "write it as TOML 1.0");
            return Sections::default();
        }
    };
    override_by(environment, &mut table, faults);
    let sections = Sections {
        node: section(&mut table, "node", faults),
        domain: list(&mut table, "domain", faults),
        listener: list(&mut table, "listener", faults),
        tls: section(&mut table, "tls", faults),
        auth: section(&mut table, "auth", faults),
        storage: section(&mut table, "storage", faults),
        cluster: section(&mut table, "cluster", faults),
        limits: section(&mut table, "limits", faults),
        guards: section(&mut table, "guards", faults),
        log: section(&mut table, "log", faults),
        metrics: section(&mut table, "metrics", faults),
        admin: section(&mut table, "admin", faults),
    };
    for unknown in table.keys() {
        faults.at(unknown, "no such section", format!("use one of: {}", keys_of::<Sections>().join(", ")));
    }
    sections
}

/// `MUSTER_NODE__ID=a` sets `node.id`; `MUSTER_LISTENER__0__ADDRESS` sets a key of the first listener.
fn override_by(environment: &[(String, String)], table: &mut Table, faults: &mut Faults) {
    // Variables with single underscores are not ours: Kubernetes makes MUSTER_SERVICE_HOST of a service's name.
    let ours = environment.iter().filter(|(name, _)| name.starts_with("MUSTER_") && name.contains("__"));
    for (name, value) in ours {
        let path = name["MUSTER_".len()..].to_lowercase();
        let steps: Vec<&str> = path.split("__").collect();
        let value = Value::String(value.clone());
        let set = match steps.as_slice() {
            [section, key] => table
                .entry(*section)
                .or_insert_with(|| Value::Table(Table::new()))
                .as_table_mut()
                .map(|table| table.insert((*key).to_owned(), value)),
            [section, index, key] => table
                .get_mut(*section)
                .zip(index.parse::<usize>().ok())
                .and_then(|(list, index)| list.get_mut(index))
                .and_then(Value::as_table_mut)
                .map(|table| table.insert((*key).to_owned(), value)),
            _ => None,
        };
        match set {
            Some(_) => faults.came_from(&steps.join("."), Origin::Variable(name.clone())),
            None => faults.at_variable(
                name,
                "names no key",
                "write MUSTER_<SECTION>__<KEY>, or MUSTER_<LIST>__<INDEX>__<KEY> for an entry that the file has",
            ),
        }
    }
}

fn section<T: Serialize + DeserializeOwned + Default>(
    table: &mut Table,
    name: &str,
    faults: &mut Faults,
) -> T {
    match table.remove(name) {
        None => T::default(),
        Some(Value::Table(section)) => keys(section, name, faults),
        Some(_) => {
            faults.at(name, "must be a section", format!("write [{name}] on a line of its own"));
            T::default()
        }
    }
}

fn list<T: Serialize + DeserializeOwned + Default>(
    table: &mut Table,
    name: &str,
    faults: &mut Faults,
) -> Vec<T> {
    let fix = format!("write [[{name}]] on a line of its own before each entry");
    let Some(value) = table.remove(name) else { return Vec::new() };
    let Value::Array(entries) = value else {
        faults.at(name, "must be a list of sections", fix);
        return Vec::new();
    };
    let mut list = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        let path = format!("{name}.{index}");
        match entry {
            Value::Table(entry) => list.push(keys(entry, &path, faults)),
            _ => faults.at(&path, "must be a section", fix.clone()),
        }
    }
    list
}

/// Tries each key by itself, then takes all that are good.
fn keys<T: Serialize + DeserializeOwned + Default>(section: Table, path: &str, faults: &mut Faults) -> T {
    let known = keys_of::<T>();
    let mut good = Table::new();
    for (key, value) in section {
        let path = format!("{path}.{key}");
        if !known.contains(&key) {
            faults.at(&path, "no such key", format!("use one of: {}", known.join(", ")));
            continue;
        }
        match accept::<T>(&key, value) {
            Ok(value) => drop(good.insert(key, value)),
            Err(what) => faults.at(&path, what, "muster.toml shows each key with its unit and default"),
        }
    }
    match T::deserialize(Value::Table(good)) {
        Ok(section) => section,
        Err(error) => {
            faults.at(path, error.message(), "muster.toml shows each key with its unit and default");
            T::default()
        }
    }
}

/// A value as the section takes it. Variables are text, so text that is not taken is tried as TOML.
fn accept<T: DeserializeOwned>(key: &str, value: Value) -> Result<Value, String> {
    let attempt = |value: &Value| {
        let table = Table::from_iter([(key.to_owned(), value.clone())]);
        T::deserialize(Value::Table(table)).map(drop).map_err(|error| error.message().trim().to_owned())
    };
    let refusal = match attempt(&value) {
        Ok(()) => return Ok(value),
        Err(refusal) => refusal,
    };
    let read = value.as_str().and_then(|text| format!("v = {text}").parse::<Table>().ok()?.remove("v"));
    match read {
        Some(read) if attempt(&read).is_ok() => Ok(read),
        _ => Err(refusal),
    }
}

/// The keys of a section, those without a default included.
pub(super) fn keys_of<T: Serialize + Default>() -> Vec<String> {
    match serde_json::to_value(T::default()) {
        Ok(serde_json::Value::Object(fields)) => fields.into_iter().map(|(key, _)| key).collect(),
        _ => Vec::new(),
    }
}
