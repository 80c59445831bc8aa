//! Resources as a table: what tells one from another of its kind, at a glance.

use std::collections::BTreeMap;

use biplane_admin_api::resources::Resource;
use biplane_admin_api::status::ObjectState;
use biplane_core::key::Kind;
use serde_json::Value;

use crate::output;

/// The most that one cell names before it counts.
const NAMED: usize = 3;

/// How objects fare, by their names; those that are not in it fare well.
pub(super) type States = BTreeMap<String, ObjectState>;

/// A table; of one kind with columns of that kind, of several with the kind in front. It is wide where it is
/// known how the objects fare.
pub(super) fn table(items: &[Resource], kind: Option<Kind>, states: Option<&States>) -> String {
    let mut header = if kind.is_some() { vec![] } else { vec!["KIND"] };
    header.extend(["NAMESPACE", "NAME"]);
    header.extend(kind.map_or(&[][..], headings));
    if states.is_some() {
        header.extend(["STATE", "REVISION", "LABELS", "KEPT AT"]);
    }
    output::table(&header, items.iter().map(|item| row(item, kind, states)))
}

fn row(item: &Resource, kind: Option<Kind>, states: Option<&States>) -> Vec<String> {
    let mut row = if kind.is_some() { vec![] } else { vec![item.kind.to_string()] };
    row.extend([item.namespace.clone(), item.name.clone()]);
    if kind.is_some() {
        row.extend(cells(item));
    }
    if let Some(states) = states {
        let state = states.get(&item.key().to_string()).copied().unwrap_or(ObjectState::Accepted);
        let labels: Vec<_> = item.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        row.extend([state.as_str().to_owned(), item.revision.to_string()]);
        row.extend([labels.join(","), item.location.clone()]);
    }
    row
}

const fn headings(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Gateway => &["LISTENS ON", "FLEETS"],
        Kind::VirtualService => &["DOMAINS", "ROUTES", "TLS"],
        Kind::RouteTable => &["ROUTES"],
        Kind::Upstream => &["TYPE", "HOSTS"],
        Kind::UpstreamGroup => &["DESTINATIONS"],
        Kind::RouteOption | Kind::VirtualHostOption => &["OPTIONS"],
        Kind::Secret => &["TYPE"],
        Kind::Settings => &[],
    }
}

/// The cells under [`headings`]. A document of another form than expected leaves them empty.
fn cells(item: &Resource) -> Vec<String> {
    let document = item.document.as_ref().unwrap_or(&Value::Null);
    let spec = document.get("spec").filter(|spec| spec.is_object()).unwrap_or(document);
    match item.kind {
        Kind::Gateway => vec![listens_on(spec), names(&spec["proxyNames"])],
        Kind::VirtualService => {
            let host = &spec["virtualHost"];
            let tls = if spec.get("sslConfig").is_some() { "yes" } else { "" };
            vec![names(&host["domains"]), length(&host["routes"]), tls.to_owned()]
        }
        Kind::RouteTable => vec![length(&spec["routes"])],
        Kind::Upstream => upstream(spec),
        Kind::UpstreamGroup => vec![length(&spec["destinations"])],
        Kind::RouteOption | Kind::VirtualHostOption => vec![fields(&spec["options"])],
        Kind::Secret => vec![fields(spec)],
        Kind::Settings => vec![],
    }
}

fn listens_on(spec: &Value) -> String {
    let address = spec["bindAddress"].as_str().unwrap_or("::");
    match &spec["bindPort"] {
        Value::Null => String::new(),
        port if address.contains(':') => format!("[{address}]:{port}"),
        port => format!("{address}:{port}"),
    }
}

/// The ways to say where an upstream is; a field of the upstream is named after each.
const TYPES: [&str; 8] = ["static", "pipe", "consul", "awsEc2", "aws", "nomad", "kube", "azure"];

fn upstream(spec: &Value) -> Vec<String> {
    let Some(kind) = TYPES.iter().find(|kind| spec.get(**kind).is_some()) else {
        return vec![String::new(); 2];
    };
    let place = &spec[*kind];
    let hosts = match place["hosts"].as_array() {
        Some(hosts) => some(hosts.iter().map(host).collect()),
        None => {
            ["serviceName", "path"].iter().find_map(|name| place[*name].as_str()).unwrap_or("").to_owned()
        }
    };
    vec![(*kind).to_owned(), hosts]
}

fn host(host: &Value) -> String {
    let address = ["addr", "address"].iter().find_map(|name| host[*name].as_str()).unwrap_or("?");
    match host["port"].as_u64() {
        Some(port) => format!("{address}:{port}"),
        None => address.to_owned(),
    }
}

fn names(list: &Value) -> String {
    let names =
        list.as_array().map(|names| names.iter().filter_map(Value::as_str).map(str::to_owned).collect());
    some(names.unwrap_or_default())
}

fn fields(value: &Value) -> String {
    let skip = |name: &String| matches!(name.as_str(), "metadata" | "kind" | "apiVersion");
    let names = value.as_object().map(|fields| fields.keys().filter(|name| !skip(name)).cloned().collect());
    some(names.unwrap_or_default())
}

/// The first few, and how many more.
fn some(mut names: Vec<String>) -> String {
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let names = names.join(",");
    if more == 0 { names } else { format!("{names} and {more} more") }
}

fn length(list: &Value) -> String {
    list.as_array().map_or_else(String::new, |list| list.len().to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item(kind: Kind, document: Value) -> Resource {
        Resource {
            kind,
            namespace: "default".into(),
            name: "a".into(),
            revision: 7,
            location: "a.yaml:1".into(),
            labels: [("app".to_owned(), "web".to_owned())].into(),
            text: String::new(),
            redacted: false,
            document: Some(document),
        }
    }

    #[test]
    fn each_kind_has_its_columns_in_either_form_of_document() {
        let domains = ["a", "b", "c", "d"];
        let host = json!({ "domains": domains, "routes": [{}, {}] });
        for document in [json!({ "spec": { "virtualHost": host } }), json!({ "virtualHost": host })] {
            let table = table(&[item(Kind::VirtualService, document)], Some(Kind::VirtualService), None);
            assert_eq!(
                table,
                "NAMESPACE  NAME  DOMAINS           ROUTES  TLS\ndefault    a     a,b,c and 1 more  2       -"
            );
        }
        let document = json!({ "static": { "hosts": [{ "addr": "::1", "port": 80 }] } });
        let states = [("Upstream default/a".to_owned(), ObjectState::Rejected)].into();
        let table = table(&[item(Kind::Upstream, document)], Some(Kind::Upstream), Some(&states));
        assert_eq!(
            table,
            "NAMESPACE  NAME  TYPE    HOSTS   STATE     REVISION  LABELS   KEPT AT\n\
             default    a     static  ::1:80  rejected  7         app=web  a.yaml:1"
        );
    }

    #[test]
    fn every_kind_has_as_many_cells_as_headings() {
        for kind in Kind::ALL {
            assert_eq!(cells(&item(kind, json!({}))).len(), headings(kind).len(), "{kind}");
        }
    }
}
