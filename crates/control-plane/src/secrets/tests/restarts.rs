//! What a restart finds of secrets on disk.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_the_last_run_got_is_served_before_any_source_has_answered() {
    let mut world = World::of(IN_VAULT);
    let pair = pair(2000);
    world.tell(Listing::Complete(Some(pair.clone())));
    let kept = world.secrets.kept();
    let mut next = World::new(kept.clone());
    next.edit(put(IN_VAULT));
    next.name(true);
    assert_eq!(next.chain(), Some(chain_of(&pair)));
    assert!(next.secrets.awaited().is_empty());
    let known = next.secrets.wanted().get(&name()).unwrap().0.known.clone();
    assert_eq!(known.as_deref(), Some(&pair), "the source is told what is known already");
    // Of another question the answer is worth nothing.
    let mut other = World::new(kept);
    other.edit(put("vault: {source: vault, kv: {path: elsewhere}}\n"));
    other.name(true);
    assert!(!other.is_served());
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_for_another_question_stays_until_this_one_is_answered() {
    let mut world = World::of(IN_VAULT);
    world.tell(Listing::Complete(Some(pair(2000))));
    let mut next = World::new(world.secrets.kept());
    next.edit(put("vault: {source: misspelt, kv: {path: teams/web}}\n"));
    next.name(true);
    assert!(!next.is_served());
    assert_eq!(next.secrets.kept().len(), 1);
    next.edit(put(IN_VAULT));
    assert!(next.is_served());
    assert_eq!(next.secrets.kept().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_versions_before_have_kept_is_served_and_kept_under_the_new_spelling() {
    let mut world = World::of(IN_VAULT);
    let pair = pair(2000);
    world.tell(Listing::Complete(Some(pair.clone())));
    world.edit(put(ELSEWHERE[0]));
    let kept = world.secrets.kept();
    let asked = |kept: &[KeptSecret]| kept[0].held.as_ref().map(|held| held.asked.clone());
    let mut old = kept.clone();
    old[0].held.as_mut().unwrap().asked =
        r#"vault Some("vault") Some(VaultKv { mount: None, path: "elsewhere", version: None }) None None"#
            .into();
    let mut next = World::new(old);
    next.edit(put(ELSEWHERE[0]));
    next.name(true);
    assert_eq!(next.chain(), Some(chain_of(&pair)));
    assert_eq!(asked(&next.secrets.kept()), asked(&kept));

    world.edit(put(IN_VAULT));
    world.tell(Listing::Complete(Some(pair.clone())));
    let kept = world.secrets.kept();
    let question = |kept: &[KeptSecret]| kept[0].answer.as_ref().map(|answer| answer.question.clone());
    let mut old = kept.clone();
    old[0].answer.as_mut().unwrap().question =
        r#"vault Kv(VaultKv { mount: None, path: "teams/web", version: None })"#.into();
    let mut next = World::new(old);
    next.edit(put(IN_VAULT));
    next.name(true);
    assert_eq!(next.chain(), Some(chain_of(&pair)));
    assert_eq!(question(&next.secrets.kept()), question(&kept));
}

/// What an object is edited to, after which it stays as it was until the new place has answered.
const ELSEWHERE: [&str; 3] = [
    "vault: {source: vault, kv: {path: elsewhere}}\n",
    "vault: {source: misspelt, kv: {path: teams/web}}\n",
    "vault: {source: vault, kv: {path: teams/web}, fields: {privateKey: not-there}}\n",
];

#[tokio::test(start_paused = true)]
async fn what_stays_in_use_until_another_place_has_answered_survives_restarts() {
    let pair = pair(2000);
    for yaml in ELSEWHERE {
        let mut world = World::of(IN_VAULT);
        world.tell(Listing::Complete(Some(pair.clone())));
        world.edit(put(yaml));
        let mut next = world.restarted(yaml).restarted(yaml);
        assert_eq!(next.chain(), Some(chain_of(&pair)), "{yaml}");
        assert!(next.secrets.awaited().is_empty(), "first answers need not wait: {yaml}");
        next.edit(put(IN_VAULT));
        assert_eq!(next.chain(), Some(chain_of(&pair)), "back again: {yaml}");
    }
}

#[tokio::test(start_paused = true)]
async fn values_of_the_object_stay_over_a_restart_until_the_place_that_took_theirs_has_answered() {
    let (first, second) = (pair(2000), pair(2000));
    let mut world = World::of(&inline(&first));
    world.edit(put(IN_VAULT));
    let mut next = world.restarted(IN_VAULT);
    assert_eq!(next.chain(), Some(chain_of(&first)));
    next.tell(Listing::Complete(Some(second.clone())));
    assert_eq!(next.chain(), Some(chain_of(&second)));
    assert_eq!(next.restarted(IN_VAULT).chain(), Some(chain_of(&second)));
}

#[tokio::test(start_paused = true)]
async fn what_stayed_in_use_is_not_served_for_an_object_that_was_edited_while_nobody_looked() {
    let mut world = World::of(IN_VAULT);
    world.tell(Listing::Complete(Some(pair(2000))));
    world.edit(put(ELSEWHERE[0]));
    assert!(!world.restarted("vault: {source: vault, kv: {path: a-third}}\n").is_served());
}

#[tokio::test(start_paused = true)]
async fn values_of_the_object_that_may_not_replace_what_is_served_do_not_by_a_restart() {
    let (good, expired) = (pair(2000), pair(1901));
    let mut world = World::of(&inline(&good));
    world.edit(put(&inline(&expired)));
    assert_eq!(world.chain(), Some(chain_of(&good)));
    let next = world.restarted(&inline(&expired));
    assert_eq!((next.chain(), next.said()), (Some(chain_of(&good)), world.said()));
}

/// A secret of which a root rotates, and the object that it is in: in Vault, or values of its own.
fn rotating(in_vault: bool) -> (World, String, [source::Secret; 2]) {
    let (before, after) = (issued(&authority("old")), issued(&authority("new")));
    if !in_vault {
        let mut world = World::of(&inline(&before));
        world.edit(put(&inline(&after)));
        return (world, inline(&after), [before, after]);
    }
    let mut world = World::of(IN_VAULT);
    world.tell(Listing::Complete(Some(before.clone())));
    world.tell(Listing::Complete(Some(after.clone())));
    (world, IN_VAULT.to_owned(), [before, after])
}

#[tokio::test(start_paused = true)]
async fn certificate_that_waits_for_its_roots_waits_over_a_restart() {
    for in_vault in [true, false] {
        let (world, yaml, [before, after]) = rotating(in_vault);
        assert_eq!((world.chain(), world.roots()), (Some(chain_of(&before)), 2));
        let mut next = world.restarted(&yaml).restarted(&yaml);
        assert_eq!((next.chain(), next.roots()), (Some(chain_of(&before)), 2), "in Vault: {in_vault}");
        assert!(next.secrets.is_spreading());
        if in_vault {
            next.tell(Listing::Complete(Some(after.clone())));
            assert_eq!((next.chain(), next.roots()), (Some(chain_of(&before)), 2));
        }
        while next.secrets.is_spreading() {
            next.until_due();
        }
        assert_eq!((next.chain(), next.roots()), (Some(chain_of(&after)), 2));
        next.until_due();
        assert_eq!((next.chain(), next.roots()), (Some(chain_of(&after)), 1));
    }
}

#[tokio::test(start_paused = true)]
async fn old_roots_stay_over_a_restart() {
    for in_vault in [true, false] {
        let (mut world, yaml, [_, after]) = rotating(in_vault);
        world.until_due();
        assert_eq!((world.chain(), world.roots()), (Some(chain_of(&after)), 2));
        let mut next = world.restarted(&yaml);
        assert_eq!((next.chain(), next.roots()), (Some(chain_of(&after)), 2), "in Vault: {in_vault}");
        while next.secrets.deadline(next.now).is_some() {
            next.until_due();
        }
        assert_eq!((next.chain(), next.roots()), (Some(chain_of(&after)), 1));
        assert!(next.secrets.kept().iter().all(|kept| kept.held.is_none()), "it is over on disk too");
    }
}

#[tokio::test(start_paused = true)]
async fn confirmations_count_once_envoys_have_had_time_to_come_back() {
    let (before, after) = (issued(&authority("old")), issued(&authority("new")));
    let mut world = World::of(IN_VAULT);
    world.tell(Listing::Complete(Some(before.clone())));
    let mut next = world.restarted(IN_VAULT);
    let began = next.now;
    next.tell(Listing::Complete(Some(after.clone())));
    while next.secrets.is_spreading() {
        assert_eq!(next.chain(), Some(chain_of(&before)));
        next.until_due();
    }
    assert_eq!(next.chain(), Some(chain_of(&after)));
    assert_eq!(next.now - began, Duration::from_secs(30));
}
