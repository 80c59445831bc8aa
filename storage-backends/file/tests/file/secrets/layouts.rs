//! How real tools lay secrets out and replace them: each replacement is told once, whole, and nothing between.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use biplane_source::{Listing, SecretSource as _};

use super::harness::{Secrets, owned, values};

/// Everything that a certificate consists of, as of one version.
fn pem(version: &str) -> (String, String) {
    let block = |label: &str| format!("-----BEGIN {label}-----\n{version}\n-----END {label}-----\n");
    (block("CERTIFICATE"), block("PRIVATE KEY"))
}

/// As certbot does it: new files in the archive, one after another, and then link by link.
fn certbot_renews(secrets: &Secrets, number: usize) {
    let (archive, live) = (secrets.aside.join("archive/web"), secrets.at("live/web"));
    fs::create_dir_all(&archive).expect("create");
    fs::create_dir_all(&live).expect("create");
    let kinds = ["cert", "chain", "fullchain", "privkey"];
    for kind in kinds {
        fs::write(archive.join(format!("{kind}{number}.pem")), format!("{kind} {number}")).expect("write");
    }
    for kind in kinds {
        let link = live.join(format!("{kind}.pem"));
        if link.is_symlink() {
            fs::remove_file(&link).expect("remove");
        }
        symlink(format!("../../../aside/archive/web/{kind}{number}.pem"), link).expect("link");
    }
}

