//! From what is known to what a person must look at, the worst first.

use biplane_admin_api::Status;
use biplane_admin_api::status::{
    GateState, NodeStatus, ObjectReport, Rejection, Severity, SourceState, SourceStatus,
};
use serde::Serialize;

use crate::exit::Code;
use crate::findings::count;
use crate::output::one_line;

/// All findings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Verdict {
    #[serde(rename = "verdict")]
    worst: Level,
    objects: u64,
    findings: Vec<Finding>,
}

/// How bad it is; the worst is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
enum Level {
    Well,
    Warning,
    Error,
    Critical,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
enum About {
    Gate,
    Source,
    Leader,
    Node,
    Object,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    severity: Level,
    about: About,
    /// Which one; empty: it could not be told.
    name: String,
    /// Where it is written: a file and line, or a key.
    #[serde(skip_serializing_if = "String::is_empty")]
    place: String,
    /// The field.
    #[serde(skip_serializing_if = "String::is_empty")]
    path: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl Verdict {
    /// Of a running control plane.
    pub(super) fn of_status(status: &Status) -> Self {
        let objects = status.objects.values().sum();
        let mut findings: Vec<_> = gate(status).into_iter().collect();
        findings.extend(status.sources.iter().filter_map(source));
        findings.extend(leader(status));
        findings.extend(status.nodes.iter().filter_map(|node| without_gateway(status, node)));
        findings.extend(status.nodes.iter().flat_map(refusals));
        findings.extend(status.reports.iter().map(object));
        findings.extend(held(status));
        Self::new(objects, findings)
    }

    /// Of what a store holds.
    pub(super) fn of_reports(objects: usize, reports: &[ObjectReport]) -> Self {
        Self::new(objects as u64, reports.iter().map(object).collect())
    }

    fn new(objects: u64, mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let worst = findings.first().map_or(Level::Well, |finding| finding.severity);
        Self { worst, objects, findings }
    }

    /// A line a finding, and a line a hint.
    pub(super) fn text(&self) -> String {
        let lines = self.findings.iter().flat_map(|finding| {
            let hint = finding.hint.as_ref().map(|hint| format!("  hint: {}", one_line(hint)));
            std::iter::once(one_line(&finding.line())).chain(hint)
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// `1 critical, 2 errors; 14 objects in use`
    pub(super) fn summary(&self) -> String {
        let number = |level| self.findings.iter().filter(|finding| finding.severity == level).count();
        let objects = count(usize::try_from(self.objects).unwrap_or(usize::MAX), "object");
        let mut parts = Vec::new();
        if number(Level::Critical) > 0 {
            parts.push(format!("{} critical", number(Level::Critical)));
        }
        for (level, word) in [(Level::Error, "error"), (Level::Warning, "warning")] {
            if number(level) > 0 {
                parts.push(count(number(level), word));
            }
        }
        let parts = if parts.is_empty() { "nothing wrong".to_owned() } else { parts.join(", ") };
        format!("{parts}; {objects} in use")
    }

    /// How bad it is, for scripts.
    pub(super) const fn code(&self, strict: bool) -> Code {
        match self.worst {
            Level::Well => Code::Success,
            Level::Warning if !strict => Code::Success,
            Level::Warning | Level::Error => Code::Findings,
            Level::Critical => Code::Critical,
        }
    }
}

impl Finding {
    fn new(severity: Level, about: About, name: &str, message: impl Into<String>) -> Self {
        let (name, message) = (name.to_owned(), message.into());
        Self { severity, about, name, place: String::new(), path: String::new(), message, hint: None }
    }

    fn hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    /// An object's finding begins with its place, so that editors can jump there.
    fn line(&self) -> String {
        let severity = match self.severity {
            Level::Critical => "critical",
            Level::Error => "error",
            Level::Warning | Level::Well => "warning",
        };
        let what = match self.about {
            About::Gate | About::Object => "",
            About::Source => "source ",
            About::Leader => "leader ",
            About::Node => "node ",
        };
        let mut line = String::new();
        if !self.place.is_empty() {
            line.push_str(&format!("{}: ", self.place));
        }
        line.push_str(&format!("{severity}: "));
        if !self.name.is_empty() {
            line.push_str(&format!("{what}{}: ", self.name));
        }
        if !self.path.is_empty() {
            line.push_str(&format!("{}: ", self.path));
        }
        line + &self.message
    }
}

fn gate(status: &Status) -> Option<Finding> {
    if status.gate.state != GateState::Waiting {
        return None;
    }
    let waiting = status.gate.waiting_for.join(", ");
    let waiting = if waiting.is_empty() { "its sources".to_owned() } else { waiting };
    Some(Finding::new(
        Level::Critical,
        About::Gate,
        "",
        format!("nothing is served yet: waiting for {waiting}"),
    ))
}

fn source(source: &SourceStatus) -> Option<Finding> {
    if matches!(source.state, SourceState::Complete | SourceState::Unknown) {
        return None;
    }
    let mut message = source.state.as_str().to_owned();
    for reason in source.last_error.iter().chain(&source.reason) {
        message.push_str(&format!(": {reason}"));
    }
    if !source.held.is_empty() {
        let held: Vec<_> = source.held.iter().map(|held| held.object.as_str()).collect();
        message.push_str(&format!("; in use all the same: {}", few(&held)));
    }
    Some(Finding::new(Level::Critical, About::Source, &source.name, message).hint(source.hint.clone()))
}

/// Nothing that Envoys need depends on the leader.
fn leader(status: &Status) -> Option<Finding> {
    let leader = status.leader.as_ref()?;
    let error = leader.last_error.as_ref()?;
    let name = leader.name.as_deref().unwrap_or("(nobody)");
    let message = format!("status and history may not be written: {error}");
    Some(Finding::new(Level::Warning, About::Leader, name, message).hint(leader.hint.clone()))
}

/// Most often a typo in `node.cluster` or in `proxyNames`. While nothing was read, no fleet is known.
fn without_gateway(status: &Status, node: &NodeStatus) -> Option<Finding> {
    let known = status.gate.state != GateState::Waiting;
    if !known || status.fleets.iter().any(|fleet| fleet.name == node.fleet) {
        return None;
    }
    let message = format!("it gets nothing: no gateway is of its fleet {:?}", node.fleet);
    let names: Vec<_> = status.fleets.iter().map(|fleet| fleet.name.as_str()).collect();
    let hint = if names.is_empty() {
        "there are no gateways yet".to_owned()
    } else {
        format!("the fleets are {}; correct its node.cluster, or proxyNames of a gateway", names.join(", "))
    };
    Some(Finding::new(Level::Error, About::Node, &node.id, message).hint(Some(hint)))
}

fn refusals(node: &NodeStatus) -> impl Iterator<Item = Finding> {
    node.rejected.iter().map(|rejection| {
        let Rejection { resource, origins, error, .. } = rejection;
        let made =
            if origins.is_empty() { String::new() } else { format!(", made from {}", origins.join(", ")) };
        let message = format!("it refused {resource}{made}: {error}");
        Finding::new(Level::Error, About::Node, &node.id, message)
    })
}

fn object(report: &ObjectReport) -> Finding {
    let severity = match report.severity {
        Severity::Warning => Level::Warning,
        Severity::Error => Level::Error,
    };
    let name = report.object.as_deref().unwrap_or_default();
    Finding {
        place: report.location.clone().unwrap_or_default(),
        path: report.path.clone(),
        hint: report.hint.clone(),
        ..Finding::new(severity, About::Object, name, report.message.clone())
    }
}

fn held(status: &Status) -> impl Iterator<Item = Finding> {
    status.held.iter().map(|held| {
        let users: Vec<_> = held.referenced_by.iter().map(String::as_str).collect();
        let message = format!("it was deleted, and is in use until {} by {}", held.until, few(&users));
        Finding::new(Level::Warning, About::Object, &held.object, message)
    })
}

/// A few names, and how many more.
fn few(names: &[&str]) -> String {
    const SHOWN: usize = 10;
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use biplane_admin_api::status::{FleetStatus, Gate};

    use super::*;

    fn status() -> Status {
        let report = |severity| ObjectReport {
            object: Some("Upstream default/a".into()),
            severity,
            path: "static".into(),
            location: Some("a.yaml:3".into()),
            message: "no hosts".into(),
            hint: Some("add one".into()),
        };
        let rejection = Rejection {
            resource: "Listener l".into(),
            origins: vec!["Gateway default/g".into()],
            error: "in use".into(),
            ..Rejection::default()
        };
        let node = |id: &str, fleet: &str, rejected| NodeStatus {
            id: id.into(),
            fleet: fleet.into(),
            rejected,
            ..NodeStatus::default()
        };
        Status {
            gate: Gate { state: GateState::Open, ..Gate::default() },
            sources: vec![SourceStatus {
                name: "etcd://h/biplane".into(),
                state: SourceState::Denied,
                last_error: Some("no right to read".into()),
                hint: Some("grant it".into()),
                ..SourceStatus::default()
            }],
            fleets: vec![FleetStatus { name: "edge".into(), ..FleetStatus::default() }],
            nodes: vec![node("n1", "edge", vec![rejection]), node("n2", "egde", vec![])],
            reports: vec![report(Severity::Warning), report(Severity::Error)],
            objects: [("Upstream".to_owned(), 2)].into(),
            ..Status::default()
        }
    }

    #[test]
    fn every_guilty_party_is_named_the_worst_first() {
        let verdict = Verdict::of_status(&status());
        assert_eq!(
            verdict.text(),
            "critical: source etcd://h/biplane: denied: no right to read\n\
             \x20 hint: grant it\n\
             error: node n2: it gets nothing: no gateway is of its fleet \"egde\"\n\
             \x20 hint: the fleets are edge; correct its node.cluster, or proxyNames of a gateway\n\
             error: node n1: it refused Listener l, made from Gateway default/g: in use\n\
             a.yaml:3: error: Upstream default/a: static: no hosts\n\
             \x20 hint: add one\n\
             a.yaml:3: warning: Upstream default/a: static: no hosts\n\
             \x20 hint: add one"
        );
        assert_eq!(verdict.summary(), "1 critical, 3 errors, 1 warning; 2 objects in use");
        assert_eq!(verdict.code(false), Code::Critical);
    }

    #[test]
    fn the_code_says_how_bad_it_is() {
        let mut status = status();
        status.sources.clear();
        assert_eq!(Verdict::of_status(&status).code(false), Code::Findings);
        status.nodes.clear();
        status.reports.truncate(1);
        let warned = Verdict::of_status(&status);
        assert_eq!((warned.code(false), warned.code(true)), (Code::Success, Code::Findings));
        status.reports.clear();
        let well = Verdict::of_status(&status);
        assert_eq!((well.code(true), well.text().as_str()), (Code::Success, ""));
        status.gate.state = GateState::Waiting;
        assert_eq!(Verdict::of_status(&status).code(false), Code::Critical);
    }
}
