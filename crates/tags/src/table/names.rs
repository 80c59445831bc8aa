//! Names of the objects made: equal things get equal names in every process, and different ones different names.

use biplane_core::key::MAX_NAME;
use serde_json::Value;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::gateways::Gateways;
use crate::compile::Domain;

/// What may stand in front of a hash in a name.
const MAX_STEM: usize = 200;

/// `app.example.com`, `app.example.com~tls`, `app.example.com@internal`.
pub(super) fn virtual_service(domain: &Domain, is_tls: bool, gateways: &Gateways) -> String {
    let mut name = domain.name();
    if is_tls {
        name.push_str("~tls");
    }
    if let Gateways::Only(names) = gateways {
        name.push('@');
        name.push_str(&names.iter().map(String::as_str).collect::<Vec<_>>().join(","));
    }
    if name.len() <= MAX_NAME && clean(&name) == name {
        return name;
    }
    format!("{}~{:016x}", stem(&name), xxh3_64(name.as_bytes()))
}

/// `nomad.default.web.4d2f10c5a0b3e981`: the parts, and a hash of all that the object says.
pub(super) fn upstream(parts: &[&str], fields: &Value) -> String {
    let parts: Vec<_> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    let hash = xxh3_128(fields.to_string().as_bytes());
    format!("{}.{:016x}", stem(&parts.join(".")), (hash >> 64) as u64)
}

fn stem(text: &str) -> String {
    let mut stem = clean(text);
    let end =
        (0..=stem.len().min(MAX_STEM)).rev().find(|end| stem.is_char_boundary(*end)).unwrap_or_default();
    stem.truncate(end);
    stem.trim_end_matches('.').to_owned()
}

/// Without what no name can hold.
fn clean(text: &str) -> String {
    let refused = |c: char| matches!(c, '/' | '\\') || c.is_control() || c.is_whitespace();
    text.replace(refused, "-").replace("..", ".-")
}

#[cfg(test)]
mod tests {
    use biplane_core::key::check_name;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_text_becomes_a_name() {
        for text in ["web", "a/b c", "a..b", "...", "", &"é".repeat(200)] {
            let name = upstream(&["nomad", text], &json!({ "text": text }));
            assert_eq!(check_name(&name), Ok(()), "{name}");
        }
        let long = Domain::Exact("a.".repeat(200));
        assert_eq!(check_name(&virtual_service(&long, true, &Gateways::All)), Ok(()));
    }

    #[test]
    fn upstreams_that_say_different_things_have_different_names() {
        let name = |port: u16| upstream(&["nomad", "web"], &json!({ "port": port }));
        assert_ne!(name(1), name(2));
        assert_eq!(name(1), name(1));
    }
}
