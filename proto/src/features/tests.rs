use std::collections::HashSet;

use super::*;
use crate::feature::Features;

const COMPLIANCE: &str = include_str!("../../../docs/compliance.md");

#[test]
fn the_documentation_names_every_feature_with_its_version() {
    for Spec { name, version, title } in table() {
        let row = format!("| {name} | {version} | {title} |");
        assert!(COMPLIANCE.contains(&row), "docs/compliance.md has no row that begins with {row:?}");
    }
}

#[test]
fn the_documentation_promises_nothing_that_is_not_in_the_list() {
    let known: HashSet<&str> = table().into_iter().map(|spec| spec.name).collect();
    for line in COMPLIANCE.lines().filter(|line| line.starts_with("| XEP-") || line.starts_with("| RFC ")) {
        let spec = line.trim_start_matches("| ").split(" | ").next().unwrap();
        assert!(known.contains(spec), "{line}");
    }
}

#[test]
fn every_feature_comes_from_another_specification() {
    let mut seen = HashSet::new();
    for feature in all() {
        assert!(seen.insert(feature.spec().name), "{} is there twice", feature.spec().name);
    }
}

#[test]
fn no_question_has_two_answers() {
    let mut seen = HashSet::new();
    for feature in all() {
        for ask in feature.asks() {
            assert!(seen.insert(*ask), "{ask:?} of {}", feature.spec().name);
        }
    }
}

#[test]
fn every_place_says_that_it_can_be_discovered() {
    let features = Features::new(all());
    for place in [Place::Host, Place::Rooms, Place::Account, Place::Room] {
        let advertised = features.advertised(place);
        assert!(advertised.contains(&crate::ns::DISCO_INFO), "{place:?}");
        assert!(advertised.is_sorted(), "{place:?}");
    }
}
