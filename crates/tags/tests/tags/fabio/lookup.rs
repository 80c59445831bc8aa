//! Which of several tags answers, against fabio's own order in plain words.

use biplane_core::key::ResourceRef;
use biplane_tags::fabio::check;
use biplane_tags::settings::FabioSettings;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{over_tls, settings, tagged, world};
use crate::envoy::{Request, get};
use crate::services::{World, id};

/// What a host takes: the port of the protocol may be missing on both sides; `*` stands for any characters.
fn takes(pattern: &str, host: &str, tls: bool) -> bool {
    let port = if tls { ":443" } else { ":80" };
    let [pattern, host] = [pattern, host].map(|text| text.strip_suffix(port).unwrap_or(text).to_lowercase());
    match pattern.split_once('*') {
        None => pattern == host,
        Some((front, back)) => {
            host.len() >= front.len() + back.len() && host.starts_with(front) && host.ends_with(back)
        }
    }
}

/// Read backwards, but for the port.
fn backwards(host: &str) -> String {
    let (name, port) = host.find(':').map_or((host, ""), |colon| host.split_at(colon));
    name.chars().rev().chain(port.chars()).collect()
}

/// The hosts that match, the larger first when read backwards, and none behind them; of each the longest path.
///
/// A pattern that may stand for one host alone (`*a.com`) is not among the tags below: fabio asks it before that host.
fn looked_up(tags: &[(&str, &str)], request: &Request) -> Option<String> {
    let mut hosts: Vec<&str> = tags.iter().map(|(host, _)| *host).collect();
    hosts.retain(|host| !host.is_empty() && takes(host, request.host, request.tls));
    hosts.sort_by_key(|host| std::cmp::Reverse(backwards(host)));
    hosts.push("");
    hosts.into_iter().find_map(|host| {
        let paths = tags.iter().filter(|(of, path)| *of == host && request.path.starts_with(path));
        let (_, path) = paths.max_by_key(|(_, path)| path.len())?;
        let over = if request.tls { "~tls" } else { "" };
        Some(format!("{host}{path}{over}@fabio"))
    })
}

const HOSTS: &[&str] = &[
    "",
    "a.com",
    "a.com:80",
    "a.com:8080",
    "x.a.com",
    "*.a.com",
    "*.b.a.com",
    "x*.a.com",
    "*b.a.com",
    "*",
    "*:80",
    "*:443",
];

const PATHS: &[&str] = &["/", "/p", "/p/", "/p/q", "/pq"];

const AUTHORITIES: &[&str] = &[
    "a.com",
    "A.com",
    "a.com:80",
    "a.com:443",
    "a.com:8080",
    "x.a.com",
    "xy.A.com:80",
    "x.a.com:8080",
    "y.b.a.com",
    "y-b.a.com",
    "other.org",
    "other.org:443",
];

const REQUESTED: &[&str] = &["/", "/p", "/p/", "/p/q/r", "/pq", "/P", "/x"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_tag_that_fabio_looks_up_answers(tags in vec((select(HOSTS), select(PATHS)), 1..9)) {
        let mut world = World::new(settings());
        for (index, (host, path)) in tags.iter().enumerate() {
            world.set(&id(&format!("service-{index}")), vec![tagged("i", &[&format!("{host}{path}")])]);
        }
        prop_assert_eq!(world.findings(), Vec::<&biplane_tags::finding::Finding>::new());
        for (host, path) in AUTHORITIES.iter().flat_map(|host| REQUESTED.iter().map(move |path| (*host, *path))) {
            for request in [get(host, path), over_tls(get(host, path))] {
                let expected = looked_up(&tags, &request);
                prop_assert_eq!(world.documents.name(&request), expected, "{:?}: {:?}\n{}", tags, request, world.documents.text());
            }
        }
    }
}

#[test]
fn globs_match_as_in_fabio() {
    let world = world(&["{www,api-?}.a.com/", "[a-c].b.com/", "[!a-c].b.com/not"]);
    let name = |host, path| world.documents.name(&get(host, path));
    assert!(name("www.a.com", "/").is_some() && name("API-1.a.com", "/").is_some());
    assert!(name("api-12.a.com", "/").is_none() && name("shop.a.com", "/").is_none());
    assert!(name("b.b.com", "/").is_some() && name("d.b.com", "/").is_none());
    assert!(name("d.b.com", "/not").is_some());
}

