//! `BIPLANE_*` variables. One that nobody knows is an error, since a typo in a unit file is hard to see.

use std::collections::BTreeMap;

use super::keys::{KEYS, nearest};
use super::{Layer, Problem};

const PREFIX: &str = "BIPLANE_";

/// Variables that are no settings: the settings file's own, and those that the project's tests set.
const OTHERS: [&str; 16] = [
    "BIPLANE_CHROMEDRIVER",
    "BIPLANE_CONFIG",
    "BIPLANE_DEBIAN",
    "BIPLANE_DEBS",
    "BIPLANE_ENVOY",
    "BIPLANE_ETCD",
    "BIPLANE_ETCDCTL",
    "BIPLANE_ETCDUTL",
    "BIPLANE_CONSUL",
    "BIPLANE_CONSULRS_CLIENT",
    "BIPLANE_NOMAD",
    "BIPLANE_TOFU",
    "BIPLANE_BAO",
    "BIPLANE_MOTO_SERVER",
    "BIPLANE_BIN",
    "BIPLANE_KEEP",
];

/// The variable that everything built on `tracing` reads; `BIPLANE_LOG` goes before it.
const RUST_LOG: &str = "RUST_LOG";

/// Where systemd says that a service with `StateDirectory=` may keep its state; several are separated by
/// colons. `BIPLANE_STATE_DIR` goes before it.
const STATE_DIRECTORY: &str = "STATE_DIRECTORY";

/// Reads the variables; an empty one counts as not set.
pub(super) fn read(variables: &BTreeMap<String, String>, problems: &mut Vec<Problem>) -> Layer {
    let mut layer = Layer::new("environment");
    if let Some(filter) = variables.get(RUST_LOG).filter(|filter| !filter.is_empty()) {
        layer.set("log", filter, RUST_LOG);
    }
    let state = variables.get(STATE_DIRECTORY).and_then(|directories| directories.split(':').next());
    if let Some(directory) = state.filter(|directory| !directory.is_empty()) {
        layer.set("stateDir", directory, STATE_DIRECTORY);
    }
    let ours = variables.iter().filter(|(name, _)| name.starts_with(PREFIX));
    for (name, value) in ours.filter(|(name, value)| !OTHERS.contains(&name.as_str()) && !value.is_empty()) {
        match KEYS.iter().find(|key| key.variable == name) {
            Some(key) => layer.set(key.name, value, name),
            None => problems.push(unknown(name)),
        }
    }
    layer
}

fn unknown(name: &str) -> Problem {
    let problem = Problem::new(name, "no setting has this variable");
    match nearest(name, KEYS.iter().map(|key| key.variable)) {
        Some(near) => problem.hint(format!("did you mean {near}?")),
        None => problem.hint("`biplane config show` lists the settings; unset this variable"),
    }
}
