//! The examples in the document: values of the types themselves.

use std::collections::BTreeMap;

use biplane_admin_api::explain::{
    ClusterExplanation, EffectExplanation, Explanation, GatewayExplanation, HostExplanation,
    RouteExplanation, RouteList, Verdict,
};
use biplane_admin_api::resources::{
    Accepted, Action, ApplyRequest, ApplyResult, Change, ChangeResult, Expect, Name, Operation, Resource,
    ResourceEvent, ResourceList, ValidationFinding, Version,
};
use biplane_admin_api::status::{
    EndpointStatus, EndpointsState, EndpointsStatus, Gate, GateState, ObjectReport, SecretState,
    SecretStatus, ServiceStatus, Severity, Status,
};
use biplane_admin_api::wire::{AcceptRequest, Initialized, Refreshed, RollbackRequest, WatchLine};
use biplane_admin_api::{Problem, ProblemKind};
use biplane_core::key::Kind;
use biplane_core::scalars::Timestamp;
use serde_json::json;

/// An upstream as people write it.
pub(crate) const DOCUMENT: &str = "kind: Upstream\nmetadata: {name: petstore, namespace: default}\n\
                                   spec: {static: {hosts: [{addr: 10.0.0.7, port: 8080}]}}\n";

const REVISION: u64 = 42;
const MOMENT: Timestamp = Timestamp(1_795_000_000);

fn name() -> Name {
    Name { kind: Kind::Upstream, namespace: "default".to_owned(), name: "petstore".to_owned() }
}

pub(crate) fn resource() -> Resource {
    let Name { kind, namespace, name } = name();
    Resource {
        kind,
        namespace,
        name,
        revision: REVISION,
        location: "key biplane/config/Upstream/default/petstore at revision 42".to_owned(),
        labels: BTreeMap::from([("app".to_owned(), "petstore".to_owned())]),
        text: DOCUMENT.to_owned(),
        redacted: false,
        document: Some(json!({
            "kind": "Upstream",
            "metadata": { "name": "petstore", "namespace": "default" },
            "spec": { "static": { "hosts": [{ "addr": "10.0.0.7", "port": 8080 }] } },
        })),
    }
}

pub(crate) fn list() -> ResourceList {
    ResourceList { revision: REVISION + 5, items: vec![resource()] }
}

pub(crate) fn apply_request() -> ApplyRequest {
    let put =
        Operation::Put { text: DOCUMENT.to_owned(), origin: "petstore.yaml".to_owned(), line: 1, key: None };
    let delete = Operation::Delete { key: Name { name: "old".to_owned(), ..name() } };
    ApplyRequest {
        changes: vec![
            Change { operation: put, expect: Expect::Absent },
            Change { operation: delete, expect: Expect::Revision(REVISION - 1) },
        ],
        message: "the pet store moves".to_owned(),
        ..ApplyRequest::default()
    }
}

pub(crate) fn apply_result() -> ApplyResult {
    let change =
        ChangeResult { key: name(), action: Action::Changed, before: Some(REVISION), diff: String::new() };
    ApplyResult {
        revision: REVISION + 6,
        dry_run: false,
        changes: vec![change],
        findings: vec![finding(Severity::Warning, "nothing routes to it")],
    }
}

fn finding(severity: Severity, message: &str) -> ValidationFinding {
    let report = ObjectReport {
        object: Some("Upstream default/petstore".to_owned()),
        severity,
        message: message.to_owned(),
        ..ObjectReport::default()
    };
    ValidationFinding { new: true, report }
}

pub(crate) fn history() -> Vec<Version> {
    vec![Version {
        revision: REVISION,
        at: MOMENT,
        author: "ci (ann)".to_owned(),
        message: "the pet store moves".to_owned(),
        deleted: false,
        text: DOCUMENT.to_owned(),
        redacted: false,
    }]
}

pub(crate) const fn rollback() -> RollbackRequest {
    RollbackRequest { revision: REVISION, dry_run: true, author: String::new() }
}

pub(crate) fn accept_request() -> AcceptRequest {
    AcceptRequest { author: "ann".to_owned(), held_tag: Some("5bd3f1c09a7e2d46".to_owned()) }
}

pub(crate) fn accepted() -> Accepted {
    Accepted { source: "etcd://127.0.0.1:2379/biplane".to_owned(), removals: 1, objects: vec![name()] }
}

pub(crate) fn initialized() -> Initialized {
    Initialized { identity: "5f0c54a1d0c14f4b".to_owned() }
}

pub(crate) fn refreshed() -> Refreshed {
    Refreshed { source: "vault".to_owned() }
}

