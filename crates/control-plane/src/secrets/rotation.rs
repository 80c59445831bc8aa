//! New roots before the certificates that they signed, and old roots until nothing chains to them any more.
//!
//! ```text
//!            new roots                    all have confirmed              nothing chains to the old ones
//! settled ─────────────▶ spreading ────────────────────────▶ overlapping ──────────────────────────────▶ settled
//!            roots: old + new             certificate: new               roots: new
//!            certificate: old             roots: old + new
//! ```
//!
//! Both ends of a connection may take their certificates from here. If one showed a new certificate before the
//! other knew the root that signed it, handshakes would fail until it did. A root that is only taken away goes at once,
//! unless it has signed something that is served: whoever takes it away no longer trusts it.
//!
//! Invariant: a certificate is served only with roots beside it that were served before it, in all secrets
//! that change at that time; what waits does so for a bounded time, so that an Envoy that hangs holds nobody up.

use std::collections::BTreeSet;
use std::time::Duration;

use biplane_core::resources::secret::TlsSecret;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::certificate::{Issuer, certificates};

/// The least time for other secrets of the same source to be read as well, whose roots change with these.
pub(super) const SETTLE: Duration = Duration::from_secs(2);
/// The most that a certificate waits for Envoys to confirm its roots.
const SPREADING: Duration = Duration::from_secs(30);
/// The least time that old roots stay behind a new certificate, and how often it is looked whether they may go.
const OVERLAP: Duration = Duration::from_secs(10);
/// The most that old roots wait for Envoys to confirm the new certificate.
const CONFIRMING: Duration = Duration::from_mins(10);

/// A rotation under way.
#[derive(Clone, Debug)]
pub(super) struct Rotation {
    phase: Phase,
    /// The roots that go, in PEM, each once.
    old_roots: String,
    /// The certificate, key and staple that stay until the roots are known.
    old: TlsSecret,
}

/// How far a rotation is, for the next run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// A certificate waits for its roots.
    Spreading,
    /// The certificate is out, and old roots stay beside new ones.
    Overlapping,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Spreading { from: Instant, until: Instant },
    Overlapping { until: Instant, limit: Instant },
}

impl Rotation {
    /// What `served` (roots of a rotation `under_way` included) has to go through to become `new`; nothing where
    /// no root changes.
    pub(super) fn between(
        served: &TlsSecret,
        new: &TlsSecret,
        under_way: Option<&Self>,
        now: Instant,
    ) -> Option<Self> {
        let (before, after) = (roots(served), roots(new));
        // Who verified nobody, or will not, waits for nothing.
        if before.is_empty() || after.is_empty() {
            return None;
        }
        let rotation = |phase| Self::of(served, phase);
        if before == after {
            // Roots that are out already, but may not be confirmed yet.
            return under_way
                .filter(|rotation| rotation.is_spreading())
                .map(|under_way| rotation(under_way.phase));
        }
        let waits = !after.is_subset(&before) && served.cert_chain.is_some() && new.cert_chain.is_some();
        let phase = match under_way.map(|rotation| rotation.phase) {
            _ if waits => spreading(now),
            // Roots that were sent may not be confirmed yet, and a newer certificate changes nothing about that.
            Some(phase) => phase,
            // Nothing new has to become known first.
            None if after.is_subset(&before) => Phase::Overlapping { until: now, limit: now },
            None => overlapping(now),
        };
        Some(rotation(phase))
    }

    /// One that an earlier run has left when it served this: the stage begins anew.
    pub(super) fn resumed(stage: Stage, served: &TlsSecret, now: Instant) -> Self {
        let phase = match stage {
            Stage::Spreading => spreading(now),
            Stage::Overlapping => overlapping(now),
        };
        Self::of(served, phase)
    }

    fn of(served: &TlsSecret, phase: Phase) -> Self {
        Self { phase, old_roots: served.root_ca.clone().unwrap_or_default(), old: served.clone() }
    }

    /// What is served meanwhile, instead of `new`.
    pub(super) fn serve(&self, new: &TlsSecret) -> TlsSecret {
        let root_ca = Some(union(new.root_ca.as_deref().unwrap_or_default(), &self.old_roots));
        match self.phase {
            Phase::Spreading { .. } => TlsSecret { root_ca, ..self.old.clone() },
            Phase::Overlapping { .. } => TlsSecret { root_ca, ..new.clone() },
        }
    }

