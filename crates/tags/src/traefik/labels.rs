//! From tags to labels: keys and values under Traefik's own prefix, and what they say about the instance itself.

use std::collections::BTreeMap;

use crate::service::SourceKind;

/// The prefix that all keys have once they are labels.
pub(crate) const PREFIX: &str = "traefik";

/// The labels of an instance, and the tags that they were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Labels {
    /// Values by key; of equal keys the last tag counts.
    pub(crate) values: BTreeMap<String, String>,
    /// The tag that each key came from.
    tags: BTreeMap<String, String>,
}

/// Reads the tags that start with `prefix` and have a `=`. Nomad's reader takes blanks around the first `=` away,
/// Consul's does not: there they belong to the key and to the value.
pub(crate) fn read(tags: &[String], prefix: &str, source: SourceKind) -> Labels {
    let mut labels = Labels::default();
    let own = format!("{prefix}.");
    for tag in tags.iter().filter(|tag| tag.starts_with(prefix)) {
        let Some((key, value)) = tag.split_once('=') else { continue };
        let (key, value) = match source {
            SourceKind::Nomad => (key.trim(), value.trim()),
            SourceKind::Consul => (key, value),
        };
        let key = format!("{PREFIX}.{}", key.strip_prefix(&own).unwrap_or(key));
        labels.values.insert(key.clone(), value.to_owned());
        labels.tags.insert(key, tag.clone());
    }
    labels
}

/// What an instance says about itself, besides routers and their like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extra {
    /// It takes part.
    pub(crate) enabled: bool,
    /// It is a canary.
    pub(crate) canary: bool,
    /// It wants to be reached through Consul's mesh.
    pub(crate) connect: bool,
}

impl Labels {
    /// The tag that `key` came from.
    pub(crate) fn tag(&self, key: &str) -> Option<&str> {
        self.tags.get(key).map(String::as_str)
    }

    /// What the instance says about itself, and the tags whose values are neither true nor false. With Nomad these count as
    /// false, with Consul they leave the instance out.
    pub(crate) fn extra(
        &self,
        source: SourceKind,
        exposed_by_default: bool,
    ) -> (Extra, Vec<(String, String)>) {
        let mut doubts = Vec::new();
        let mut truth = |key: &str, default: bool| match source {
            SourceKind::Nomad => self.word(key, default, &mut doubts),
            SourceKind::Consul => self.flag(key, default, &mut doubts),
        };
        let mut enabled = truth("traefik.enable", exposed_by_default);
        let (canary, connect) = match source {
            SourceKind::Nomad => (truth("traefik.nomad.canary", false), false),
            SourceKind::Consul => {
                (truth("traefik.consulcatalog.canary", false), truth("traefik.consulcatalog.connect", false))
            }
        };
        enabled &= source == SourceKind::Nomad || doubts.is_empty();
        (Extra { enabled, canary, connect }, doubts)
    }

    /// Nomad's reader knows one word, in any case.
    fn word(&self, key: &str, default: bool, doubts: &mut Vec<(String, String)>) -> bool {
        let Some(value) = self.values.get(key) else { return default };
        if super::scalar::flag(&value.to_lowercase()).is_err() {
            let message = format!("{value:?} is neither true nor false; it counts as false");
            doubts.push((self.tag(key).unwrap_or(key).to_owned(), message));
        }
        value.eq_ignore_ascii_case("true")
    }

    /// Consul's reader knows the words of the Go language, and keys in any case.
    fn flag(&self, key: &str, default: bool, doubts: &mut Vec<(String, String)>) -> bool {
        let Some((key, value)) = self.values.iter().rfind(|(known, _)| known.eq_ignore_ascii_case(key))
        else {
            return default;
        };
        super::scalar::flag(value).unwrap_or_else(|why| {
            doubts
                .push((self.tag(key).unwrap_or(key).to_owned(), format!("{why}; the instance is left out")));
            false
        })
    }

    /// Whether there is a router or a service of TCP or UDP.
    pub(crate) fn has_other_protocols(&self) -> bool {
        ["tcp", "udp"].iter().any(|protocol| {
            let below = |kind: &str| self.has_below(&format!("{PREFIX}.{protocol}.{kind}."));
            below("routers") || below("services")
        })
    }

    /// A tag whose key starts with this, in any case.
    pub(crate) fn has_below(&self, start: &str) -> bool {
        self.tag_below(start).is_some()
    }

    /// The first tag whose key starts with this, in any case.
    pub(crate) fn tag_below(&self, start: &str) -> Option<&str> {
        let is_below = |key: &&String| key.to_lowercase().starts_with(start);
        self.values.keys().find(is_below).and_then(|key| self.tag(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(tags: &[&str]) -> Vec<String> {
        tags.iter().map(|tag| (*tag).to_owned()).collect()
    }

    #[test]
    fn nomad_takes_blanks_around_the_equals_sign_away_and_consul_keeps_them() {
        let tags = tags(&["traefik.a.b = c = d "]);
        let nomad = read(&tags, "traefik", SourceKind::Nomad);
        assert_eq!(nomad.values.into_iter().collect::<Vec<_>>(), [("traefik.a.b".into(), "c = d".into())]);
        let consul = read(&tags, "traefik", SourceKind::Consul);
        assert_eq!(
            consul.values.into_iter().collect::<Vec<_>>(),
            [("traefik.a.b ".into(), " c = d ".into())]
        );
    }

    #[test]
    fn another_prefix_stands_for_traefiks() {
        let tags = tags(&["edge.enable=true", "traefik.enable=false", "edge.http.x", "edge=1"]);
        let labels = read(&tags, "edge", SourceKind::Consul);
        assert_eq!(labels.values.get("traefik.enable").map(String::as_str), Some("true"));
        assert_eq!(labels.tag("traefik.enable"), Some("edge.enable=true"));
        assert!(labels.extra(SourceKind::Consul, false).0.enabled);
    }

    #[test]
    fn enable_is_read_as_each_source_reads_it() {
        for (value, nomad, consul) in [
            ("true", true, true),
            ("TRUE", true, true),
            ("tRuE", true, false),
            ("1", false, true),
            ("yes", false, false),
        ] {
            let tags = tags(&[&format!("traefik.enable={value}")]);
            for (source, wanted) in [(SourceKind::Nomad, nomad), (SourceKind::Consul, consul)] {
                let (extra, _) = read(&tags, "traefik", source).extra(source, true);
                assert_eq!(extra.enabled, wanted, "{value} {source:?}");
            }
        }
    }

    #[test]
    fn consuls_keys_are_read_in_any_case_and_its_mistakes_leave_the_instance_out() {
        let extra =
            |tag: &str| read(&tags(&[tag]), "traefik", SourceKind::Consul).extra(SourceKind::Consul, true);
        assert!(!extra("traefik.Enable=false").0.enabled);
        assert!(extra("traefik.ConsulCatalog.Canary=1").0.canary);
        let (left_out, doubts) = extra("traefik.consulcatalog.canary=yes");
        assert!(!left_out.enabled && doubts.len() == 1);
    }

    #[test]
    fn words_that_are_no_truth_values_are_told() {
        let labels = read(&tags(&["traefik.enable=yes"]), "traefik", SourceKind::Nomad);
        assert_eq!(labels.extra(SourceKind::Nomad, true).1.len(), 1);
    }
}
