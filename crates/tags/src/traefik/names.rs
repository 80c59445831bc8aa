//! Names: how Traefik makes them, and what they refer to.

use crate::service::SourceKind;

/// A name of letters and digits, the rest of it a dash.
pub(crate) fn normalize(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

/// The name of what a service has without saying so. A canary's holds a hash of its tags, so that it is another one.
pub(crate) fn of_service(service: &str, canary_tags: Option<&[String]>) -> String {
    match canary_tags {
        None => normalize(service),
        Some(tags) => {
            let mut tags = tags.to_vec();
            tags.sort();
            normalize(&format!("{service}-{}", fnv(tags.concat().as_bytes())))
        }
    }
}

/// FNV-1 of 64 bits, which Traefik puts into names of canaries.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        hash.wrapping_mul(0x0000_0100_0000_01b3) ^ u64::from(*byte)
    })
}

/// What a name in a tag refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reference<'a> {
    /// Something that tags of the same source and namespace define.
    Own(&'a str),
    /// Something of another provider of Traefik's: a file, another source, another namespace.
    Foreign,
}

/// What `name` refers to in the tags of a service of `source` in `namespace`.
pub(crate) fn reference<'a>(name: &'a str, source: SourceKind, namespace: &str) -> Reference<'a> {
    let Some((name, provider)) = name.rsplit_once('@') else { return Reference::Own(name) };
    let own = match source {
        SourceKind::Nomad => "nomad",
        SourceKind::Consul => "consulcatalog",
    };
    let rest = provider.strip_prefix(own);
    let is_own = rest == Some("") || rest.and_then(|rest| rest.strip_prefix('-')) == Some(namespace);
    if is_own { Reference::Own(name) } else { Reference::Foreign }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_letters_and_digits_joined_by_dashes() {
        assert_eq!(normalize("dev/Web_1.api"), "dev-Web-1-api");
        assert_eq!(normalize("--a--b--"), "a-b");
        assert_eq!(of_service("team_a/web", None), "team-a-web");
    }

    /// The number is what FNV-1 of 64 bits is by its definition.
    #[test]
    fn canaries_are_named_by_a_hash_of_their_tags_in_any_order() {
        assert_eq!(fnv(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv(b"a"), 0xaf63_bd4c_8601_b7be);
        let one = of_service("web", Some(&["b".to_owned(), "a".to_owned()]));
        let two = of_service("web", Some(&["a".to_owned(), "b".to_owned()]));
        assert!(one == two && one.starts_with("web-") && one != of_service("web", Some(&["a".to_owned()])));
    }

    #[test]
    fn providers_behind_the_at_are_own_or_foreign() {
        let nomad = |name| reference(name, SourceKind::Nomad, "prod");
        assert_eq!(nomad("auth"), Reference::Own("auth"));
        assert_eq!(nomad("auth@nomad"), Reference::Own("auth"));
        assert_eq!(nomad("auth@nomad-prod"), Reference::Own("auth"));
        for name in ["auth@nomad-dev", "auth@consulcatalog", "auth@file", "auth@nomadic"] {
            assert_eq!(nomad(name), Reference::Foreign, "{name}");
        }
        assert_eq!(reference("a@consulcatalog", SourceKind::Consul, ""), Reference::Own("a"));
    }
}
