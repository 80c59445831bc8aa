//! A dry run says exactly what the same request then does.

use biplane_admin_api::resources::{
    ApplyRequest, ApplyResult, Change, ChangeResult, Expect, Problem, Prune, Resources as _,
};
use biplane_core::key::Kind;
use biplane_store::Store as _;
use proptest::prelude::*;
use proptest::sample::select;
use tokio::runtime::Runtime;

use crate::world::{delete, dry, empty, gateway, key, put, request, service, stored, upstream, when};

fn text() -> impl Strategy<Value = String> {
    let name = || select(vec!["a", "b"]);
    prop_oneof![
        (name(), select(vec![8080, 8081])).prop_map(|(name, port)| gateway(name, port)),
        (name(), select(vec!["a", "b", "gone"])).prop_map(|(name, to)| service(name, to)),
        (name(), select(vec!["a", "b"])).prop_map(|(name, to)| {
            service(name, to).replace(&format!("domains: [{name}.test]"), "domains: [same.test]")
        }),
        name().prop_map(upstream),
        name().prop_map(|name| format!("{}# again\n", upstream(name))),
        name().prop_map(|name| upstream(name).replace("port: 9000", "prot: 9000")),
        Just("kind: Upstreem\nmetadata: {name: a}\n".to_owned()),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let kind = select(vec![Kind::Gateway, Kind::VirtualService, Kind::Upstream]);
    let operation = prop_oneof![
        4 => text().prop_map(|text| put(&text)),
        1 => (kind, select(vec!["a", "b"])).prop_map(|(kind, name)| delete(kind, name)),
    ];
    let expect = prop_oneof![
        6 => Just(Expect::Anything),
        1 => Just(Expect::Absent),
        1 => (1_u64..8).prop_map(Expect::Revision),
    ];
    (operation, expect).prop_map(|(change, expect)| when(change, expect))
}

fn requests() -> impl Strategy<Value = Vec<ApplyRequest>> {
    let one = (proptest::collection::vec(change(), 1..4), any::<bool>(), prop::bool::weighted(0.2)).prop_map(
        |(changes, force, prune)| ApplyRequest {
            force,
            prune: prune.then(Prune::default),
            ..request(changes)
        },
    );
    proptest::collection::vec(one, 1..12)
}

/// What both have to agree on.
fn outcome(result: Result<ApplyResult, Problem>) -> Result<ApplyResult, Problem> {
    let bare = |change: ChangeResult| ChangeResult { diff: String::new(), ..change };
    result.map(|result| ApplyResult {
        revision: 0,
        dry_run: false,
        changes: result.changes.into_iter().map(bare).collect(),
        findings: result.findings,
    })
}

async fn holds(requests: Vec<ApplyRequest>) {
    let (store, editor) = empty();
    for request in requests {
        let before = store.list().await.unwrap();
        let said = editor.apply(&dry(request.clone())).await;
        assert_eq!(store.list().await.unwrap(), before, "a dry run writes nothing");
        let done = editor.apply(&request).await;
        let failed = done.is_err();
        assert_eq!(outcome(said), outcome(done));
        let after = store.list().await.unwrap();
        assert!(!failed || after == before, "what failed has changed nothing");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_dry_run_says_what_the_same_request_then_does(requests in requests()) {
        Runtime::new().expect("a runtime").block_on(holds(requests));
    }
}

#[tokio::test]
async fn a_dry_run_shows_the_difference_and_writes_nothing() {
    let (store, editor) = empty();
    editor.apply(&request([put(&upstream("a"))])).await.unwrap();
    let text = upstream("a").replace("9000", "9001");
    let result = editor.apply(&dry(request([put(&text)]))).await.unwrap();
    assert!(result.dry_run);
    let diff = &result.changes[0].diff;
    assert!(diff.starts_with("--- Upstream default/a (revision "), "{diff}");
    assert!(diff.contains("+++ Upstream default/a (petstore.yaml:1)"), "{diff}");
    assert!(
        diff.contains("-  - {addr: 127.0.0.1, port: 9000}\n+  - {addr: 127.0.0.1, port: 9001}\n"),
        "{diff}"
    );
    assert_eq!(stored(&store, &key(Kind::Upstream, "a")).await, Some(upstream("a")));
}
