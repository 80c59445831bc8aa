//! The testkit's etcd: what every test of the etcd store relies on.

use std::time::Duration;

use biplane_testkit::etcd::{Permission, Revisions};
use biplane_testkit::{Authority, Etcd, TempDir, eventually};

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn one_member_takes_writes_and_keeps_them_over_a_kill() {
    let directory = TempDir::new("etcd");
    let mut etcd = Etcd::start(&directory).await;
    etcd.put("a/1", "--- looks like a flag\nand has two lines\n").await.expect("written");
    let many: Vec<_> = (0..250).map(|n| (format!("b/{n:03}"), format!("\"{n}\" 'é'\n"))).collect();
    etcd.put_many(&many).await.expect("written");
    assert_eq!(etcd.keys("b/").await.expect("listed").len(), 250);
    assert_eq!(etcd.get("b/007").await.expect("read").as_deref(), Some("\"7\" 'é'\n"));
    assert_eq!(etcd.get("b/").await.expect("read"), None);

    etcd.kill(0);
    etcd.start_again(0);
    etcd.ready().await;

    let value = etcd.get("a/1").await.expect("read");
    assert_eq!(value.as_deref(), Some("--- looks like a flag\nand has two lines\n"));
    assert_eq!(etcd.delete_prefix("b/").await.expect("deleted"), 250);
    assert!(etcd.compact_to_head().await.expect("compacted") > 3);
    let old = etcd.ctl(["get", "a/1", "--rev=2"]).await.success().expect_err("compacted");
    assert!(old.to_string().contains("compacted"), "{old}");
}

#[tokio::test]
async fn a_cluster_elects_another_leader_when_its_own_stands_still() {
    let directory = TempDir::new("etcd");
    let mut etcd = Etcd::builder().members(3).start(&directory).await;
    let first = etcd.leader().await.expect("a leader");
    etcd.pause(first).await;
    let second = eventually("another leader", PATIENCE, async || etcd.leader().await).await;
    assert_ne!(first, second);
    etcd.put("key", "value").await.expect("two of three are enough");
    etcd.resume(first);
    etcd.ready().await;
    assert_eq!(etcd.get_at(first, "key").await.expect("read").as_deref(), Some("value"));
    assert_eq!(etcd.leader().await.expect("a leader"), second);
    assert_eq!(etcd.endpoints().len(), 3);
}

#[tokio::test]
async fn users_may_do_what_their_roles_let_them_over_mutual_tls() {
    let directory = TempDir::new("etcd");
    let authority = Authority::new("etcd authority");
    let etcd = Etcd::builder().auth(true).mutual_tls(&authority).start(&directory).await;
    etcd.put("ours/key", "value").await.expect("root may write");
    etcd.user_add("reader", "secret").await.expect("added");
    etcd.role_add("read-ours").await.expect("added");
    etcd.role_grant("read-ours", Permission::Read, "ours/").await.expect("granted");
    etcd.user_grant_role("reader", "read-ours").await.expect("granted");

    let read = async || etcd.ctl_as("reader", "secret", ["get", "ours/key", "--print-value-only"]).await;
    assert_eq!(read().await.success().expect("may read"), "value\n");
    let write = etcd.ctl_as("reader", "secret", ["put", "ours/key", "other"]).await;
    assert!(write.stderr.contains("permission denied"), "{write:?}");

    etcd.role_revoke("read-ours", "ours/").await.expect("revoked");
    assert!(read().await.stderr.contains("permission denied"));
    etcd.user_password("reader", "changed").await.expect("changed");
    assert!(read().await.stderr.contains("authentication failed"));
    assert!(etcd.endpoints()[0].starts_with("https://"));
}

#[tokio::test]
async fn a_full_quota_raises_an_alarm_that_can_be_disarmed() {
    let directory = TempDir::new("etcd");
    let etcd = Etcd::builder().quota_bytes(16 << 20).start(&directory).await;
    let value = "x".repeat(1 << 20);
    eventually("the quota's end", PATIENCE, async || {
        let answer = etcd.ctl_with(["put", "fill"], &value).await;
        anyhow::ensure!(answer.stderr.contains("database space exceeded"), "{answer:?}");
        Ok(())
    })
    .await;
    assert!(etcd.alarm_list().await.expect("listed")[0].contains("NOSPACE"));
    assert!(etcd.get("fill").await.expect("reads go on").is_some());

    etcd.compact_to_head().await.expect("compacted");
    etcd.defragment().await.expect("defragmented");
    etcd.alarm_disarm().await.expect("disarmed");
    assert!(etcd.alarm_list().await.expect("listed").is_empty());
    etcd.put("fill", "little").await.expect("writes go on");
}

#[tokio::test]
async fn data_put_back_is_older_data_under_the_same_address() {
    let directory = TempDir::new("etcd");
    let mut etcd = Etcd::start(&directory).await;
    etcd.put("kept", "1").await.expect("written");
    let backup = directory.join("backup");
    etcd.copy_data(&backup).await.expect("copied");
    etcd.put("lost", "2").await.expect("written");
    let (revision, address) = (etcd.revision().await.expect("known"), etcd.address(0));

    etcd.restore_data(&backup).await.expect("restored");

    assert_eq!(etcd.keys("").await.expect("listed"), ["kept"]);
    assert!(etcd.revision().await.expect("known") < revision);
    assert_eq!(etcd.address(0), address);
}

#[tokio::test]
async fn a_restored_snapshot_goes_back_or_is_raised_beyond_what_clients_have_seen() {
    let directory = TempDir::new("etcd");
    let mut etcd = Etcd::builder().members(3).start(&directory).await;
    etcd.put("kept", "1").await.expect("written");
    let snapshot = directory.join("snapshot.db");
    etcd.snapshot_save(&snapshot).await.expect("saved");
    etcd.put("lost", "2").await.expect("written");
    let (revision, cluster) =
        (etcd.revision().await.expect("known"), etcd.cluster_id().await.expect("known"));

    etcd.snapshot_restore(&snapshot, Revisions::GoBack).await.expect("restored");
    assert_eq!(etcd.keys("").await.expect("listed"), ["kept"]);
    assert!(etcd.revision().await.expect("known") < revision);
    assert_eq!(etcd.cluster_id().await.expect("known"), cluster, "it does not tell");

    etcd.snapshot_restore(&snapshot, Revisions::Bumped).await.expect("restored");
    assert!(etcd.revision().await.expect("known") > revision);
    let old = etcd.ctl(["get", "kept", &format!("--rev={revision}")]).await;
    assert!(old.stderr.contains("compacted"), "{old:?}");
}
