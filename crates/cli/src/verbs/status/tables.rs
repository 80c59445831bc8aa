//! A status as tables for people. A table without rows is left out, but for those whose absence is news:
//! they say "none". What is wrong stands before the counts, which nobody reads first.

use std::fmt::Write as _;

use biplane_admin_api::Status;
use biplane_admin_api::status::{LeaderStatus, NodeStatus};

use crate::findings;
use crate::output::{one_line, table};
use crate::verbs::source;

/// The whole status; `wide`: with who each node has proved to be.
pub(super) fn render(status: &Status, wide: bool) -> String {
    let always = [headline(status), sources(status), fleets(status), nodes(status, wide)];
    let if_any = [refused(status), held_removals(status), held(status), reports(status), objects(status)];
    let parts: Vec<_> = always.into_iter().chain(if_any.into_iter().flatten()).collect();
    parts.join("\n\n")
}

fn table_or_none(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let none = if rows.is_empty() { "\nnone" } else { "" };
    format!("{}{none}", table(header, rows))
}

fn headline(status: &Status) -> String {
    let ready = if status.ready { "ready" } else { "not ready" };
    let mut line = format!(
        "biplane {}, {ready}, gate {}, running since {}",
        one_line(&status.version),
        status.gate.state.as_str(),
        status.started_at
    );
    if !status.gate.waiting_for.is_empty() {
        let _ = write!(line, ", waiting for {}", one_line(&status.gate.waiting_for.join(", ")));
    }
    if let Some(leader) = &status.leader {
        let _ = write!(line, ", {}", one_line(&leading(leader)));
    }
    line
}

fn leading(leader: &LeaderStatus) -> String {
    match (&leader.name, leader.is_me, &leader.last_error) {
        (_, true, _) => "leader".to_owned(),
        (Some(name), false, _) => format!("led by {name}"),
        (None, false, Some(error)) => format!("nobody leads: {error}"),
        (None, false, None) => "nobody leads".to_owned(),
    }
}

fn sources(status: &Status) -> String {
    let none = if status.sources.is_empty() { "\nnone" } else { "" };
    format!("{}{none}", source::table(&status.sources))
}

