//! Whose tags count while the instances of a service disagree: during a rolling deploy, and beside a canary.
//!
//! The newest version with a healthy instance says what the tags are. What only older instances say stays until the
//! last of them is gone; what newer ones say waits until one of them is healthy. So no step of a deploy takes a
//! route away that something still answers.

use std::cmp::Reverse;

use crate::reader::{Deployment, Lineup};
use crate::router::{Canaries, Pick};
use crate::service::{Instance, Service, SourceKind};

/// The tags that count. `marks` are the keys of tags that call an instance a canary.
pub(crate) fn lineup(service: &Service, marks: &[String]) -> Lineup {
    let is_canary = |instance: &&Instance| instance.canary || mark(instance, marks).is_some();
    let (canaries, stable): (Vec<_>, Vec<_>) = service.instances.iter().partition(is_canary);
    let id = service.id.clone();
    if canaries.is_empty() || say_the_same(&canaries, &stable, marks) {
        let all = service.instances.iter().collect();
        return Lineup {
            id,
            stable: Deployment { instances: precedence(all), pick: Pick::default() },
            canary: None,
        };
    }
    let (without, only) = picks(service.id.source, &canaries, marks);
    let serves = has_healthy(&canaries) || !has_healthy(&stable);
    Lineup {
        id,
        stable: Deployment { instances: precedence(stable), pick: without },
        canary: serves.then(|| Deployment { instances: precedence(canaries), pick: only }),
    }
}

/// Canaries of which none is healthy get no requests while the others can answer them.
fn has_healthy(instances: &[&Instance]) -> bool {
    instances.iter().any(|instance| instance.healthy)
}

/// The tag that calls it a canary.
fn mark<'a>(instance: &'a Instance, marks: &[String]) -> Option<&'a str> {
    instance.tags.iter().map(String::as_str).find(|tag| is_mark(tag, marks))
}

fn is_mark(tag: &str, marks: &[String]) -> bool {
    let Some((key, value)) = tag.split_once('=') else { return false };
    let named = marks.iter().any(|mark| mark.eq_ignore_ascii_case(key.trim()));
    named && matches!(value.trim(), "true" | "True" | "TRUE" | "t" | "T" | "1")
}

/// Canaries without tags of their own are instances like the others, each with its share.
fn say_the_same(canaries: &[&Instance], stable: &[&Instance], marks: &[String]) -> bool {
    let tags = |instance: &Instance| {
        let mut tags: Vec<_> = instance.tags.iter().filter(|tag| !is_mark(tag, marks)).cloned().collect();
        tags.sort();
        tags
    };
    let Some(first) = stable.first().map(|instance| tags(instance)) else { return false };
    canaries.iter().chain(stable).all(|instance| tags(instance) == first)
}

fn precedence(mut instances: Vec<&Instance>) -> Vec<Instance> {
    let healthy = instances.iter().filter(|instance| instance.healthy).map(|instance| instance.version).max();
    if let Some(newest) = healthy {
        instances.retain(|instance| instance.version <= newest);
    }
    instances
        .sort_by_key(|instance| (Reverse(instance.version), !instance.healthy, &instance.id, &instance.node));
    instances.into_iter().cloned().collect()
}

