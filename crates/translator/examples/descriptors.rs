//! Makes what the translator knows of Envoy's messages: `descriptors/envoy.bin` and `src/encode/table.txt`,
//! from the descriptors inside the `envoy-types` crate that Cargo.lock names. Run it after an update of that
//! crate; its test fails when that was forgotten.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};

const BYTES: &str = "descriptors/envoy.bin";
const TABLE: &str = "src/encode/table.txt";

fn main() -> Result<()> {
    let bytes = stripped(&fs::read(shipped()?)?)?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::write(folder.join(TABLE), table(&DescriptorPool::decode(bytes.as_slice())?))?;
    fs::write(folder.join(BYTES), bytes).map_err(Into::into)
}

/// The descriptor set in the sources of envoy-types.
fn shipped() -> Result<PathBuf> {
    // Only this machine's dependencies: those of other systems were never downloaded.
    let version = output(Command::new("rustc").arg("-vV"))?;
    let host =
        version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc tells its host")?;
    let arguments = ["metadata", "--format-version=1", "--offline", "--filter-platform", host];
    let metadata = output(Command::new(env!("CARGO")).args(arguments))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists packages")?;
    let package = packages.iter().find(|package| package["name"] == "envoy-types");
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let manifest = Path::new(manifest.context("envoy-types is a dependency")?);
    Ok(manifest.with_file_name("src").join("generated").join("types.bin"))
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output()?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// The descriptors without comments and positions, which are four fifths of them.
fn stripped(bytes: &[u8]) -> Result<Vec<u8>> {
    // A pool built on prost's own descriptors would lose the options that extensions define
    // (validation rules, what is sensitive), so the files stay dynamic messages.
    let pool = DescriptorPool::decode(bytes)?;
    let set = pool.get_message_by_name("google.protobuf.FileDescriptorSet");
    let mut set =
        prost_reflect::DynamicMessage::decode(set.context("descriptor.proto is in the set")?, bytes)?;
    let files = set.get_field_by_name_mut("file").and_then(prost_reflect::Value::as_list_mut);
    for file in files.context("a set has files")? {
        let file = file.as_message_mut().context("a file is a message")?;
        file.clear_field_by_name("source_code_info");
    }
    Ok(set.encode_to_vec())
}

/// The text of the table; `src/encode/table.rs` says what it means.
fn table(pool: &DescriptorPool) -> String {
    let messages: BTreeMap<String, MessageDescriptor> =
        pool.all_messages().map(|message| (message.full_name().to_owned(), message)).collect();
    let listed = listed(&messages);
    let lines: BTreeMap<&str, usize> = listed.iter().enumerate().map(|(line, name)| (*name, line)).collect();
    let mut text = String::new();
    for name in &listed {
        text.push_str(name);
        let mut fields: Vec<_> = messages[*name].fields().collect();
        fields.sort_by_key(FieldDescriptor::number);
        for field in fields {
            let word = word(&field, &lines);
            if !word.is_empty() {
                write!(text, " {}{word}", field.number()).expect("a string takes all text");
            }
        }
        text.push('\n');
    }
    text
}

fn word(field: &FieldDescriptor, lines: &BTreeMap<&str, usize>) -> String {
    let map = if field.is_map() { "#" } else { "" };
    let below = match field.kind() {
        Kind::Message(message) if message.full_name() == ANY => "*".to_owned(),
        Kind::Message(message) => {
            lines.get(message.full_name()).map_or_else(String::new, |line| format!(":{line}"))
        }
        _ => String::new(),
    };
    format!("{map}{below}")
}

const ANY: &str = "google.protobuf.Any";

/// The messages that have a map or an `Any` somewhere below, sorted. Messages may contain themselves:
/// look until nothing is added.
fn listed(messages: &BTreeMap<String, MessageDescriptor>) -> BTreeSet<&str> {
    let mut listed = BTreeSet::new();
    loop {
        let before = listed.len();
        for (name, message) in messages {
            if name != ANY && message.fields().any(|field| matters(&field, &listed)) {
                listed.insert(name.as_str());
            }
        }
        if listed.len() == before {
            return listed;
        }
    }
}

fn matters(field: &FieldDescriptor, listed: &BTreeSet<&str>) -> bool {
    let below = match field.kind() {
        Kind::Message(message) => message.full_name() == ANY || listed.contains(message.full_name()),
        _ => false,
    };
    field.is_map() || below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checked_in_descriptors_are_those_of_the_crate_in_use() {
        let bytes = stripped(&fs::read(shipped().unwrap()).unwrap()).unwrap();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(fs::read(folder.join(BYTES)).unwrap() == bytes, "run the example `descriptors`");
        let table = table(&DescriptorPool::decode(bytes.as_slice()).unwrap());
        assert!(fs::read_to_string(folder.join(TABLE)).unwrap() == table, "run the example `descriptors`");
    }
}