/// What a source lacks, and what is in use all the same until an operator says otherwise.
fn held_removals(status: &Status) -> Option<String> {
    let rows = status.sources.iter().flat_map(|source| {
        source.held.iter().map(|held| {
            vec![held.object.clone(), held.what.clone(), held.since.to_string(), source.name.clone()]
        })
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let hints =
        status.sources.iter().filter(|source| !source.held.is_empty()).filter_map(|s| s.hint.as_deref());
    let hints = hints.fold(String::new(), |hints, hint| format!("{hints}\n  hint: {}", one_line(hint)));
    let header = ["HELD REMOVAL", "THE SOURCE SHOWS", "SINCE", "SOURCE"];
    (!rows.is_empty()).then(|| format!("{}{hints}", table(&header, rows)))
}

fn fleets(status: &Status) -> String {
    let rows = status.fleets.iter().map(|fleet| {
        let counts = [
            fleet.generation,
            fleet.listeners,
            fleet.routes,
            fleet.clusters,
            fleet.endpoints,
            fleet.secrets,
            fleet.nodes,
        ];
        std::iter::once(fleet.name.clone()).chain(counts.map(|count| count.to_string())).collect()
    });
    let header = ["FLEET", "GENERATION", "LISTENERS", "ROUTES", "CLUSTERS", "ENDPOINTS", "SECRETS", "NODES"];
    table_or_none(&header, rows.collect())
}

fn nodes(status: &Status, wide: bool) -> String {
    let row = |node: &NodeStatus| {
        let in_sync = if node.in_sync { "yes" } else { "no" };
        let mut cells = vec![
            node.id.clone(),
            node.fleet.clone(),
            node.remote.clone(),
            node.build_version.clone(),
            node.protocol.clone(),
            node.connected_since.to_string(),
            in_sync.to_owned(),
            node.rejected.len().to_string(),
        ];
        if wide {
            let until = node.identity.until.map_or_else(|| "-".to_owned(), |until| until.to_string());
            cells.extend([node.identity.shown(), until]);
        }
        cells
    };
    let mut header = vec!["NODE", "FLEET", "FROM", "ENVOY", "PROTOCOL", "SINCE", "IN SYNC", "REFUSED"];
    if wide {
        header.extend(["PROVED BY", "GOOD UNTIL"]);
    }
    table_or_none(&header, status.nodes.iter().map(row).collect())
}

fn refused(status: &Status) -> Option<String> {
    let rows = status.nodes.iter().flat_map(|node| {
        node.rejected.iter().map(|rejection| {
            vec![
                node.id.clone(),
                rejection.resource.clone(),
                rejection.origins.join(", "),
                rejection.error.clone(),
            ]
        })
    });
    let rows: Vec<Vec<String>> = rows.collect();
    (!rows.is_empty()).then(|| table(&["REFUSED BY", "RESOURCE", "MADE FROM", "WHAT ENVOY SAYS"], rows))
}

fn held(status: &Status) -> Option<String> {
    let rows = status.held.iter().map(|held| {
        vec![
            held.object.clone(),
            held.referenced_by.join(", "),
            held.since.to_string(),
            held.until.to_string(),
        ]
    });
    (!status.held.is_empty()).then(|| table(&["HELD DELETION", "STILL USED BY", "SINCE", "UNTIL"], rows))
}

fn objects(status: &Status) -> Option<String> {
    let used = status.objects.iter().filter(|(_, count)| **count > 0);
    let rows: Vec<_> = used.map(|(kind, count)| vec![kind.clone(), count.to_string()]).collect();
    (!rows.is_empty()).then(|| table(&["KIND", "OBJECTS"], rows))
}

fn reports(status: &Status) -> Option<String> {
    let lines = findings::lines(&status.reports);
    (!lines.is_empty()).then_some(lines)
}

#[cfg(test)]
mod tests {
    use biplane_admin_api::status::{NodeIdentity, ObjectReport, Proof, Severity};
    use biplane_core::scalars::Timestamp;

    use super::*;

    #[test]
    fn what_is_missing_says_none_and_findings_stand_before_the_kinds_that_are_used() {
        let report =
            ObjectReport { severity: Severity::Warning, message: "odd".into(), ..ObjectReport::default() };
        let status = Status {
            reports: vec![report],
            objects: [("Gateway".to_owned(), 0), ("Upstream".to_owned(), 2)].into(),
            ..Status::default()
        };
        let parts = render(&status, false);
        let parts: Vec<_> = parts.split("\n\n").collect();
        let [_, sources, fleets, nodes, reports, objects] = parts[..] else { panic!("{parts:?}") };
        for (part, header) in [(sources, "SOURCE  "), (fleets, "FLEET  "), (nodes, "NODE  ")] {
            assert!(part.starts_with(header) && part.ends_with("\nnone"), "{part}");
        }
        assert_eq!((reports, objects), ("warning: odd", "KIND      OBJECTS\nUpstream  2"));
    }

    #[test]
    fn wide_tells_who_a_node_has_proved_to_be_and_until_when() {
        let until = Some(Timestamp(4_000_000_000));
        let by_token = NodeIdentity { by: Proof::Token, who: "nomad:job".into(), until };
        let here = NodeIdentity { by: Proof::Loopback, who: "127.0.0.1".into(), until: None };
        let node = |identity| NodeStatus { identity, ..NodeStatus::default() };
        let status = Status { nodes: vec![node(by_token), node(here)], ..Status::default() };
        let wide = nodes(&status, true);
        let ends =
            ["PROVED BY        GOOD UNTIL", "token nomad:job  2096-10-02T07:06:40Z", "loopback         -"];
        assert!(wide.lines().zip(ends).all(|(line, end)| line.ends_with(end)), "{wide}");
        assert!(!nodes(&status, false).contains("nomad:job"));
    }
}