/// How upstreams leave canaries out, and how they take nothing else.
fn picks(source: SourceKind, canaries: &[&Instance], marks: &[String]) -> (Pick, Pick) {
    if source == SourceKind::Nomad && canaries.iter().all(|instance| instance.canary) {
        let pick = |canaries| Pick { canaries, ..Pick::default() };
        return (pick(Canaries::Exclude), pick(Canaries::Only));
    }
    let mut tags: Vec<_> =
        canaries.iter().filter_map(|instance| mark(instance, marks)).map(str::to_owned).collect();
    tags.sort();
    tags.dedup();
    // With several spellings of the mark only those of the first can be named together.
    let only = Pick { with_tags: tags.iter().take(1).cloned().collect(), ..Pick::default() };
    (Pick { without_tags: tags, ..Pick::default() }, only)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::ServiceId;

    fn instance(id: &str, version: u64, healthy: bool, tags: &[&str]) -> Instance {
        Instance {
            id: id.to_owned(),
            node: "node".to_owned(),
            tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
            address: "10.0.0.1".to_owned(),
            port: 80,
            healthy,
            canary: false,
            version,
        }
    }

    fn lined_up(source: SourceKind, instances: Vec<Instance>) -> Lineup {
        let id = ServiceId {
            source,
            source_name: "s".to_owned(),
            datacenter: "dc1".to_owned(),
            namespace: String::new(),
            name: "web".to_owned(),
        };
        lineup(&Service { id, instances }, &["biplane.canary".to_owned()])
    }

    fn ids(deployment: &Deployment) -> Vec<&str> {
        deployment.instances.iter().map(|instance| instance.id.as_str()).collect()
    }

    #[test]
    fn the_newest_version_with_a_healthy_instance_comes_first() {
        let lineup = lined_up(
            SourceKind::Nomad,
            vec![
                instance("a", 1, true, &["x"]),
                instance("b", 3, false, &["z"]),
                instance("c", 2, false, &["y"]),
                instance("d", 2, true, &["y"]),
            ],
        );
        assert_eq!(ids(&lineup.stable), ["d", "c", "a"]);
    }

    #[test]
    fn without_a_healthy_instance_the_newest_version_counts() {
        let lineup = lined_up(
            SourceKind::Nomad,
            vec![instance("a", 1, false, &["x"]), instance("b", 2, false, &["y"])],
        );
        assert_eq!(ids(&lineup.stable), ["b", "a"]);
    }

    #[test]
    fn canaries_with_other_tags_stand_apart() {
        let canary = Instance { canary: true, ..instance("c", 2, true, &["y"]) };
        let lineup = lined_up(SourceKind::Nomad, vec![instance("a", 1, true, &["x"]), canary]);
        let apart = lineup.canary.unwrap();
        assert_eq!((ids(&lineup.stable), ids(&apart)), (vec!["a"], vec!["c"]));
        assert_eq!((lineup.stable.pick.canaries, apart.pick.canaries), (Canaries::Exclude, Canaries::Only));
    }

    #[test]
    fn canaries_that_are_not_healthy_get_nothing_while_the_others_are() {
        let canary = Instance { canary: true, ..instance("c", 2, false, &["y"]) };
        let all = |healthy| vec![instance("a", 1, healthy, &["x"]), canary.clone()];
        let beside = lined_up(SourceKind::Nomad, all(true));
        assert_eq!((ids(&beside.stable), beside.canary), (vec!["a"], None));
        assert_eq!(beside.stable.pick.canaries, Canaries::Exclude, "nor with the others' requests");
        assert!(lined_up(SourceKind::Nomad, all(false)).canary.is_some(), "there is nobody else");
    }

    #[test]
    fn canaries_of_consul_are_told_by_their_mark() {
        let marked = instance("c", 0, true, &["x", "biplane.canary=true", "y"]);
        let lineup = lined_up(SourceKind::Consul, vec![instance("a", 0, true, &["x"]), marked]);
        assert_eq!(lineup.stable.pick.without_tags, ["biplane.canary=true"]);
        assert_eq!(lineup.canary.unwrap().pick.with_tags, ["biplane.canary=true"]);
    }

    #[test]
    fn canaries_with_the_same_tags_are_instances_like_the_others() {
        let marked = instance("c", 2, true, &["biplane.canary=true", "x"]);
        let lineup = lined_up(SourceKind::Consul, vec![instance("a", 1, true, &["x"]), marked]);
        assert_eq!((ids(&lineup.stable), lineup.canary), (vec!["c", "a"], None));
    }
}