pub(crate) fn secrets() -> Vec<SecretStatus> {
    let secret = SecretStatus {
        namespace: "default".to_owned(),
        name: "web".to_owned(),
        form: "tls".to_owned(),
        state: SecretState::Known,
        source: Some("vault".to_owned()),
        place: Some("vault: kv secret/teams/web".to_owned()),
        version: Some(7),
        subject: Some("CN=web.example.com".to_owned()),
        names: vec!["web.example.com".to_owned()],
        issuer: Some("CN=Example CA".to_owned()),
        not_before: Some(MOMENT),
        expires: Some(Timestamp(MOMENT.0 + 86_400 * 90)),
        obtained: Some(MOMENT),
        users: vec!["Gateway default/edge".to_owned()],
        ..SecretStatus::default()
    };
    vec![secret]
}

pub(crate) fn endpoints() -> Vec<EndpointsStatus> {
    let endpoint = EndpointStatus {
        address: "10.0.0.7:8080".to_owned(),
        id: Some("web-2".to_owned()),
        health: "healthy".to_owned(),
        weight: 1,
        region: Some("dc1".to_owned()),
        ..EndpointStatus::default()
    };
    let upstream = EndpointsStatus {
        namespace: "default".to_owned(),
        name: "web".to_owned(),
        kind: "consul".to_owned(),
        state: EndpointsState::Complete,
        source: Some("consul".to_owned()),
        query: Some("web".to_owned()),
        age_seconds: Some(0),
        endpoints: vec![endpoint],
        users: vec!["VirtualService default/web".to_owned()],
        ..EndpointsStatus::default()
    };
    vec![upstream]
}

pub(crate) fn services() -> Vec<ServiceStatus> {
    let service = ServiceStatus {
        source: "nomad".to_owned(),
        datacenter: "global".to_owned(),
        namespace: "default".to_owned(),
        name: "web".to_owned(),
        tags: vec!["biplane.enable=true".to_owned(), "biplane.hosts=web.example.com".to_owned()],
        watched: true,
        instances: 3,
        healthy: 2,
        canaries: 1,
        hosts: vec!["web.example.com".to_owned()],
        age_seconds: Some(0),
        users: vec!["Upstream tags/web.example.com".to_owned()],
        ..ServiceStatus::default()
    };
    vec![service]
}

pub(crate) fn explanation() -> Explanation {
    let route = RouteExplanation {
        object: "VirtualService default/web".to_owned(),
        field: "virtualHost.routes[1].matchers[0]".to_owned(),
        location: Some("web.yaml:14".to_owned()),
        service: "default/web".to_owned(),
        matches: "prefix /".to_owned(),
        near: true,
        ..RouteExplanation::default()
    };
    let missed = RouteExplanation {
        field: "virtualHost.routes[0].matchers[0]".to_owned(),
        location: Some("web.yaml:9".to_owned()),
        matches: "prefix /admin".to_owned(),
        why: Some("path /pets does not begin with /admin".to_owned()),
        near: false,
        ..route.clone()
    };
    let cluster = ClusterExplanation {
        cluster: "web_default".to_owned(),
        upstream: Some("default/web".to_owned()),
        weight: 1,
        endpoints: endpoints().pop(),
        ..ClusterExplanation::default()
    };
    let gateway = GatewayExplanation {
        namespace: "default".to_owned(),
        name: "edge".to_owned(),
        address: "0.0.0.0:8080".to_owned(),
        fleets: vec!["gateway-proxy".to_owned()],
        verdict: Verdict::Answered,
        summary: "it goes to web_default".to_owned(),
        host: Some(HostExplanation {
            host: "example.com".to_owned(),
            domain: "example.com".to_owned(),
            how: "exact".to_owned(),
            services: vec!["default/web".to_owned()],
            domains: vec!["example.com".to_owned()],
        }),
        route: Some(route),
        effect: Some(EffectExplanation {
            kind: "forward".to_owned(),
            clusters: vec![cluster],
            ..EffectExplanation::default()
        }),
        earlier: RouteList { total: 1, routes: vec![missed] },
        ..GatewayExplanation::default()
    };
    Explanation {
        url: "http://example.com/pets".to_owned(),
        method: "GET".to_owned(),
        verdict: Verdict::Answered,
        gateways: vec![gateway],
        notes: Vec::new(),
    }
}

pub(crate) fn watch_line() -> WatchLine {
    WatchLine::Event(ResourceEvent::Put { resource: Box::new(resource()) })
}

pub(crate) fn status() -> Status {
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: MOMENT,
        ready: true,
        gate: Gate { state: GateState::Open, waiting_for: Vec::new() },
        objects: BTreeMap::from([("Upstream".to_owned(), 1)]),
        ..Status::default()
    }
}

pub(crate) fn problem() -> Problem {
    Problem {
        findings: vec![finding(Severity::Error, "no hosts")],
        ..Problem::new(ProblemKind::Invalid, "the configuration would get worse by it")
            .hint("mend it, or set force")
            .of(name())
    }
}
