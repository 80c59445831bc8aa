//! Whom routes let in: by address, by what proxies say about addresses, and by the schemes of the settings.

use biplane_core::key::ResourceRef;
use biplane_tags::finding::Severity;

use super::{answer, over_tls, settings, tagged, tells, world};
use crate::envoy::{Request, get};
use crate::services::{World, id};

/// The status for a client, and for what proxies say about it; 200: it reaches the service.
fn status(world: &World, client: &'static str, forwarded: Option<&'static str>) -> u32 {
    let headers = forwarded.map(|value| ("x-forwarded-for", value)).into_iter().collect();
    let request = Request { headers, client, ..get("a.com", "/") };
    assert_eq!(answer(world, &request).route_action, answer(world, &over_tls(request.clone())).route_action);
    answer(world, &request).direct_response_action.map_or(200, |response| response.status)
}

#[test]
fn allow_lets_in_nobody_else() {
    let world = world(&["a.com/ allow=ip:10.0.0.0/8,ip:2001:db8::/32,ip:192.0.2.7"]);
    for client in ["10.1.2.3", "2001:db8::1", "192.0.2.7"] {
        assert_eq!(status(&world, client, None), 200, "{client}");
    }
    for client in ["11.1.2.3", "2001:db9::1", "192.0.2.8"] {
        assert_eq!(status(&world, client, None), 403, "{client}");
    }
    super::tells_nothing(&world);
}

#[test]
fn deny_lets_in_all_others() {
    let world = world(&["a.com/ deny=ip:10.0.0.0/8,ip:fe80::1234"]);
    assert_eq!(status(&world, "10.1.2.3", None), 403);
    assert_eq!(status(&world, "fe80::1234", None), 403);
    assert_eq!(status(&world, "fe80::1235", None), 200);
    assert_eq!(status(&world, "192.0.2.1", None), 200);
}

#[test]
fn one_address_on_the_way_is_enough_to_be_turned_away() {
    let allow = world(&["a.com/ allow=ip:10.0.0.0/8"]);
    let deny = world(&["a.com/ deny=ip:10.0.0.0/8"]);
    for (forwarded, allowed, denied) in [
        ("10.2.0.1", 200, 403),
        ("192.0.2.9", 403, 200),
        ("10.2.0.1, 192.0.2.9", 403, 403),
        ("192.0.2.9,10.2.0.1", 403, 403),
        ("unknown, 192.0.2.9:80", 200, 200),
        ("::ffff:10.2.0.1", 200, 403),
        ("::ffff:c000:0209", 403, 200),
        ("2001:db8::1", 403, 200),
        ("", 200, 200),
    ] {
        assert_eq!(status(&allow, "10.1.1.1", Some(forwarded)), allowed, "allow {forwarded}");
        assert_eq!(status(&deny, "192.0.2.1", Some(forwarded)), denied, "deny {forwarded}");
    }
    assert_eq!(status(&allow, "192.0.2.1", Some("10.1.1.1")), 403);
    assert_eq!(status(&deny, "10.1.1.1", Some("192.0.2.1")), 403);
}

#[test]
fn all_lines_of_the_header_count() {
    let world = world(&["a.com/ allow=ip:10.0.0.0/8"]);
    let headers = vec![("x-forwarded-for", "10.1.1.1"), ("X-Forwarded-For", "192.0.2.9")];
    let request = Request { client: "10.1.1.1", headers, ..get("a.com", "/") };
    assert_eq!(world.documents.status(&request), Some(403));
}

#[test]
fn rules_that_cannot_be_read_let_nobody_in() {
    for options in [
        "allow=ip:10/8",
        "deny=ip:10/8",
        "allow=",
        "deny=10.0.0.0/8",
        "allow=ip:10.0.0.1 deny=ip:10.0.0.2",
        "deny=country:xx",
        "Allow=ip:10.0.0.0/8",
        "allow=ip:10/8 redirect=301,https://b.com/",
    ] {
        let world = world(&[&format!("a.com/ {options}"), "/ strip=/x"]);
        assert_eq!(status(&world, "10.0.0.1", None), 403, "{options}");
        tells(&world, Severity::Error, "nobody is let in");
    }
}

#[test]
fn more_ranges_than_can_be_looked_for_let_nobody_in() {
    let ranges: Vec<String> = (0..200).map(|i| format!("ip:2001:db8:{i:x}::/48")).collect();
    let allow = world(&[&format!("a.com/ allow={}", ranges.join(","))]);
    assert_eq!(status(&allow, "2001:db8::1", None), 403);
    tells(&allow, Severity::Error, "its ranges are more");
    let deny = world(&[&format!("a.com/ deny={}", ranges.join(","))]);
    assert_eq!(status(&deny, "192.0.2.1", Some("2001:db8:c7::1")), 403);
    assert_eq!(status(&deny, "192.0.2.1", Some("2001:db8:c8::1")), 200);
}

#[test]
fn addresses_are_looked_at_before_a_redirect() {
    let world = world(&["a.com/ deny=ip:10.0.0.0/8 redirect=302,https://b.com/"]);
    assert_eq!(status(&world, "10.0.0.1", None), 403);
    assert!(answer(&world, &get("a.com", "/")).redirect_action.is_some());
}

#[test]
fn a_scheme_of_the_settings_asks_for_a_password() {
    let mut settings = settings();
    settings.fabio.auth = [("staff".to_owned(), ResourceRef::new("auth", "users"))].into();
    let mut world = World::new(settings);
    world.set(&id("web"), vec![tagged("i-1", &["a.com/ auth=staff", "b.com/ auth=other", "c.com/ auth="])]);
    let route = answer(&world, &get("a.com", "/"));
    let auth = route.options.and_then(|options| options.basic_auth).expect("a password is asked for");
    assert_eq!(auth.secret_ref, Some(ResourceRef::new("auth", "users")));
    for host in ["b.com", "c.com"] {
        assert_eq!(world.documents.status(&get(host, "/")), Some(403), "{host}");
    }
    tells(&world, Severity::Error, "auth=other names no scheme");
}
