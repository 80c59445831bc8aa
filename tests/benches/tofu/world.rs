//! An etcd, a Biplane that takes changes, and a folder that OpenTofu works in.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use biplane_testkit::{Biplane, Etcd, Output, TempDir, Tofu, biplane};

use crate::Run;
use crate::configuration::{Shape, module};

/// What cargo says that the provider's version is: the one of the workspace.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What every module that has resources says.
const SOURCE: &str =
    "terraform {\n  required_providers {\n    biplane = { source = \"biplane/biplane\" }\n  }\n}\n";

/// All of it.
pub(crate) struct World {
    biplane: Biplane,
    etcd: Etcd,
    tofu: Tofu,
    /// Goes last.
    _directory: TempDir,
}

impl World {
    /// Starts it with an empty store.
    pub(crate) async fn start() -> Result<Self> {
        let directory = TempDir::new("bench-tofu");
        let etcd = Etcd::start(&directory).await;
        let store = format!("etcd://{}/biplane", etcd.address(0));
        biplane::run_with(["init", "--store", &store], &[], "").await.success()?;
        let options = biplane::Options::store(&store).arguments(["--admin-anonymous-write=on"]);
        let biplane = Biplane::start_with(options, &directory).await;
        let tofu = Tofu::open(&directory, VERSION);
        let provider = format!("provider \"biplane\" {{\n  address = \"http://{}\"\n}}\n", biplane.admin());
        tofu.write("provider.tf", &format!("{SOURCE}{provider}"));
        fs::create_dir_all(tofu.folder().join("pair"))?;
        tofu.write("pair/main.tf", &format!("{SOURCE}{}", module()));
        Ok(Self { biplane, etcd, tofu, _directory: directory })
    }

    /// What is applied from now on.
    pub(crate) async fn takes(&mut self, shape: Shape, pairs: usize) {
        self.tofu.write("main.tf", &shape.text(pairs));
        self.tofu.works(&["init"]).await;
    }

    /// Applies, plans again, and destroys, by so many workers.
    pub(crate) async fn run(&self, workers: usize) -> Result<Run> {
        let workers = format!("-parallelism={workers}");
        let (apply, applied) = self.timed(&["apply", "-auto-approve", &workers]).await;
        applied.success()?;
        let revisions = self.revisions().await;
        let (plan, planned) = self.timed(&["plan", "-detailed-exitcode", &workers]).await;
        ensure!(planned.code == 0, "the second plan is not empty: {planned:?}");
        let (destroy, destroyed) = self.timed(&["destroy", "-auto-approve", &workers]).await;
        destroyed.success()?;
        Ok(Run { apply, revisions, plan, destroy })
    }

    async fn timed(&self, arguments: &[&str]) -> (Duration, Output) {
        let began = Instant::now();
        let output = self.tofu.run(arguments).await;
        (began.elapsed(), output)
    }

    /// How many revisions it took until all was there.
    async fn revisions(&self) -> usize {
        let state = self.tofu.state().await;
        let root = &state["values"]["root_module"];
        let children = root["child_modules"].as_array().into_iter().flatten();
        let modules = std::iter::once(root).chain(children);
        let resources = modules.flat_map(|module| module["resources"].as_array().into_iter().flatten());
        let revisions = resources.filter_map(|resource| resource["values"]["revision"].as_u64());
        revisions.collect::<BTreeSet<_>>().len()
    }

    /// Ends everything in good order.
    pub(crate) async fn stop(&mut self) {
        self.biplane.stop().await;
        self.etcd.stop(0).await;
    }
}
