//! The house rules that a program can check. If it is not checked here or by a lint, it is not a rule.

#![allow(clippy::unwrap_used)] // all of it is a test

use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const CRATES: [&str; 6] = ["proto", "cluster", "actors", "node", "tests", "chaos"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every Rust file of the workspace: its path from the root, and its text.
fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true if path.ends_with("target") => {}
                true => walk(&path, found),
                false if path.extension().is_some_and(|extension| extension == "rs") => found.push(path),
                false => {}
            }
        }
    }
    let (root, mut found) = (root(), Vec::new());
    CRATES.iter().for_each(|name| walk(&root.join(name), &mut found));
    found.sort();
    assert!(found.len() > 50, "the sources are not where this test looks");
    let named = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(&path).unwrap())
    };
    found.into_iter().map(named).collect()
}

fn assert_none(faults: Vec<String>) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn no_file_is_long() {
    let long = |(name, text): (String, String)| {
        let lines = text.lines().count();
        (lines > FILE_LINES_MAX).then(|| format!("{name}: {lines} lines; split it by noun"))
    };
    assert_none(sources().into_iter().filter_map(long).collect());
}

#[test]
fn no_function_is_long() {
    let mut faults = Vec::new();
    for (name, text) in sources() {
        let lines: Vec<_> = text.lines().collect();
        for (start, line) in lines.iter().enumerate().filter(|(_, line)| begins_function(line)) {
            let indent = &line[..line.len() - line.trim_start().len()];
            let close = format!("{indent}}}");
            // Formatted code closes a body with a brace below the `fn`; a declaration or a one-liner ends before that.
            let body =
                lines[start..].iter().position(|line| line.ends_with('{') || line.ends_with(['}', ';']));
            let Some(open) = body.filter(|open| lines[start + open].ends_with('{')) else { continue };
            let length = lines[start + open..].iter().position(|line| *line == close).unwrap_or(0) + open + 1;
            if length > FUNCTION_LINES_MAX {
                faults.push(format!("{name}:{}: {length} lines in one function", start + 1));
            }
        }
    }
    assert_none(faults);
}

fn begins_function(line: &str) -> bool {
    let mut words = line.split_whitespace().skip_while(|word| {
        ["async", "const", "pub"].contains(word)
            || word.starts_with("pub(")
            || *word == "super)"
            || *word == "crate)"
    });
    words.next() == Some("fn")
}

#[test]
fn every_file_says_what_it_is() {
    let silent = |(name, text): (String, String)| {
        let generated = text.starts_with("#![");
        (!text.starts_with("//!") && !generated && !name.ends_with("tests.rs"))
            .then(|| format!("{name}: begin it with //! and one to five lines"))
    };
    assert_none(sources().into_iter().filter_map(silent).collect());
}

/// What a crate may import of ours, and what it must never import.
const ARROWS: [(&str, &[&str], &[&str]); 7] = [
    ("proto", &[], &["tokio", "actix", "actix-rt", "openssl", "tokio-openssl", "redis", "rusqlite"]),
    ("cluster", &[], &["actix", "actix-rt", "jid", "minidom", "rxml", "xmpp-parsers"]),
    ("actors", &["muster-proto", "muster-cluster"], &["chitchat", "bincode", "actix-web", "clap", "toml"]),
    (
        "node",
        &["muster-proto", "muster-cluster", "muster-actors"],
        &["chitchat", "bincode", "redis", "rusqlite"],
    ),
    ("tests", &["muster", "muster-proto"], &[]),
    (
        "tests/simulation",
        &["muster-proto", "muster-cluster", "muster-actors"],
        &["actix", "chitchat", "bincode"],
    ),
    ("chaos", &["muster", "muster-proto"], &[]),
];

#[test]
fn crates_import_only_what_the_arrows_allow() {
    let mut faults = Vec::new();
    for (name, ours, never) in ARROWS {
        let manifest = std::fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        let Some(dependencies) = manifest.get("dependencies").and_then(toml::Value::as_table) else {
            continue;
        };
        for dependency in dependencies.keys().map(String::as_str) {
            let is_ours = dependency.starts_with("muster");
            if (is_ours && !ours.contains(&dependency)) || never.contains(&dependency) {
                faults
                    .push(format!("{name}/Cargo.toml: {dependency} is against the arrows (ARCHITECTURE.md)"));
            }
        }
    }
    assert_none(faults);
}

/// What may stand only in certain files, and why.
const PLACES: [(&str, &[&str], &str); 3] = [
    ("chitchat::", &["cluster/src/gossip"], "its messages must not leak: it is pinned and may be replaced"),
    ("bincode::", &["cluster/src/wire/codec.rs"], "it has no maintainer and needs its decode limit"),
    (".do_send(", &["actors/src/mail.rs"], "it ignores the bound of a mailbox"),
];

#[test]
fn what_is_dangerous_stays_in_its_place() {
    let mut faults = Vec::new();
    for (name, text) in sources().into_iter().filter(|(name, _)| name != "tests/tidy.rs") {
        for (number, line) in
            text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
        {
            for (word, places, why) in PLACES {
                if line.contains(word) && !places.iter().any(|place| name.starts_with(place)) {
                    faults.push(format!(
                        "{name}:{}: {word} belongs in {}: {why}",
                        number + 1,
                        places.join(", ")
                    ));
                }
            }
        }
    }
    assert_none(faults);
}

#[test]
fn every_feature_is_in_the_list() {
    let list = std::fs::read_to_string(root().join("proto/src/features/mod.rs")).unwrap();
    let mut faults = Vec::new();
    for (name, text) in sources() {
        let Some(file) = name.strip_prefix("proto/src/features/").and_then(|file| file.strip_suffix(".rs"))
        else {
            continue;
        };
        for line in text.lines().filter_map(|line| line.strip_prefix("impl Feature for ")) {
            let feature = line.split([' ', '<']).next().unwrap();
            if !list.contains(&format!("::{feature}")) {
                faults.push(format!("{name}: {feature} is not in the list of features ({file}::{feature})"));
            }
        }
    }
    assert_none(faults);
}

#[test]
fn names_are_nouns_of_the_field() {
    const EMPTY: [&str; 5] = ["Manager", "Helper", "Util", "Utils", "Common"];
    let mut faults = Vec::new();
    for (name, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            let mut words = line.trim_start().trim_start_matches("pub ").split([' ', '<', '(', ';', '{']);
            if !matches!(words.next(), Some("struct" | "enum" | "trait" | "mod")) {
                continue;
            }
            let noun = words.next().unwrap_or_default();
            if EMPTY.iter().any(|empty| noun.ends_with(empty)) {
                faults.push(format!("{name}:{}: {noun} says nothing; name what it is", number + 1));
            }
        }
    }
    assert_none(faults);
}
