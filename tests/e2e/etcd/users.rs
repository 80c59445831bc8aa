//! Users and roles: tokens that run out, members that forget them, a right that is taken away and given back.

use std::time::Duration;

use anyhow::ensure;
use biplane_testkit::etcd::Permission;
use biplane_testkit::{Authority, Etcd, throughout};

use super::served::{QUICK, Served, leads, options, url};
use crate::harness::Tree;

const USER: &str = "edge";
const PASSWORD: &str = "the-edge-password";
/// How long a token lives.
const TOKEN: Duration = Duration::from_secs(2);

/// Three members that ask who comes, and a user who may do everything below the store's root.
async fn with_users() -> Served {
    let tree = Tree::new();
    let etcd = Etcd::builder().members(3).auth(true).auth_token_ttl(TOKEN).start(&tree.directory).await;
    let granted = async {
        etcd.user_add(USER, PASSWORD).await?;
        etcd.role_add(USER).await?;
        etcd.role_grant(USER, Permission::ReadWrite, "biplane/").await?;
        etcd.user_grant_role(USER, USER).await
    };
    granted.await.expect("etcd takes users");
    let password = tree.directory.join("password");
    std::fs::write(&password, PASSWORD).expect("the test's directory is writable");
    let addresses: Vec<_> = (0..3).map(|member| etcd.address(member)).collect();
    let settings = format!("{QUICK}&user={USER}&passwordFile={}", password.display());
    let options = options(&url(&addresses, &settings));
    Served::on(tree, etcd, &options, 20).await
}

/// Ends all members and starts them again: they know no tokens and have no watches any more.
async fn forget(etcd: &mut Etcd) {
    (0..3).for_each(|member| etcd.kill(member));
    (0..3).for_each(|member| etcd.start_again(member));
    etcd.ready().await;
}

#[tokio::test]
async fn token_that_runs_out_and_members_that_forget_it_are_no_event() {
    let mut served = with_users().await;
    let traffic = served.traffic().await;
    throughout("a source that is complete", TOKEN * 2, async || {
        let status = crate::harness::status::fetch(&served.site.biplane).await?;
        ensure!(status["sources"][0]["state"] == "complete", "{:#}", status["sources"]);
        Ok(())
    })
    .await;
    let edits = served.world.edit(0..5);
    served.write(&edits).await;
    served.live().await;
    for member in 0..3 {
        served.etcd.kill(member);
        served.etcd.start_again(member);
        served.etcd.ready().await;
        let edits = served.world.edit(member..member + 5);
        served.write(&edits).await;
        served.live().await;
    }
    leads(&served.site.biplane).await;
    served.unharmed(traffic).await;
}

#[tokio::test]
async fn role_that_is_revoked_changes_nothing_and_one_that_is_given_back_is_enough() {
    let mut served = with_users().await;
    leads(&served.site.biplane).await;
    let traffic = served.traffic().await;
    served.etcd.role_revoke(USER, "biplane/").await.expect("etcd takes grants");
    // A watch that is open is not asked again who it is.
    forget(&mut served.etcd).await;
    let source = served.until_state("denied").await;
    let hint = source["hint"].as_str().unwrap_or_default();
    assert!(hint.contains("grant-permission") && hint.contains("biplane/"), "{source:#}");
    let before = served.world.remember();
    let edits = served.world.edit(0..10);
    served.write(&edits).await;
    let after = served.world.remember();
    served.world.go_back(before);
    served.stays().await;
    let ready = served.site.biplane.get("/ready").await.expect("an answer");
    assert_eq!(ready.status, 200, "it serves, so it is ready");
    let check = served.command(&["check"]).await;
    assert_ne!(check.code, 0, "{check:?}");
    assert!(
        check.stdout.contains("grant-permission") || check.stderr.contains("grant-permission"),
        "{check:?}"
    );

    let granted = served.etcd.role_grant(USER, Permission::ReadWrite, "biplane/").await;
    granted.expect("etcd takes grants");
    served.world.go_back(after);
    served.live().await;
    served.until_state("complete").await;
    leads(&served.site.biplane).await;
    served.unharmed(traffic).await;
}

#[tokio::test]
async fn password_that_is_changed_is_read_anew_from_its_file() {
    let mut served = with_users().await;
    let traffic = served.traffic().await;
    served.etcd.user_password(USER, "another").await.expect("etcd takes passwords");
    forget(&mut served.etcd).await;
    let source = served.until_state("denied").await;
    assert!(!source.to_string().contains(PASSWORD), "{source:#}");
    std::fs::write(served.site.directory.join("password"), "another").expect("it is ours");
    served.until_state("complete").await;
    let edits = served.world.edit(0..5);
    served.write(&edits).await;
    served.live().await;
    served.unharmed(traffic).await;
}

#[tokio::test]
async fn etcd_that_asks_for_certificates_is_served_from_like_any_other() {
    let (tree, authority) = (Tree::new(), Authority::new("Ours"));
    let etcd = Etcd::builder().members(3).mutual_tls(&authority).start(&tree.directory).await;
    let client = authority.issue(&["edge"]);
    let write = |name: &str, text: &str| {
        let path = tree.directory.join(name);
        std::fs::write(&path, text).expect("the test's directory is writable");
        path.display().to_string()
    };
    let files = [
        format!("caFile={}", write("ca.pem", authority.certificate())),
        format!("certFile={}", write("cert.pem", &client.certificate)),
        format!("keyFile={}", write("key.pem", &client.key)),
    ];
    let addresses: Vec<_> = (0..3).map(|member| etcd.address(member)).collect();
    let url = url(&addresses, &format!("{QUICK}&{}", files.join("&"))).replace("etcd://", "etcds://");
    let mut served = Served::on(tree, etcd, &options(&url), 5).await;
    let traffic = served.traffic().await;
    served.etcd.kill(0);
    served.etcd.kill(1);
    served.until_state("failed").await;
    served.etcd.start_again(0);
    served.etcd.start_again(1);
    served.etcd.ready().await;
    let edits = served.world.edit(0..3);
    served.write(&edits).await;
    served.live().await;
    served.unharmed(traffic).await;
}
