//! The doorkeeper: judges callers by certificates, keys and rules as they are now.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use biplane_core::scalars::Timestamp;
use biplane_identity::{Caller, Fleet, Member, NodeCertificate, Proof, Refusal};
use biplane_tls::ServerTls;
use biplane_xds::{Doorkeeper, Membership, Pass, ProvedBy};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use rustls::pki_types::UnixTime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::issuers::Issuers;
use super::rulebook::Rulebook;
use crate::status::timestamp;

/// Judges callers.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    rulebook: Arc<Rulebook>,
    issuers: Issuers,
    tls: Option<ServerTls>,
    trust_node_metadata: bool,
    changes: Arc<watch::Sender<u64>>,
}

impl Gate {
    pub(super) fn new(
        rulebook: Arc<Rulebook>,
        issuers: Issuers,
        tls: Option<ServerTls>,
        trust_node_metadata: bool,
    ) -> Self {
        Self { rulebook, issuers, tls, trust_node_metadata, changes: Arc::default() }
    }

    /// Whose keys are known.
    pub(super) fn issuers(&self) -> &Issuers {
        &self.issuers
    }

    /// Has callers judged again when certificates, keys or rules change, until shutdown.
    pub(super) async fn follow(&self, shutdown: &CancellationToken) {
        let (mut rules, mut keys) = (self.rulebook.watch(), self.issuers.watch());
        let mut tls = self.tls.as_ref().map(ServerTls::changes);
        loop {
            // Also once at the start: something may have changed before anybody followed.
            self.changes.send_modify(|count| *count += 1);
            tokio::select! {
                () = shutdown.cancelled() => return,
                Ok(()) = rules.changed() => {}
                Ok(()) = keys.changed() => {}
                Ok(()) = changed(&mut tls) => {}
            }
        }
    }

    /// Who a caller is. An issuer that may have a new key is asked once.
    async fn judge(self, caller: Arc<biplane_xds::Caller>) -> Result<Pass, biplane_xds::Refusal> {
        let judged = match self.judge_now(&caller) {
            Err(Refusal::UnknownKey { issuer } | Refusal::KeysUnread { issuer }) => {
                self.issuers.ask(&issuer).await;
                self.judge_now(&caller)
            }
            judged => judged,
        };
        judged.map_err(|refusal| biplane_xds::Refusal {
            reason: refusal.to_string(),
            may_come_again: matches!(refusal, Refusal::KeysUnread { .. }),
        })
    }

    fn judge_now(&self, caller: &biplane_xds::Caller) -> Result<Pass, Refusal> {
        let certificate = self.certificate(caller)?;
        let loopback = caller.remote.ip().to_canonical().is_loopback();
        if !self.rulebook.is_set() {
            return self.believe(caller, loopback);
        }
        let shown = Caller { certificate: certificate.as_ref(), token: caller.token.as_deref(), loopback };
        let now = timestamp(SystemTime::now());
        self.rulebook.now().rules.judge(shown, &self.issuers.keys(), now).map(pass)
    }

    /// Where nobody wrote rules.
    fn believe(&self, caller: &biplane_xds::Caller, loopback: bool) -> Result<Pass, Refusal> {
        if !loopback && !self.trust_node_metadata {
            return Err(Refusal::NoRule { who: caller.remote.ip().to_string() });
        }
        let who = caller.remote.ip().to_string();
        let by = ProvedBy::here_or_not(caller.remote);
        Ok(Pass { who, by, membership: Membership::Claimed, node: None, until: None })
    }

    /// The certificate that a caller has shown, if it would be taken now: its authority may have gone, and its life
    /// may have ended, since the handshake.
    fn certificate(&self, caller: &biplane_xds::Caller) -> Result<Option<NodeCertificate>, Refusal> {
        let (Some(tls), Some(first)) = (&self.tls, caller.certificates.first()) else { return Ok(None) };
        let refused = |why: String| Refusal::Certificate(why);
        tls.verify(&caller.certificates, UnixTime::now()).map_err(|error| refused(error.to_string()))?;
        NodeCertificate::from_der(first).map(Some).map_err(|error| refused(error.to_string()))
    }
}

impl Doorkeeper for Gate {
    fn admit(
        &self,
        caller: Arc<biplane_xds::Caller>,
    ) -> BoxFuture<'static, Result<Pass, biplane_xds::Refusal>> {
        self.clone().judge(caller).boxed()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

fn pass(member: Member) -> Pass {
    let membership = match member.fleet {
        Fleet::Claimed => Membership::Claimed,
        Fleet::Proven { name, checked } => Membership::Proven { fleet: name, checked },
    };
    let by = match member.by {
        Proof::Certificate => ProvedBy::Certificate,
        Proof::Token => ProvedBy::Token,
        Proof::Loopback => ProvedBy::Loopback,
    };
    Pass { who: member.who, by, membership, node: member.node, until: member.until.map(moment) }
}

fn moment(Timestamp(seconds): Timestamp) -> SystemTime {
    let since = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    // A certificate may say that it lasts longer than clocks do.
    SystemTime::UNIX_EPOCH
        .checked_add(since)
        .unwrap_or(SystemTime::UNIX_EPOCH + Duration::from_secs(u32::MAX.into()))
}

async fn changed(tls: &mut Option<watch::Receiver<u64>>) -> Result<(), watch::error::RecvError> {
    match tls {
        Some(tls) => tls.changed().await,
        None => std::future::pending().await,
    }
}
