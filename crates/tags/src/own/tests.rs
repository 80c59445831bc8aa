//! Own tags and what the reader makes of them.

use serde_json::json;

use super::*;
use crate::rollout;
use crate::router::{Action, Rule, Target};
use crate::service::{Service, SourceKind};

fn id() -> ServiceId {
    ServiceId {
        source: SourceKind::Nomad,
        source_name: String::new(),
        datacenter: String::new(),
        namespace: "default".to_owned(),
        name: "web".to_owned(),
    }
}

fn instance(id: &str, version: u64, tags: &[&str]) -> Instance {
    Instance {
        id: id.to_owned(),
        node: "node".to_owned(),
        tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
        address: "10.0.0.1".to_owned(),
        port: 80,
        healthy: true,
        canary: false,
        version,
    }
}

fn read(instances: Vec<Instance>) -> Reading {
    let mut settings = Settings::default();
    settings.biplane.enabled = true;
    let lineup = rollout::lineup(&Service { id: id(), instances }, &["biplane.canary".to_owned()]);
    OwnReader::new(&settings).set(&id(), Some(&lineup)).remove(0)
}

fn read_tags(tags: &[&str]) -> Reading {
    let tags: Vec<_> = ["biplane.enable=true"].iter().chain(tags).copied().collect();
    read(vec![instance("i", 0, &tags)])
}

fn messages(reading: &Reading) -> Vec<String> {
    reading.findings.iter().map(ToString::to_string).collect()
}

