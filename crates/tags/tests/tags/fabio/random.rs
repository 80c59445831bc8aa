//! Tags at random: what becomes of them decodes, and what is to be guarded is guarded.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{over_tls, settings, tagged};
use crate::envoy::{Request, get};
use crate::services::{World, id};

const OPTIONS: &[&str] = &[
    "strip=/x",
    "strip=",
    "strip=/%zz",
    "prepend=p",
    "prepend=/a?b#c",
    "host=dst",
    "host=b.com",
    "redirect=301,https://$host/$path",
    "redirect=302,http://b.com$path?x=1",
    "redirect=301,https://www.$host:99/",
    "redirect=300,/x",
    "redirect=x,https://b.com/",
    "redirect=301",
    "weight=2",
    "weight=-1",
    "proto=https",
    "proto=grpcs",
    "proto=x",
    "grpcservername=b.com",
    "tlsskipverify=true",
    "register=x",
    "flag",
    "é=ü",
];

/// Each keeps the client out that is asked about below, or cannot be read.
const GUARDS: &[&str] = &[
    "allow=ip:10.0.0.0/8",
    "allow=ip:10/8",
    "allow=ip:203.0.113.9,x",
    "allow",
    "allow=",
    "ALLOW=ip:203.0.113.9",
    "deny=ip:203.0.113.0/24",
    "deny=ip:203.0.113.0/33",
    "deny",
    "Deny=ip:10.0.0.1",
    "auth=unknown",
    "auth",
    "Auth=",
];

const HOSTS: &[&str] = &[
    "a.com",
    "*.com",
    "",
    "A?.com",
    "[a-z].com",
    "{a,b}.com",
    "$DC",
    "a.com:80",
    "a_b.com",
    "é.com",
    "[",
    "*",
];

fn options() -> impl Strategy<Value = Vec<String>> {
    vec(prop_oneof![4 => select(OPTIONS).prop_map(str::to_owned), 1 => "[ -~]{1,12}"], 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_tag_becomes_documents_that_decode(
        host in prop_oneof![select(HOSTS).prop_map(str::to_owned), "[!-~]{0,8}"],
        path in "/[!-~é]{0,8}",
        options in options(),
        guard in proptest::option::of(select(GUARDS)),
    ) {
        let options = options.join(" ");
        let mut world = World::new(settings());
        // Reports of the decoder fail it.
        world.set(&id("web"), vec![tagged("i-1", &[&format!("{host}{path} {options} {}", guard.unwrap_or_default())])]);
        prop_assert!(world.documents.text() != "[]" || !world.findings().is_empty());
        world.remove(&id("web"));
        prop_assert_eq!(world.documents.text(), "[]");
    }

    #[test]
    fn whoever_is_to_be_kept_out_is(options in options(), guard in select(GUARDS), place in 0..6_usize) {
        let mut options = options;
        options.insert(place.min(options.len()), guard.to_owned());
        let tag = format!("a.com/ {}", options.join(" "));
        let mut world = World::new(settings());
        world.set(&id("web"), vec![tagged("i-1", &[&tag])]);
        let request = Request { client: "203.0.113.9", ..get("a.com", "/x") };
        for request in [over_tls(request.clone()), request] {
            let Some(route) = world.documents.answer(&request) else { continue };
            let status = route.direct_response_action.map(|response| response.status);
            prop_assert!(matches!(status, Some(403 | 503)), "{}: {}", tag, world.documents.text());
        }
    }
}
