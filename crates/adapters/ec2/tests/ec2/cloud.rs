//! The AWS of these tests: one moto for all of them, in which each test keeps to tags of its own.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use anyhow::Result;
use biplane_testkit::moto::Launch;
pub(crate) use biplane_testkit::moto::Machine;
use biplane_testkit::{Moto, TempDir};
use tokio::sync::Mutex;

const EC2: &str = "2016-11-15";
const AUTO_SCALING: &str = "2011-01-01";

static SHARED: Mutex<Weak<Cloud>> = Mutex::const_new(Weak::new());
static TAGS: AtomicUsize = AtomicUsize::new(0);

/// A running moto.
#[derive(Debug)]
pub(crate) struct Cloud {
    moto: Moto,
    _directory: TempDir,
}

impl Cloud {
    /// One that nobody breaks. It ends with the last test that uses it.
    pub(crate) async fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().await;
        if let Some(cloud) = shared.upgrade() {
            return cloud;
        }
        let cloud = Arc::new(Self::start().await);
        *shared = Arc::downgrade(&cloud);
        cloud
    }

    /// One of its own, to break it or to fill it.
    pub(crate) async fn start() -> Self {
        let directory = TempDir::new("ec2");
        Self { moto: Moto::start(&directory).await, _directory: directory }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.moto.address()
    }

    pub(crate) fn moto(&self) -> &Moto {
        &self.moto
    }

    /// Starts a machine.
    pub(crate) async fn run(&self, tags: &[(&str, &str)]) -> Result<Machine> {
        self.moto.run(&Launch::tagged(tags)).await
    }

    /// Starts so many at once, and says at which addresses.
    pub(crate) async fn run_many(&self, count: usize, tags: &[(&str, &str)]) -> Result<BTreeSet<Ipv4Addr>> {
        self.moto.run_many(&Launch { count, ..Launch::tagged(tags) }).await
    }

    /// Does something to a machine: `TerminateInstances`, `StopInstances`, `StartInstances`.
    pub(crate) async fn act(&self, action: &str, id: &str) -> Result<()> {
        self.moto.act(action, id).await
    }

    pub(crate) async fn ec2(&self, parameters: &[(String, String)]) -> Result<String> {
        let parameters: Vec<_> =
            parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.moto.call("ec2", EC2, &parameters).await
    }

    pub(crate) async fn auto_scaling(&self, parameters: &[(&str, &str)]) -> Result<String> {
        self.moto.call("autoscaling", AUTO_SCALING, parameters).await
    }
}

/// A tag's value that no other test has.
pub(crate) fn fresh_tag() -> String {
    format!("test-{}", TAGS.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn parameters(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