fn weights(action: &Action) -> Vec<u32> {
    match action {
        Action::Forward(targets) => targets.iter().map(|target: &Target| target.weight).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn nothing_is_exposed_that_does_not_ask_for_it() {
    let reading = read(vec![instance("i", 0, &["biplane.hosts=a.com"])]);
    assert!(reading.routers.is_empty());
    assert!(messages(&reading)[0].contains("none that exposes it"));
    assert_eq!(read(vec![instance("i", 0, &["other"])]).findings, []);
    assert!(
        read(vec![instance("i", 0, &["biplane.hosts=a.com", "biplane.enable=maybe"])]).routers.is_empty()
    );
}

#[test]
fn options_without_a_route_hold_for_all_routes() {
    let reading = read_tags(&[
        "biplane.hosts=a.com",
        "biplane.timeout=5s",
        "biplane.routes.api.path=/api",
        "biplane.routes.web.timeout=1m",
        "Biplane.Routes.web.PREFIX=/",
    ]);
    assert_eq!(messages(&reading), [""; 0]);
    let [api, web] = reading.routers.as_slice() else { panic!("two routes, not {:?}", reading.routers) };
    assert_eq!((api.options["timeout"].clone(), web.options["timeout"].clone()), (json!("5s"), json!("1m")));
    let host = || Rule::Or(vec![Rule::Host("a.com".to_owned())]);
    assert_eq!(web.rule, Rule::And(vec![host(), Rule::Or(vec![Rule::PathPrefix("/".to_owned())])]));
    assert!(api.priority > web.priority);
}

#[test]
fn an_unknown_option_is_told_with_the_nearest() {
    let reading = read_tags(&["biplane.hosts=a.com", "biplane.timout=5s", "biplane.header.x=1"]);
    assert_eq!(reading.routers.len(), 1);
    let messages = messages(&reading);
    assert!(messages[0].contains("did you mean timeout?"), "{messages:?}");
    assert!(messages[1].contains("did you mean headers.<name>?"), "{messages:?}");
}

#[test]
fn a_guard_that_cannot_be_read_closes_its_route_and_no_other() {
    for guard in [
        "biplane.routes.a.allow=10.0.0.0/33",
        "biplane.routes.a.deny=",
        "biplane.routes.a.basicAuth=users",
        "biplane.routes.a.alow=10.0.0.0/8",
        "biplane.routes.a.apiKeyAuth=a b/c",
    ] {
        let reading = read_tags(&[
            "biplane.hosts=a.com",
            "biplane.routes.b.path=/b",
            "biplane.routes.a.path=/a",
            guard,
        ]);
        let actions: Vec<_> = reading.routers.iter().map(|router| &router.action).collect();
        assert!(matches!(actions[..], [Action::Closed { status: 403, .. }, Action::Forward(_)]), "{guard}");
        assert!(!reading.findings.is_empty(), "{guard}");
    }
}

#[test]
fn what_cannot_be_told_is_not_served() {
    for tags in [
        &["biplane.path=/"][..],
        &["biplane.hosts=a.com:80"],
        &["biplane.hosts=a.com", "biplane.path=api"],
        &["biplane.hosts=a.com", "biplane.port=0"],
        &["biplane.hosts=a.com", "biplane.scheme=ftp"],
        &["biplane.hosts=a.com", "biplane.tls.secret=x"],
        &["biplane.hosts=a.com", "biplane.tls=false", "biplane.redirectHttps=true"],
    ] {
        let reading = read_tags(tags);
        assert!(reading.routers.is_empty() && reading.findings.len() == 1, "{tags:?}: {reading:?}");
    }
}

#[test]
fn what_changes_how_requests_are_treated_is_left_out_if_it_cannot_be_read() {
    let reading = read_tags(&["biplane.hosts=a.com", "biplane.timeout=soon", "biplane.stripPrefix=true"]);
    assert_eq!((reading.routers.len(), reading.findings.len()), (1, 2));
    assert!(reading.routers[0].options.is_empty());
}

#[test]
fn redirect_https_is_a_second_router_for_plain_connections() {
    let reading =
        read_tags(&["biplane.hosts=a.com", "biplane.redirectHttps=true", "biplane.allow=10.0.0.0/8"]);
    let [tls, plain] = reading.routers.as_slice() else { panic!("two routers, not {:?}", reading.routers) };
    assert!(tls.tls.is_some() && plain.tls.is_none() && plain.before.is_empty());
    assert_eq!(plain.action, Action::Redirect(json!({ "httpsRedirect": true }).as_object().unwrap().clone()));
}

#[test]
fn paths_are_rewritten_by_their_start_whatever_matched() {
    let rewrite = |tags: &[&str]| {
        let tags: Vec<_> = ["biplane.hosts=a.com"].iter().chain(tags).copied().collect();
        read_tags(&tags).routers[0].options["regexRewrite"].clone()
    };
    let rule = |regex: &str, substitution: &str| json!({ "pattern": { "regex": regex }, "substitution": substitution });
    assert_eq!(
        rewrite(&["biplane.path=/api,/api/v2", "biplane.stripPrefix=true"]),
        rule("^(?:/api/v2|/api)/*", "/")
    );
    assert_eq!(rewrite(&["biplane.stripPrefix=/a.b"]), rule(r"^(?:/a\.b)/*", "/"));
    assert_eq!(rewrite(&["biplane.prefix=/v1/", "biplane.prefixRewrite=/v2/"]), rule("^(?:/v1)", "/v2"));
}

#[test]
fn paths_are_written_as_requests_carry_them() {
    let reading = read_tags(&["biplane.hosts=a.com", "biplane.exact=/a%20b%2Fc%C3%A9"]);
    let host = Rule::Or(vec![Rule::Host("a.com".to_owned())]);
    let path = Rule::Or(vec![Rule::Path("/a b%2Fcé".to_owned())]);
    assert_eq!(reading.routers[0].rule, Rule::And(vec![host, path]));
    for path in ["/a b", "/é", "/a{b}", "/%ff", "/a?b"] {
        assert!(
            read_tags(&["biplane.hosts=a.com", &format!("biplane.path={path}")]).routers.is_empty(),
            "{path}"
        );
    }
}

#[test]
fn the_newest_instance_defines_a_route_and_the_others_are_told() {
    let tags = |host| ["biplane.enable=true", host];
    let old = instance("old", 1, &tags("biplane.hosts=old.com"));
    let new = instance("new", 2, &tags("biplane.hosts=new.com"));
    let reading = read(vec![old, new]);
    assert_eq!(reading.routers[0].rule, Rule::And(vec![Rule::Or(vec![Rule::Host("new.com".to_owned())])]));
    assert!(messages(&reading)[0].contains("instance old"), "{:?}", messages(&reading));
}

#[test]
fn a_route_that_only_older_instances_ask_for_stays() {
    let old = instance("old", 1, &["biplane.enable=true", "biplane.routes.a.hosts=a.com"]);
    let new = instance("new", 2, &["biplane.enable=true", "biplane.routes.b.hosts=b.com"]);
    let names: Vec<_> = read(vec![old, new]).routers.into_iter().map(|router| router.name).collect();
    assert_eq!(names, ["b", "a"]);
}

#[test]
fn canaries_share_a_route_by_their_weight_else_by_their_number() {
    let stable = || {
        let tags = ["biplane.enable=true", "biplane.hosts=a.com"];
        vec![instance("a", 1, &tags), instance("b", 1, &tags), instance("c", 1, &tags)]
    };
    let canary = |more: &[&str]| {
        let tags = ["biplane.enable=true", "biplane.hosts=a.com", "biplane.canary=true"];
        instance("canary", 2, &tags.iter().chain(more).copied().collect::<Vec<_>>())
    };
    let routers = |canary| read(stable().into_iter().chain([canary]).collect()).routers;
    assert_eq!(weights(&routers(canary(&["biplane.weight=5"]))[0].action), [95, 5]);
    assert_eq!(weights(&routers(canary(&["biplane.timeout=1s"]))[0].action), [3, 1]);
    assert_eq!(weights(&routers(canary(&[]))[0].action), [1]);
}

#[test]
fn canaries_with_a_rule_of_their_own_have_a_route_of_their_own() {
    let stable = instance("a", 1, &["biplane.enable=true", "biplane.hosts=a.com"]);
    let tags =
        ["biplane.enable=true", "biplane.hosts=a.com", "biplane.canary=true", "biplane.headers.x-canary=1"];
    let reading = read(vec![stable, instance("c", 2, &tags)]);
    let [stable, canary] = reading.routers.as_slice() else {
        panic!("two routers, not {:?}", reading.routers)
    };
    assert_eq!(canary.name, "default~canary");
    assert!(canary.priority > stable.priority);
}

#[test]
fn canaries_without_the_guards_of_the_others_get_nothing() {
    let stable =
        instance("a", 1, &["biplane.enable=true", "biplane.hosts=a.com", "biplane.allow=10.0.0.0/8"]);
    let tags = ["biplane.enable=true", "biplane.hosts=a.com", "biplane.canary=true"];
    let reading = read(vec![stable, instance("c", 2, &tags)]);
    assert_eq!(weights(&reading.routers[0].action), [1]);
    assert_eq!(reading.findings.len(), 1);
}