#[test]
fn the_port_of_clients_does_not_count_if_the_settings_say_so() {
    let mut settings = settings();
    settings.fabio.any_port = true;
    let mut world = World::new(settings);
    world.set(&id("web"), vec![tagged("i-1", &["a.com/", "*.b.com/", "c.com:81/"])]);
    let name = |host| world.documents.name(&get(host, "/"));
    assert!(name("a.com:8080").is_some() && name("x.b.com:8080").is_some());
    assert!(name("c.com:81").is_some() && name("c.com:8080").is_none());
}

#[test]
fn the_datacenter_and_variables_of_the_settings_are_known() {
    let mut settings = settings();
    settings.fabio.variables = [("ENV".to_owned(), "Test".to_owned())].into();
    let mut world = World::new(settings);
    world.set(&id("web"), vec![tagged("i-1", &["${ENV}.$DC.a.com/$ENV"])]);
    assert!(world.documents.name(&get("test.global.a.com", "/Test/x")).is_some());
}

#[test]
fn a_path_is_compared_without_its_encoding() {
    let world = world(&["/a\"b", "/é", "/c%20d"]);
    let name = |path| world.documents.name(&get("a.com", path));
    assert!(name("/a%22b/c").is_some() && name("/%C3%A9").is_some() && name("/%c3%a9").is_some());
    assert!(name("/c%2520d").is_some() && name("/c%20d").is_none());
}

#[test]
fn a_prefix_of_ones_own_is_read_and_the_default_is_not() {
    let mut settings = settings();
    settings.fabio.prefix = "edge-".to_owned();
    let mut world = World::new(settings);
    let mut instance = tagged("i-1", &["/default"]);
    instance.tags.push("edge-/own".to_owned());
    world.set(&id("web"), vec![instance]);
    assert!(world.documents.name(&get("a.com", "/own")).is_some());
    assert!(world.documents.name(&get("a.com", "/default")).is_none());
}

#[test]
fn without_a_certificate_nothing_is_served_over_tls() {
    let mut settings = settings();
    settings.certificates[0].hosts = vec!["*.a.com".to_owned()];
    let mut world = World::new(settings);
    world.set(&id("web"), vec![tagged("i-1", &["x.a.com/", "b.com/"])]);
    assert!(world.documents.name(&over_tls(get("x.a.com", "/"))).is_some());
    assert!(world.documents.name(&over_tls(get("b.com", "/"))).is_none());
    assert!(world.documents.name(&get("b.com", "/")).is_some());
    super::tells_nothing(&world);
}

#[test]
fn other_tags_and_tcp_make_no_routes() {
    let world = world(&[":5432 proto=tcp", "a.com/ proto=tcp", "", "b.com/\tproto=tcp"]);
    assert_eq!(world.documents.text(), "[]");
    assert_eq!(world.findings().len(), 4, "{:#?}", world.findings());
    assert!(world.findings().iter().all(|finding| finding.tag.is_some() && finding.hint.is_some()));
}

#[test]
fn settings_that_would_read_every_tag_or_name_nothing_are_refused() {
    let wrong = |change: fn(&mut FabioSettings)| {
        let mut settings = FabioSettings::default();
        change(&mut settings);
        check(&settings)
    };
    assert_eq!(wrong(|_| {}), Vec::<String>::new());
    assert_eq!(wrong(|fabio| fabio.prefix.clear()), ["prefix: \"\" is not what a tag can start with"]);
    for change in [
        (|fabio| fabio.prefix.push(' ')) as fn(&mut FabioSettings),
        |fabio| fabio.auth = [("staff".to_owned(), ResourceRef::default())].into(),
        |fabio| fabio.auth = [(String::new(), ResourceRef::new("auth", "users"))].into(),
        |fabio| fabio.roots_ref = Some(ResourceRef::default()),
    ] {
        assert_eq!(wrong(change).len(), 1, "{:?}", wrong(change));
    }
}
