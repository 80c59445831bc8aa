//! What the translator's goldens are made from, judged by the real Envoy: every input beside the
//! translator's code becomes a configuration that Envoy would start with.

use std::fs;
use std::path::{Path, PathBuf};

use biplane_control_plane::offline;
use biplane_store_file::{FileOptions, FileStore};
use biplane_testkit::{Authority, Files, TempDir, envoy};
use biplane_translator::json::static_bootstrap;
use serde_json::{Value, json};

/// The golden inputs: `testdata/*.yaml`, anywhere in the translator.
fn inputs() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("crates").join("translator/src");
    let mut inputs = Vec::new();
    collect(&root, &mut inputs);
    inputs.sort();
    inputs
}

fn collect(folder: &Path, inputs: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the translator is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, inputs);
        } else if is_input(&path) {
            inputs.push(path);
        }
    }
}

fn is_input(path: &Path) -> bool {
    let in_testdata = path.parent().is_some_and(|folder| folder.ends_with("testdata"));
    in_testdata && path.extension().is_some_and(|extension| extension == "yaml")
}

/// What Envoy says against an input, for each fleet.
async fn complaints(input: &Path, machine: &Machine) -> Vec<String> {
    let store = FileStore::new(FileOptions::new(input)).expect("a file");
    let loaded = offline::load(&store).await.expect("a file that can be read");
    let fleets = offline::translate(&loaded).fleets;
    let judge = |(fleet, resources): (&String, &Vec<_>)| {
        let mut bootstrap = static_bootstrap(resources).expect("resources have a JSON form");
        machine.furnish(&mut bootstrap);
        let complaint = envoy::validate(&bootstrap.to_string()).err()?;
        Some(format!("{}, fleet {fleet}: {complaint}", input.display()))
    };
    fleets.iter().filter_map(judge).collect()
}

/// Envoy reads keys and certificates to judge a configuration, and goldens have none that are real.
struct Machine {
    _directory: TempDir,
    files: Files,
}

impl Machine {
    fn new() -> Self {
        let directory = TempDir::new("goldens");
        let files = Files::new(directory.join("files"));
        let authority = Authority::new("Golden");
        let identity = authority.issue(&["golden.example.com"]);
        files.write("certificate_chain", &identity.certificate);
        files.write("private_key", &identity.key);
        files.write("trusted_ca", authority.certificate());
        Self { _directory: directory, files }
    }

    /// Puts key material of ours in place of files that are elsewhere and of texts that stand for keys.
    fn furnish(&self, value: &mut Value) {
        match value {
            Value::Array(values) => values.iter_mut().for_each(|value| self.furnish(value)),
            Value::Object(fields) => {
                // A staple would have to be signed for the very certificate.
                fields.retain(|name, _| name != "ocsp_staple");
                for (name, value) in fields {
                    match name.as_str() {
                        "certificate_chain" | "private_key" | "trusted_ca" => *value = self.file(name),
                        _ => self.furnish(value),
                    }
                }
            }
            _ => {}
        }
    }

    fn file(&self, name: &str) -> Value {
        json!({ "filename": self.files.path(name) })
    }
}

#[tokio::test]
async fn every_golden_is_accepted_by_the_real_envoy() {
    let (inputs, machine) = (inputs(), Machine::new());
    assert!(inputs.len() >= 5, "only {inputs:?}");
    let mut all = Vec::new();
    for input in &inputs {
        all.extend(complaints(input, &machine).await);
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}
