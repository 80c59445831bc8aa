//! docs/deploy/systemd.md, walked on a clean Debian from its first command to its last, with traffic through Envoy, and
//! with the faults in between that a service has to live with.

use std::panic::resume_unwind;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use biplane_testkit::load::Rate;
use biplane_testkit::{Load, Machine, Request, envoy, eventually};

use crate::page::Page;

/// How long systemd and Envoy may take, on a machine that does much else.
const PATIENCE: Duration = Duration::from_mins(1);

/// The unit's patience with a hung process, the time to end it, and ours.
const WATCHDOG: Duration = Duration::from_secs(90);

/// What a restart of the control plane must leave as it was.
const LOSSES: &str = "curl --silent --get --data-urlencode \
                      'filter=(cluster_removed|listener_removed|update_rejected)$' http://127.0.0.1:19000/stats";

const APP: &str = "/etc/biplane/resources/app.yaml";

#[test]
fn long_package_is_installed_reloaded_upgraded_and_purged_as_the_page_says() {
    // A thread of its own: it moves onto the machine's network, and does not come back.
    let walk = thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("epoll");
        runtime.block_on(async {
            let mut world = World::boot().await;
            world.install().await;
            world.first_route().await;
            let load = load(200);
            world.reload().await;
            world.reload_with_mistakes().await;
            world.credentials().await;
            world.kill().await;
            world.starve_the_watchdog().await;
            load.stop().assert_clean();
            world.upgrade_and_back().await;
            world.back_up().await;
            world.remove_and_purge().await;
            world.page.assert_walked();
        });
    });
    walk.join().unwrap_or_else(|panic| resume_unwind(panic));
}

/// The machine and the page.
struct World {
    machine: Machine,
    page: Page,
}

/// Requests through Envoy.
fn load(per_second: u32) -> Load {
    Load::start(8080, vec![Request::get("web", "/")], Rate { per_second, connections: 8 })
}

impl World {
    async fn boot() -> Self {
        let machine = Machine::boot("biplane-deb").await;
        machine.enter_network().expect("root may");
        machine.bring(&packages().join("biplane-earlier.deb"), "/srv/biplane.deb");
        machine.bring(&packages().join("biplane.deb"), "/srv/biplane-new.deb");
        machine.bring(&envoy::binary(), "/usr/local/bin/envoy");
        Self { machine, page: Page::read(include_str!("../../docs/deploy/systemd.md")) }
    }

    /// Runs the next commands of the page below a heading.
    async fn walk(&mut self, heading: &str) -> String {
        let script = self.page.next(heading);
        self.machine.done(heading, &script).await
    }

    async fn install(&mut self) {
        self.walk("Install").await;
        let state = self.machine.run("systemctl is-enabled biplane biplane-envoy").await.expect("it runs");
        assert_eq!(state.stdout, "disabled\ndisabled\n", "nothing runs before somebody wants it");
        let modes =
            self.machine.done("modes", "stat -c '%a %U:%G' /etc/biplane /etc/biplane/biplane.yaml").await;
        assert_eq!(modes, "750 root:biplane\n640 root:biplane\n");
        let exposure =
            "systemd-analyze security --offline=true --threshold=12 /usr/lib/systemd/system/biplane.service";
        self.machine.done("exposure of at most 1.2", exposure).await;
    }

    async fn first_route(&mut self) {
        let said = self.walk("A first route").await;
        assert!(said.ends_with("hello\n"), "{said}");
        self.until_status("serving 1 fleet, 5 objects").await;
    }

    async fn reload(&mut self) {
        self.walk("Change something").await;
        self.until_body("good morning").await;
    }

    /// A mistake in a resource, then one in the settings: the reload fails, says where, and nothing changes.
    async fn reload_with_mistakes(&mut self) {
        let spoil = format!("sed -i s/directResponseAction/directResponse/ {APP}");
        self.refused(&spoil, "reload refused: app.yaml:7: error: VirtualService gloo-system/app").await;
        self.machine.done("repair", &format!("sed -i s/directResponse/directResponseAction/ {APP}")).await;
        let spoil = "echo 'stoer: x' >> /etc/biplane/biplane.yaml";
        self.refused(spoil, "there is no setting \"stoer\"").await;
        self.machine
            .done("repair", "sed -i /stoer/d /etc/biplane/biplane.yaml; systemctl reload biplane")
            .await;
        self.until_status("serving 1 fleet, 5 objects").await;
    }

    async fn refused(&self, spoil: &str, why: &str) {
        let reload = self.machine.run(&format!("{spoil}\nsystemctl reload biplane")).await.expect("it runs");
        assert_eq!(reload.code, 1, "a reload with a mistake fails: {reload:?}");
        self.until_status(why).await;
        assert_eq!(self.show("ActiveState").await, "active");
        assert_eq!(self.body().await.expect("an answer"), "good morning\n");
    }

    async fn credentials(&mut self) {
        self.walk("Credentials").await;
        self.envoy_is_back().await;
        self.until_status("serving 1 fleet, 5 objects").await;
    }

    async fn kill(&self) {
        let (pid, losses) = (self.show("MainPID").await, self.losses().await);
        self.machine.done("kill -9", "systemctl kill --kill-whom=main --signal=KILL biplane").await;
        self.until_another(&pid, PATIENCE).await;
        self.envoy_is_back().await;
        assert_eq!(self.losses().await, losses);
    }

