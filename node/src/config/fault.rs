//! What is wrong with a configuration, where, and what to do about it.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use super::origin::Origin;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// File and line, or the environment variable.
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub fix: String,
}

/// Everything that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// At least one, in order of their place.
    pub faults: Vec<Fault>,
}

impl ConfigError {
    /// Of a single fault.
    pub fn one(fault: Fault) -> Self {
        Self { faults: vec![fault] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(out, "{end}{}: {}\n    fix: {}", fault.place, fault.what, fault.fix)?;
        }
        Ok(())
    }
}

/// Gathers faults while a configuration is read.
pub(super) struct Faults {
    file: String,
    origins: HashMap<String, Origin>,
    found: Vec<(usize, Fault)>,
}

impl Faults {
    pub(super) fn new(file: &Path) -> Self {
        Self { file: file.display().to_string(), origins: HashMap::new(), found: Vec::new() }
    }

    /// Remembers where a key was written.
    pub(super) fn came_from(&mut self, path: &str, origin: Origin) {
        self.origins.insert(path.to_owned(), origin);
    }

    /// Whether anybody wrote this key.
    pub(super) fn is_written(&self, path: &str) -> bool {
        self.origins.contains_key(path)
    }

    /// A fault of this key, or of the nearest thing around it that was written.
    pub(super) fn at(&mut self, path: &str, what: impl Into<String>, fix: impl Into<String>) {
        let mut around = path;
        let origin = loop {
            if let Some(origin) = self.origins.get(around) {
                break Some(origin.clone());
            }
            match around.rsplit_once('.') {
                Some((parent, _)) => around = parent,
                None => break None,
            }
        };
        let (order, place) = match origin {
            Some(Origin::Line(line)) => (line, format!("{}:{line}", self.file)),
            Some(Origin::Variable(name)) => (usize::MAX, format!("environment variable {name}")),
            None => (usize::MAX - 1, self.file.clone()),
        };
        let what = format!("{path}: {}", what.into());
        self.found.push((order, Fault { place, what, fix: fix.into() }));
    }

    /// A fault of the file itself.
    pub(super) fn at_line(&mut self, line: usize, what: impl Into<String>, fix: impl Into<String>) {
        let place = format!("{}:{line}", self.file);
        self.found.push((line, Fault { place, what: what.into(), fix: fix.into() }));
    }

    /// A fault of a variable.
    pub(super) fn at_variable(&mut self, name: &str, what: impl Into<String>, fix: impl Into<String>) {
        let place = format!("environment variable {name}");
        self.found.push((usize::MAX, Fault { place, what: what.into(), fix: fix.into() }));
    }

    pub(super) fn into_result(mut self) -> Result<(), ConfigError> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort_by_key(|(order, _)| *order);
        Err(ConfigError { faults: self.found.into_iter().map(|(_, fault)| fault).collect() })
    }
}