    /// How far it is.
    pub(super) const fn stage(&self) -> Stage {
        match self.phase {
            Phase::Spreading { .. } => Stage::Spreading,
            Phase::Overlapping { .. } => Stage::Overlapping,
        }
    }

    /// Whether a certificate waits for its roots.
    pub(super) const fn is_spreading(&self) -> bool {
        matches!(self.phase, Phase::Spreading { .. })
    }

    /// Whether others have had their time, so that a confirmation counts.
    pub(super) fn is_settled(&self, now: Instant) -> bool {
        matches!(self.phase, Phase::Spreading { from, .. } if now >= from)
    }

    /// When there is something to do although nothing has happened.
    pub(super) fn deadline(&self, now: Instant) -> Instant {
        match self.phase {
            Phase::Spreading { from, .. } if now < from => from,
            Phase::Spreading { until, .. } | Phase::Overlapping { until, .. } => until,
        }
    }

    /// Lets the certificate follow its roots, if those are confirmed or it has waited long enough.
    pub(super) fn follow(&mut self, confirmed: bool, now: Instant) -> bool {
        let Phase::Spreading { from, until } = self.phase else { return false };
        let due = confirmed && now >= from || now >= until;
        if due {
            self.phase = overlapping(now);
            self.old = TlsSecret::default();
        }
        due
    }

    /// Whether it is over: the certificate has been confirmed, and none of the roots that go has issued one that is
    /// served.
    pub(super) fn is_over(
        &mut self,
        new: &TlsSecret,
        issuers: &BTreeSet<Issuer>,
        confirmed: bool,
        now: Instant,
    ) -> bool {
        let Phase::Overlapping { until, limit } = self.phase else { return false };
        if now < until {
            return false;
        }
        let kept = new.root_ca.as_deref().and_then(|pem| certificates(pem).ok()).unwrap_or_default();
        let old = certificates(&self.old_roots).unwrap_or_default();
        let going: Vec<_> = old.iter().filter(|root| !kept.contains(root)).collect();
        // What a root that stays has issued too, such as the same root renewed, needs none of those that go.
        let needs = |issuer: &&Issuer| !kept.iter().any(|root| issuer.is(root));
        let used = issuers.iter().filter(needs).any(|issuer| going.iter().any(|root| issuer.is(root)));
        let waits = used || !confirmed && now < limit;
        if waits {
            self.phase = Phase::Overlapping { until: now + OVERLAP, limit };
        }
        !waits
    }
}

fn spreading(now: Instant) -> Phase {
    Phase::Spreading { from: now + SETTLE, until: now + SPREADING }
}

fn overlapping(now: Instant) -> Phase {
    Phase::Overlapping { until: now + OVERLAP, limit: now + CONFIRMING }
}

/// The roots of a secret, in DER.
fn roots(tls: &TlsSecret) -> BTreeSet<Vec<u8>> {
    let roots = tls.root_ca.as_deref().and_then(|pem| certificates(pem).ok()).unwrap_or_default();
    roots.iter().map(|root| root.to_vec()).collect()
}

/// The certificates of both texts, each once.
fn union(first: &str, second: &str) -> String {
    let mut known = BTreeSet::new();
    let mut all = String::new();
    for text in [first, second] {
        for block in blocks(text) {
            let Ok(certificates) = certificates(block) else { continue };
            if certificates.iter().any(|der| known.insert(der.to_vec())) {
                all.push_str(block);
                all.push('\n');
            }
        }
    }
    all
}

/// The PEM blocks of certificates in a text, without what stands between them.
pub(super) fn blocks(text: &str) -> impl Iterator<Item = &str> {
    const BEGIN: &str = "-----BEGIN ";
    const END: &str = "-----END ";
    let starts: Vec<_> = text.match_indices(BEGIN).map(|(start, _)| start).collect();
    starts.into_iter().filter_map(move |start| {
        let end = start + text[start..].find(END)?;
        let length = text[end + END.len()..].find("-----")? + "-----".len();
        Some(&text[start..end + END.len() + length])
    })
}

#[cfg(test)]
mod tests;
