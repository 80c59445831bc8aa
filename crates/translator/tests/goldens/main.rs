//! Goldens: each `src/**/testdata/<case>.yaml`, resources as users write them, against `<case>.json`, everything
//! that Envoy gets for them and everything that is said about them. A case lives beside the code that it is about.
//!
//! `UPDATE_GOLDENS=1 cargo test -p biplane-translator --test goldens` writes the goldens anew; read the diff.
//! A second test asks the real Envoy whether it would take each of them.

mod cases;
mod driver;
mod envoy;
mod judged;
mod objects;

use std::fs;

use biplane_core::report::Report;
use biplane_translator::json::{Sensitive, canonical};
use biplane_translator::{EnvoyResource, rules};
use serde_json::{Map, Value, json};

use cases::{Case, all, difference};

/// Everything that Envoy gets for the objects of a case, and everything that is said about them.
fn translated(case: &Case) -> (Vec<EnvoyResource>, Vec<Report>) {
    let (objects, mut reports) = objects::read(case);
    let (resources, more) = driver::translate(&objects);
    reports.extend(more);
    (resources, reports)
}

fn golden(resources: &[EnvoyResource], reports: &[Report]) -> String {
    let mut by_type = Map::new();
    for resource in resources {
        let kind = resource.name.kind.message().rsplit('.').next().expect("a full name has parts");
        let value = canonical(resource, Sensitive::Redacted).expect("the translator writes what it can read");
        let references: Vec<String> = resource.references.iter().map(ToString::to_string).collect();
        let origins: Vec<String> = resource.origins.iter().map(ToString::to_string).collect();
        let entry = json!({ "resource": value, "references": references, "origins": origins });
        let list = by_type.entry(kind).or_insert_with(|| Value::Array(Vec::new()));
        list.as_array_mut().expect("made above").push(entry);
    }
    let reports: Vec<String> = reports.iter().map(ToString::to_string).collect();
    let golden = json!({ "resources": by_type, "reports": reports });
    format!("{golden:#}\n")
}

#[test]
fn every_case_translates_to_its_golden() {
    let update = std::env::var_os("UPDATE_GOLDENS").is_some_and(|value| value == "1");
    let mut failures = Vec::new();
    for case in all() {
        let (resources, reports) = translated(&case);
        let is = golden(&resources, &reports);
        let was = fs::read_to_string(case.golden()).unwrap_or_default();
        if is == was {
            continue;
        }
        if update {
            fs::write(case.golden(), is).expect("the sources are writable");
        } else {
            failures.push(format!("{}:\n{}", case.name(), difference(&was, &is)));
        }
    }
    assert!(failures.is_empty(), "UPDATE_GOLDENS=1 writes these anew:\n{}", failures.join("\n"));
}

#[test]
fn every_golden_has_its_case() {
    let orphans: Vec<_> =
        cases::goldens().into_iter().filter(|path| !path.with_extension("yaml").is_file()).collect();
    assert!(orphans.is_empty(), "goldens without a case: {orphans:?}");
}

#[test]
fn equal_objects_give_equal_bytes() {
    for case in all() {
        let (one, other) = (translated(&case), translated(&case));
        assert!(one == other, "{} differs from one run to the next", case.name());
    }
}

#[test]
fn no_case_breaks_a_rule_of_envoys_messages() {
    let broken = |case: &Case| translated(case).0.iter().flat_map(rules::broken).collect::<Vec<_>>();
    let failures: Vec<String> = all()
        .iter()
        .map(|case| (case.name(), broken(case)))
        .filter(|(_, broken)| !broken.is_empty())
        .map(|(name, broken)| format!("{name}: {}", broken.join("; ")))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A case that Envoy refuses would take its neighbours on the same listener down with it.
#[test]
fn envoy_accepts_every_case() {
    let failures: Vec<String> = all()
        .iter()
        .filter_map(|case| Some(format!("{}: {}", case.name(), envoy::refuses(&translated(case).0)?)))
        .collect();
    assert!(failures.is_empty(), "Envoy refuses:\n{}", failures.join("\n"));
}
