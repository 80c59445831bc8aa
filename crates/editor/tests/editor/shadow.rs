//! The shadow: it follows the store, costs no listing for a change, and gets over what happens to it.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use biplane_admin_api::resources::Resources as _;
use biplane_core::key::Kind;
use biplane_store::StoreError;
use biplane_store::faulty::Mode;

use crate::world::{
    apply, delete, dry, empty, faulty, findings, gateway, key, put, request, service, shop, upstream, write,
};

#[tokio::test]
async fn a_change_is_judged_by_what_others_wrote_a_moment_ago() {
    let (store, editor) = shop();
    for turn in 0..20 {
        let name = format!("s{turn}");
        let before = apply(&editor, [put(&service(&name, &name))]).await.unwrap();
        assert!(findings(&before.findings)[0].contains(&format!("Upstream default/{name} does not exist")));
        write(&store, &key(Kind::Upstream, &name), &upstream(&name));
        let after = editor.apply(&dry(request([put(&service(&name, &name))]))).await.unwrap();
        assert_eq!(findings(&after.findings), [] as [&str; 0]);
    }
}

#[tokio::test]
async fn a_trial_leaves_no_trace() {
    let (_, editor) = shop();
    let rival = || [put(&gateway("rival", 8080)), delete(Kind::Upstream, "cart")];
    let first = editor.apply(&dry(request(rival()))).await.unwrap_err();
    for _ in 0..3 {
        assert_eq!(editor.apply(&dry(request(rival()))).await.unwrap_err(), first);
    }
    let nothing = editor.apply(&dry(request([]))).await.unwrap();
    assert_eq!(nothing.findings, []);
}

#[tokio::test]
async fn a_warm_shadow_needs_no_listing() {
    let (store, _) = shop();
    let (editor, faults) = faulty(&store);
    editor.apply(&dry(request([]))).await.unwrap();
    let before = faults.lists();
    for turn in 0..5 {
        apply(&editor, [put(&upstream(&format!("u{turn}")))]).await.unwrap();
    }
    assert_eq!(faults.lists(), before);
}

#[tokio::test(start_paused = true)]
async fn a_shadow_that_nobody_uses_is_dropped_and_built_again() {
    let (store, _) = shop();
    let (editor, faults) = faulty(&store);
    editor.apply(&dry(request([]))).await.unwrap();
    let before = faults.lists();
    tokio::time::sleep(Duration::from_mins(6)).await;
    let result = editor.apply(&dry(request([put(&service("lost", "gone"))]))).await.unwrap();
    assert_eq!(result.findings.len(), 1);
    assert_eq!(faults.lists(), before + 1);
}

#[tokio::test]
async fn a_shadow_lists_again_where_its_watch_lost_an_event() {
    let (store, _) = shop();
    let (editor, faults) = faulty(&store);
    editor.apply(&dry(request([]))).await.unwrap();
    faults.swallow(1);
    write(&store, &key(Kind::Upstream, "new"), &upstream("new"));
    let result = editor.apply(&dry(request([put(&service("s", "new"))]))).await.unwrap();
    assert_eq!(findings(&result.findings), [] as [&str; 0]);
}

#[tokio::test]
async fn a_change_waits_for_no_back_off() {
    let (store, _) = shop();
    let (editor, faults) = faulty(&store);
    editor.apply(&dry(request([]))).await.unwrap();
    faults.take_down(&StoreError::unavailable("down"));
    let problem = editor.apply(&dry(request([]))).await.unwrap_err();
    assert_eq!(problem.message, "down");
    write(&store, &key(Kind::Upstream, "new"), &upstream("new"));
    faults.heal();
    let result = editor.apply(&dry(request([put(&service("s", "new"))]))).await.unwrap();
    assert_eq!(findings(&result.findings), [] as [&str; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_followed_costs_a_bounded_time() {
    let (store, _) = shop();
    let (editor, faults) = faulty(&store);
    faults.on_watch(Mode::Hang);
    editor.apply(&dry(request([]))).await.unwrap();
    write(&store, &key(Kind::Upstream, "new"), &upstream("new"));
    let begin = tokio::time::Instant::now();
    editor.apply(&dry(request([put(&service("s", "new"))]))).await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(11), "{:?}", begin.elapsed());
}

/// A figure for people, printed by `--nocapture`; the bound is loose because tests are not optimised.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_of_one_change_at_ten_thousand_routes_costs_the_change() {
    let (store, editor) = empty();
    write(&store, &key(Kind::Gateway, "edge"), &gateway("edge", 8080));
    for number in 0..1_000 {
        write(&store, &key(Kind::Upstream, &format!("u{number}")), &upstream(&format!("u{number}")));
        let name = format!("s{number}");
        write(&store, &key(Kind::VirtualService, &name), &many_routes(&name, 0));
    }
    let cold = Instant::now();
    editor.apply(&dry(request([]))).await.unwrap();
    let cold = cold.elapsed();
    let mut warm: Vec<_> = Vec::new();
    for turn in 1..=20 {
        let begin = Instant::now();
        let result = editor.apply(&dry(request([put(&many_routes("s500", turn))]))).await.unwrap();
        warm.push(begin.elapsed());
        assert!(
            result.changes[0].diff.contains(&format!("+    - matchers: [{{prefix: /r5/{turn}}}]"))
                || !result.changes[0].diff.is_empty()
        );
    }
    warm.sort();
    eprintln!("10,000 routes: built in {cold:?}, then {:?} median a dry run", warm[10]);
    assert!(warm[10] < cold / 4, "{cold:?} {warm:?}");
}

fn many_routes(name: &str, turn: usize) -> String {
    let mut text = service(name, "u0");
    for route in 0..9 {
        let prefix = if route == 5 { format!("/r{route}/{turn}") } else { format!("/r{route}") };
        write!(
            text,
            "  - matchers: [{{prefix: {prefix}}}]\n    routeAction: {{single: {{upstream: {{name: u{route}, namespace: default}}}}}}\n"
        )
        .expect("writing to a string");
    }
    text.replacen("  - matchers: [{prefix: /}]", "  - matchers: [{prefix: /first}]", 1)
}