    /// The whole process stands still, as one that hangs.
    async fn starve_the_watchdog(&self) {
        let (pid, losses) = (self.show("MainPID").await, self.losses().await);
        self.machine.done("kill -STOP", "systemctl kill --kill-whom=main --signal=STOP biplane").await;
        self.until_another(&pid, WATCHDOG).await;
        eventually("the reason", PATIENCE, async || {
            let said = self.machine.run("journalctl --output cat --unit biplane").await?.stdout;
            ensure!(said.contains("Watchdog timeout"), "{said}");
            Ok(())
        })
        .await;
        self.envoy_is_back().await;
        assert_eq!(self.losses().await, losses);
    }

    async fn upgrade_and_back(&mut self) {
        let envoy = "systemctl show --property MainPID --value biplane-envoy";
        let (same, losses) = (self.machine.done("Envoy's pid", envoy).await, self.losses().await);
        let load = load(500);
        for version in ["0.1.0-1", "0.0.9-1"] {
            let pid = self.show("MainPID").await;
            self.walk("Upgrade, and back").await;
            self.until_another(&pid, PATIENCE).await;
            self.envoy_is_back().await;
            assert_eq!(self.machine.done("version", "dpkg-query -W -f '${Version}' biplane").await, version);
        }
        load.stop().assert_clean();
        assert_eq!(self.losses().await, losses);
        assert_eq!(self.machine.done("Envoy's pid", envoy).await, same, "an upgrade restarts no Envoy");
        self.machine.done("another edit", &format!("sed -i 's/good morning/good evening/' {APP}")).await;
        self.until_body("good evening").await;
    }

    async fn back_up(&mut self) {
        self.walk("Backup").await;
        let held = self.machine.done("the backup", "tar -tzf /var/backups/biplane.tar.gz").await;
        for path in ["etc/biplane/resources/web.yaml", "etc/default/biplane\n", "var/lib/biplane/snapshot-"] {
            assert!(held.contains(path), "{path} is not in the backup:\n{held}");
        }
    }

    async fn remove_and_purge(&mut self) {
        self.walk("Remove").await;
        eventually("Envoy has taken leave", PATIENCE, async || {
            let said = self.machine.run("journalctl --output cat --unit biplane-envoy").await?.stdout;
            ensure!(said.contains("drained, nothing is under way"), "{said}");
            Ok(())
        })
        .await;
        let left = "test -e /etc/biplane/biplane.yaml; test -d /var/lib/biplane; test ! -e /usr/bin/biplane";
        self.machine.done("settings and state stay", left).await;
        self.walk("Remove").await;
        let left = "test ! -e /var/lib/biplane; test ! -e /etc/biplane/biplane.yaml; test ! -e /etc/default/biplane; \
                    test ! -e /etc/systemd/system/multi-user.target.wants/biplane.service; test -e";
        self.machine.done("only what people wrote stays", &format!("{left} {APP}")).await;
        let failed = self
            .machine
            .done("neither has failed", "systemctl list-units --failed --no-legend 'biplane*'")
            .await;
        assert_eq!(failed, "");
    }

    async fn show(&self, property: &str) -> String {
        let show = format!("systemctl show --property {property} --value biplane");
        self.machine.done(property, &show).await.trim().to_owned()
    }

    async fn until_status(&self, text: &str) {
        eventually(text, PATIENCE, async || {
            let status = self.show("StatusText").await;
            ensure!(status.contains(text), "{status}");
            Ok(())
        })
        .await;
    }

    /// Until another process serves.
    async fn until_another(&self, pid: &str, patience: Duration) {
        eventually("another process", patience, async || {
            let (now, state) = (self.show("MainPID").await, self.show("ActiveState").await);
            ensure!(now != pid && now != "0" && state == "active", "{now}, {state}");
            Ok(())
        })
        .await;
    }

    async fn body(&self) -> Result<String> {
        Ok(Request::get("web", "/").send(8080).await?.text())
    }

    async fn until_body(&self, text: &str) {
        eventually(text, PATIENCE, async || {
            let body = self.body().await?;
            ensure!(body.trim() == text, "{body}");
            Ok(())
        })
        .await;
    }

    /// Until the Envoy has all that the process serves now.
    async fn envoy_is_back(&self) {
        eventually("the Envoy is back", PATIENCE, async || {
            let status = self.machine.run("biplane status --output json").await?.stdout;
            let status: serde_json::Value = serde_json::from_str(&status)?;
            let nodes = &status["nodes"];
            ensure!(nodes[0]["inSync"] == true && nodes[1].is_null(), "{nodes}");
            Ok(())
        })
        .await;
    }

    async fn losses(&self) -> String {
        let losses = self.machine.done("Envoy's statistics", LOSSES).await;
        assert!(losses.contains("cluster_removed"), "{losses}");
        losses
    }
}

/// Where the packages are.
fn packages() -> PathBuf {
    let named = std::env::var_os("BIPLANE_DEBS").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = named
        .expect("BIPLANE_DEBS names the folder of the packages; `cargo xtask test long_package` makes them");
    assert!(folder.join("biplane.deb").is_file(), "there is no biplane.deb in {}", folder.display());
    folder
}