fn certbot_fields(number: usize) -> [(&'static str, String); 4] {
    [("cert.pem", "cert"), ("chain.pem", "chain"), ("fullchain.pem", "fullchain"), ("privkey.pem", "privkey")]
        .map(|(name, kind)| (name, format!("{kind} {number}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certbots_live_links_into_an_archive_beside_are_followed() {
    let secrets = Secrets::new();
    certbot_renews(&secrets, 1);
    let mut web = secrets.watch("live/web");
    for number in 1..=3 {
        if number > 1 {
            certbot_renews(&secrets, number);
        }
        let fields = certbot_fields(number);
        web.expect(&fields.each_ref().map(|(name, value)| (*name, value.as_str()))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_that_is_switched_by_its_data_link_is_told_once() {
    let secrets = Secrets::new();
    for version in ["1", "2"] {
        secrets.write(&[
            (&format!("web/..v{version}/tls.crt"), &format!("certificate {version}")),
            (&format!("web/..v{version}/tls.key"), &format!("key {version}")),
        ]);
    }
    symlink("..v1", secrets.at("web/..data")).expect("link");
    symlink("..data/tls.crt", secrets.at("web/tls.crt")).expect("link");
    symlink("..data/tls.key", secrets.at("web/tls.key")).expect("link");
    let mut web = secrets.watch("web");
    web.expect(&[("tls.crt", "certificate 1"), ("tls.key", "key 1")]).await;
    secrets.swing(&secrets.at("web/..data"), "..v2");
    fs::remove_dir_all(secrets.at("web/..v1")).expect("remove");
    web.expect(&[("tls.crt", "certificate 2"), ("tls.key", "key 2")]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_that_is_a_link_to_a_release_is_followed() {
    let secrets = Secrets::new();
    secrets.write(&[("release-1/web/key", "old"), ("release-2/web/key", "new"), ("release-3/api/key", "1")]);
    symlink("release-1", secrets.at("current")).expect("link");
    let source = super::harness::open(&secrets.at("current"));
    let mut web = super::harness::Follower::of(&source, "web");
    web.expect(&[("key", "old")]).await;
    secrets.swing(&secrets.at("current"), "release-2");
    web.expect(&[("key", "new")]).await;
    secrets.swing(&secrets.at("current"), "release-3");
    assert_eq!(web.next().await, Listing::Complete(None));
}

type Save = fn(&Secrets, &str);

/// Ways to replace the certificate and the key below `web`, both of the version that is given.
const SAVES: [(&str, Save); 6] = [
    ("one after another in place, by a process each", one_after_another),
    ("renamed over (lego, consul-template, vault agent)", renamed_over),
    ("sed -i", sed_in_place),
    ("an editor with a backup", with_a_backup),
    ("in small chunks", in_chunks),
    ("removed, then written", removed_first),
];

const FILES: [(&str, &str); 2] = [("tls.crt", "certificate"), ("tls.key", "key")];

fn one_after_another(secrets: &Secrets, version: &str) {
    for (name, what) in FILES {
        let script = format!("printf '%s' '{what} {version}' > '{name}'");
        Command::new("sh").args(["-c", &script]).current_dir(secrets.at("web")).status().expect("sh runs");
    }
}

fn renamed_over(secrets: &Secrets, version: &str) {
    for (name, what) in FILES {
        let beside = secrets.at("web").join(format!(".{name}.tmp"));
        fs::write(&beside, format!("{what} {version}")).expect("write");
        fs::rename(beside, secrets.at("web").join(name)).expect("rename");
    }
}

fn sed_in_place(secrets: &Secrets, version: &str) {
    let script = format!("s/ .*/ {version}/");
    let sed = Command::new("sed")
        .args(["-i", &script, "tls.crt", "tls.key"])
        .current_dir(secrets.at("web"))
        .status()
        .expect("sed runs");
    assert!(sed.success());
}

fn with_a_backup(secrets: &Secrets, version: &str) {
    for (name, what) in FILES {
        let file = secrets.at("web").join(name);
        fs::rename(&file, secrets.at("web").join(format!("{name}~"))).expect("rename");
        fs::write(file, format!("{what} {version}")).expect("write");
    }
}

fn in_chunks(secrets: &Secrets, version: &str) {
    for (name, what) in FILES {
        let mut file = File::create(secrets.at("web").join(name)).expect("create");
        for chunk in format!("{what} {version}").as_bytes().chunks(2) {
            file.write_all(chunk).expect("write");
            sleep(Duration::from_millis(20));
        }
    }
}

fn removed_first(secrets: &Secrets, version: &str) {
    for (name, _) in FILES {
        fs::remove_file(secrets.at("web").join(name)).expect("remove");
    }
    for (name, what) in FILES {
        fs::write(secrets.at("web").join(name), format!("{what} {version}")).expect("write");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_to_replace_a_pair_is_told_once_and_whole() {
    for (way, save) in SAVES {
        let secrets = Secrets::new();
        secrets.write(&[("web/tls.crt", "certificate old"), ("web/tls.key", "key old")]);
        let mut web = secrets.watch("web");
        web.expect(&[("tls.crt", "certificate old"), ("tls.key", "key old")]).await;
        save(&secrets, "new");
        let Listing::Complete(Some(told)) = web.next().await else { panic!("{way}: {:?}", web.told) };
        assert_eq!(values(&told), owned(&[("tls.crt", "certificate new"), ("tls.key", "key new")]), "{way}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_open_for_writing_is_waited_for() {
    let secrets = Secrets::new();
    secrets.write(&[("web/password", "old")]);
    let mut web = secrets.watch("web");
    web.expect(&[("password", "old")]).await;
    let mut file = File::create(secrets.at("web/password")).expect("create");
    file.write_all(b"ne").expect("write");
    secrets.write(&[("web/user", "me")]);
    let writer = std::thread::spawn(move || {
        sleep(Duration::from_millis(600));
        file.write_all(b"w").expect("write");
    });
    web.expect(&[("password", "new"), ("user", "me")]).await;
    writer.join().expect("it writes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_file_in_pem_is_a_certificate_with_its_key_and_follows_renames() {
    let secrets = Secrets::new();
    let ((old, old_key), (new, new_key)) = (pem("old"), pem("new"));
    secrets.write(&[("web.pem", &format!("{old}{old_key}"))]);
    let mut web = secrets.watch("web.pem");
    web.expect(&[("certChain", &old), ("privateKey", &old_key)]).await;
    let beside = secrets.fresh();
    fs::write(&beside, format!("{new_key}{new}")).expect("write");
    fs::rename(beside, secrets.at("web.pem")).expect("rename");
    web.expect(&[("certChain", &new), ("privateKey", &new_key)]).await;
    fs::remove_file(secrets.at("web.pem")).expect("remove");
    assert_eq!(web.next().await, Listing::Complete(None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_given_as_they_are_and_only_hidden_files_backups_and_directories_are_left_out() {
    let secrets = Secrets::new();
    secrets.write(&[
        ("web/tls.crt", "1"),
        ("web/X-Api-Key", "2"),
        ("web/.hidden", "no"),
        ("web/tls.crt~", "no"),
        ("web/deep/key", "another secret's"),
    ]);
    assert_eq!(secrets.values("web").await, owned(&[("tls.crt", "1"), ("X-Api-Key", "2")]));
    assert_eq!(secrets.values("web/deep").await, owned(&[("key", "another secret's")]));
    assert_eq!(secrets.values("./web//deep/").await, owned(&[("key", "another secret's")]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_one_secret_is_told_to_nobody_else() {
    let secrets = Secrets::new();
    secrets.write(&[("web/key", "1"), ("api/key", "1")]);
    let (mut web, mut api) = (secrets.watch("web"), secrets.watch("api"));
    web.expect(&[("key", "1")]).await;
    api.expect(&[("key", "1")]).await;
    secrets.write(&[("web/key", "2")]);
    web.expect(&[("key", "2")]).await;
    secrets.write(&[("api/key", "3")]);
    api.expect(&[("key", "3")]).await;
    assert_eq!((web.told.len(), api.told.len()), (2, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_may_come_with_the_directories_above_it() {
    let secrets = Secrets::new();
    let mut web = secrets.watch("team/edge/web");
    assert_eq!(web.next().await, Listing::Complete(None));
    secrets.write(&[("team/edge/web/key", "1")]);
    web.expect(&[("key", "1")]).await;
    fs::rename(secrets.at("team"), secrets.fresh()).expect("rename");
    assert_eq!(web.next().await, Listing::Complete(None));
    secrets.write(&[("team/edge/web/key", "2")]);
    web.expect(&[("key", "2")]).await;
    secrets.source.refresh();
    secrets.write(&[("team/edge/web/key", "3")]);
    web.expect(&[("key", "3")]).await;
}
