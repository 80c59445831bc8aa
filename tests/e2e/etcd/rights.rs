//! The roles that docs/stores.md gives: each is enough, and with one right less it is said which one is missing.

use anyhow::{Result, ensure};
use biplane_testkit::etcd::{Permission, ROOT_PASSWORD, ROOT_USER};
use biplane_testkit::{Biplane, Etcd, Output, TempDir, biplane, eventually};
use serde_json::Value;

use super::served::{ROOT, leads, options, source_is, url_of};
use super::world::{World, key, service};
use crate::harness::{PATIENCE, status};

const PASSWORD: &str = "the-password-of-all";

/// What a control plane needs.
const SERVES: [(&str, Permission); 4] = [
    ("config/", Permission::Read),
    ("status/", Permission::ReadWrite),
    ("history/", Permission::ReadWrite),
    ("meta/", Permission::ReadWrite),
];

/// What people need who change resources.
const CHANGES: [(&str, Permission); 3] =
    [("config/", Permission::ReadWrite), ("meta/", Permission::ReadWrite), ("history/", Permission::Read)];

/// An etcd with users and a store in it.
struct Guarded {
    etcd: Etcd,
    directory: TempDir,
}

impl Guarded {
    async fn start() -> Self {
        let directory = TempDir::new("rights");
        let etcd = Etcd::builder().auth(true).start(&directory).await;
        let guarded = Self { etcd, directory };
        let init = guarded.command(ROOT_USER, ROOT_PASSWORD, &["init"]).await;
        assert_eq!(init.code, 0, "{init:?}");
        guarded.etcd.put_many(&World::new(3).entries()).await.expect("etcd takes writes");
        guarded
    }

    /// A user with a role of its own.
    async fn user(&self, name: &str, rights: impl IntoIterator<Item = (&str, Permission)>) -> Result<()> {
        self.etcd.user_add(name, PASSWORD).await?;
        self.etcd.role_add(name).await?;
        for (folder, permission) in rights {
            self.etcd.role_grant(name, permission, &format!("{ROOT}/{folder}")).await?;
        }
        self.etcd.user_grant_role(name, name).await
    }

    /// A Biplane in a user's name.
    async fn biplane(&self, user: &str) -> Biplane {
        let options = options(&url_of(&self.etcd)).named(user);
        let options = options.variable("ETCDCTL_USER", user).variable("ETCDCTL_PASSWORD", PASSWORD);
        Biplane::start_with(options, &self.directory).await
    }

    /// A command that goes straight to the store in a user's name.
    async fn command(&self, user: &str, password: &str, arguments: &[&str]) -> Output {
        let url = url_of(&self.etcd);
        let all: Vec<_> = arguments.iter().copied().chain(["--store", &url]).collect();
        biplane::run_with(all, &[("ETCDCTL_USER", user), ("ETCDCTL_PASSWORD", password)], "").await
    }
}

/// All rights but one.
fn without(
    rights: &[(&'static str, Permission)],
    folder: &str,
) -> impl Iterator<Item = (&'static str, Permission)> {
    rights.iter().copied().filter(move |(other, _)| *other != folder)
}

/// Waits for a word about a right that is missing, with what to do about it.
async fn until_told(biplane: &Biplane, what: &str) {
    status::until(biplane, what, |status| {
        status::list(status, "reports").iter().any(|report| {
            let says =
                |field: &str, words: &str| report[field].as_str().is_some_and(|text| text.contains(words));
            says("message", what) && says("message", "this user may not") && says("hint", "grant-permission")
        })
    })
    .await;
}

#[tokio::test]
async fn control_plane_with_the_rights_of_the_docs_serves_leads_and_keeps_history() {
    let guarded = Guarded::start().await;
    guarded.user("biplane", SERVES).await.expect("etcd takes users");
    let biplane = guarded.biplane("biplane").await;
    source_is(&biplane, "complete").await;
    leads(&biplane).await;
    eventually("status and history", PATIENCE, async || {
        let summary = guarded.etcd.get("biplane/status/_summary").await?;
        let versions = guarded.etcd.keys("biplane/history/").await?;
        ensure!(summary.is_some() && versions.len() >= 5, "{summary:?} {versions:?}");
        Ok(())
    })
    .await;
    let status = status::fetch(&biplane).await.expect("a status");
    assert!(!status.to_string().contains("may not"), "{status:#}");
}

#[tokio::test]
async fn control_plane_with_one_right_less_says_which() {
    let guarded = Guarded::start().await;
    for (folder, _) in SERVES {
        let user = format!("no-{}", folder.trim_end_matches('/'));
        guarded.user(&user, without(&SERVES, folder)).await.expect("etcd takes users");
        let mut biplane = guarded.biplane(&user).await;
        // Something to write down, which the one before has not.
        let edit = vec![(key(1), service(1, 2).replace("one", &user))];
        guarded.etcd.put_many(&edit).await.expect("etcd takes writes");
        match folder {
            "config/" => {
                let source = source_is(&biplane, "denied").await;
                assert!(
                    source["hint"].as_str().is_some_and(|hint| hint.contains("grant-permission")),
                    "{source:#}"
                );
            }
            "status/" => until_told(&biplane, "status cannot be written").await,
            "history/" => until_told(&biplane, "versions of objects cannot be kept").await,
            _ => until_told(&biplane, "cannot become the leader").await,
        }
        if folder != "config/" {
            source_is(&biplane, "complete").await;
        }
        biplane.stop().await;
    }
}

#[tokio::test]
async fn control_plane_that_may_only_read_serves_the_same() {
    let guarded = Guarded::start().await;
    guarded.user("reader", SERVES.into_iter().take(1)).await.expect("etcd takes users");
    let biplane = guarded.biplane("reader").await;
    source_is(&biplane, "complete").await;
    let told =
        status::until(&biplane, "that nobody leads", |status| status["leader"]["lastError"].is_string())
            .await;
    assert_eq!(
        (&told["leader"]["name"], &told["leader"]["isMe"]),
        (&Value::Null, &Value::Bool(false)),
        "{told:#}"
    );
    assert_eq!(told["objects"]["VirtualService"], 3, "{told:#}");
}

#[tokio::test]
async fn people_with_the_rights_of_the_docs_change_and_read_and_with_one_less_are_refused() {
    let guarded = Guarded::start().await;
    guarded.user("operator", CHANGES).await.expect("etcd takes users");
    let file = guarded.directory.join("host.yaml");
    std::fs::write(&file, service(9, 1)).expect("the test's directory is writable");
    let file = file.to_str().expect("UTF-8");
    let verbs: [&[&str]; 4] = [
        &["apply", "-f", file],
        &["get", "VirtualService"],
        &["history", "VirtualService", "host-9"],
        &["delete", "VirtualService", "host-9"],
    ];
    for verb in verbs {
        let output = guarded.command("operator", PASSWORD, verb).await;
        assert_eq!(output.code, 0, "{output:?}");
    }
    for (folder, verb) in [("config/", verbs[1]), ("meta/", verbs[0]), ("history/", verbs[2])] {
        let user = format!("people-without-{}", folder.trim_end_matches('/'));
        guarded.user(&user, without(&CHANGES, folder)).await.expect("etcd takes users");
        let output = guarded.command(&user, PASSWORD, verb).await;
        assert_eq!(output.code, 7, "{output:?}");
        assert!(output.stderr.contains("grant-permission"), "{output:?}");
        assert!(!format!("{output:?}").contains(PASSWORD), "{output:?}");
    }
}
