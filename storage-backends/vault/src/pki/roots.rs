//! The certificates of an engine's issuers, read by one task for all who watch the engine.

use std::sync::{Arc, Weak};
use std::time::Duration;

use biplane_source::SourceError;
use rustls_pki_types::CertificateDer;
use serde::Deserialize;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};
use vaultrs::api::pki::requests::{ListIssuersRequest, ReadIssuerCertificateRequest};

use super::pair::Pair;
use super::pem;
use crate::client::{Answer, Call, Failure, Json, Kind, Plain};
use crate::pace::{self, Backoff};
use crate::vault::Vault;

/// All that certificates of the engine may chain to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bundle {
    /// Sorted, each of them once.
    roots: Vec<Root>,
    /// The same as text.
    pub(super) pem: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
struct Root {
    certificate: CertificateDer<'static>,
    /// When it was first seen; none: it was there from the start.
    since: Option<Instant>,
}

/// What is known of an engine's roots.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) bundle: Option<Arc<Bundle>>,
    /// Why they could not be read the last time.
    pub(super) trouble: Option<SourceError>,
}

/// The roots of one engine; their task ends with the last who holds them.
pub(super) struct Roots {
    pub(super) known: watch::Receiver<Known>,
    /// Counts readings.
    rounds: watch::Receiver<u64>,
    asked: Arc<Notify>,
    task: AbortHandle,
}

#[derive(Deserialize)]
struct Issuers {
    keys: Vec<String>,
}

#[derive(Deserialize)]
struct Issuer {
    certificate: String,
    #[serde(default)]
    ca_chain: Option<Vec<String>>,
}

/// What engines without several issuers have.
#[derive(Deserialize)]
struct Chain {
    #[serde(default)]
    ca_chain: Option<String>,
    #[serde(default)]
    certificate: Option<String>,
}

impl Bundle {
    fn new(mut found: Vec<CertificateDer<'static>>, before: Option<&Self>, now: Instant) -> Self {
        found.sort_by(|one, other| one.as_ref().cmp(other));
        found.dedup();
        let pem = pem::encode(&found);
        let since = |certificate: &CertificateDer<'static>| {
            before.and_then(|before| before.since(certificate).unwrap_or(Some(now)))
        };
        let roots = found.into_iter().map(|certificate| Root { since: since(&certificate), certificate });
        Self { roots: roots.collect(), pem }
    }

    /// The inner one as [`Root::since`]; none: it is not among them.
    #[expect(clippy::option_option, reason = "whether it is there, and whether it was from the start")]
    fn since(&self, certificate: &CertificateDer<'static>) -> Option<Option<Instant>> {
        self.roots.iter().find(|root| root.certificate == *certificate).map(|root| root.since)
    }

    /// All of them.
    pub(super) fn certificates(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        self.roots.iter().map(|root| &root.certificate)
    }

    /// Those that were known before a moment.
    pub(super) fn older_than(&self, moment: Instant) -> impl Iterator<Item = &CertificateDer<'static>> {
        let is_old = move |root: &&Root| root.since.is_none_or(|since| since <= moment);
        self.roots.iter().filter(is_old).map(|root| &root.certificate)
    }
}

impl Roots {
    /// Begins to read.
    pub(super) fn start(vault: &Arc<Vault>, mount: &str) -> Self {
        let (known, seen) = watch::channel(Known::default());
        let (rounds, counted) = watch::channel(0);
        let asked = Arc::new(Notify::new());
        let reader = Reader {
            pulse: vault.pulse.subscribe(),
            vault: Arc::downgrade(vault),
            mount: mount.to_owned(),
            asked: Arc::clone(&asked),
            backoff: pace::backoff(vault.options.tuning.retry_max),
            known,
            has_listed: false,
            rounds,
        };
        let task = tokio::spawn(reader.run()).abort_handle();
        Self { known: seen, rounds: counted, asked, task }
    }

    /// Reads them now, and waits until that is done.
    pub(super) async fn refresh(&self, patience: Duration) {
        let mut rounds = self.rounds.clone();
        // The reading that is under way may have begun before what made us ask.
        let after = *rounds.borrow_and_update() + 2;
        self.asked.notify_one();
        let done = async {
            while *rounds.borrow_and_update() < after && rounds.changed().await.is_ok() {
                self.asked.notify_one();
            }
        };
        // Without an answer in time the roots stay as they were, and the caller looks at them anyway.
        let _ = timeout(patience, done).await;
    }
}

impl Roots {
    /// Whether a certificate chains to them; else why not.
    pub(super) fn fit(&self, pair: &Pair) -> Result<(), String> {
        let bundle = self.known.borrow().bundle.clone().ok_or("the engine's issuers are not known")?;
        pair.chains_to(bundle.certificates())
    }

    /// Whether it chains to those that everybody has known for so long.
    pub(super) fn have_settled(&self, pair: &Pair, settle: Duration) -> bool {
        let bundle = self.known.borrow().bundle.clone();
        let (Some(bundle), Some(then)) = (bundle, Instant::now().checked_sub(settle)) else { return false };
        pair.chains_to(bundle.older_than(then)).is_ok()
    }
}

impl Drop for Roots {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Reader {
    vault: Weak<Vault>,
    mount: String,
    pulse: watch::Receiver<u64>,
    asked: Arc<Notify>,
    backoff: Backoff,
    known: watch::Sender<Known>,
    /// Whether the engine has listed its issuers before.
    has_listed: bool,
    rounds: watch::Sender<u64>,
}

impl Reader {
    async fn run(mut self) {
        while let Some(vault) = self.vault.upgrade() {
            let read = read(&vault, &self.mount, &mut self.has_listed).await;
            let period = vault.options.refresh;
            drop(vault);
            let pause = self.learn(read, period);
            tokio::select! {
                () = sleep(pause) => {}
                () = self.asked.notified() => {}
                Ok(()) = self.pulse.changed() => {}
            }
        }
    }

    /// Tells what was read, if it is news. How long it is good for.
    fn learn(&mut self, read: Result<Bundle, Failure>, period: Duration) -> Duration {
        let pause = match read {
            Ok(found) => {
                self.backoff.reset();
                self.known.send_if_modified(|known| known.learn(found));
                pace::around(period)
            }
            Err(failure) => {
                self.known.send_if_modified(|known| known.fail(failure.error));
                self.backoff.delay()
            }
        };
        self.rounds.send_modify(|rounds| *rounds += 1);
        pause
    }
}

impl Known {
    fn learn(&mut self, found: Bundle) -> bool {
        let was_troubled = self.trouble.take().is_some();
        let before = self.bundle.as_deref();
        if before.is_some_and(|before| before.certificates().eq(found.certificates())) {
            return was_troubled;
        }
        let certificates = found.roots.into_iter().map(|root| root.certificate).collect();
        self.bundle = Some(Arc::new(Bundle::new(certificates, before, Instant::now())));
        true
    }

    fn fail(&mut self, error: SourceError) -> bool {
        let is_news = self.trouble.as_ref() != Some(&error);
        self.trouble = Some(error);
        is_news
    }
}

/// The certificates of all issuers and of those above them. Anybody may read them, so no policy has to say so.
/// `has_listed`: whether the engine has listed its issuers before; then it still can.
pub(super) async fn read(vault: &Vault, mount: &str, has_listed: &mut bool) -> Result<Bundle, Failure> {
    let call = call(vault, mount, ListIssuersRequest { mount: mount.to_owned() })?;
    let found = match vault.try_to_ask(&call).await {
        Ok(answer) if answer.status != 404 => {
            *has_listed = true;
            issuers(vault, mount, &call, &answer).await?
        }
        Ok(answer) if has_nothing(&answer) => return Err(no_issuer(mount)),
        Ok(_) => return Err(Failure::missing(&call, &vault.client.address())),
        // Before it could have several, an engine had no such path. From one that has, a refusal is not the end of the others.
        Err(failure) if !*has_listed && matches!(failure.kind, Kind::Forbidden | Kind::Invalid) => {
            single(vault, mount).await.map_err(|_| failure)?
        }
        Err(failure) => return Err(failure),
    };
    if found.is_empty() { Err(no_issuer(mount)) } else { Ok(Bundle::new(found, None, Instant::now())) }
}

async fn issuers(
    vault: &Vault,
    mount: &str,
    call: &Call,
    answer: &Answer,
) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let malformed = || Failure::malformed(call, &vault.client.address());
    let listed = answer.envelope::<Issuers>().and_then(|envelope| envelope.data).ok_or_else(malformed)?;
    let mut found = Vec::new();
    for id in listed.keys {
        let endpoint = ReadIssuerCertificateRequest { mount: mount.to_owned(), issuer: id };
        let answer = vault.ask(&self::call(vault, mount, endpoint)?).await?;
        if answer.status == 404 {
            // Gone since it was listed.
            continue;
        }
        let issuer = answer.envelope::<Issuer>().and_then(|envelope| envelope.data).ok_or_else(malformed)?;
        for text in issuer.ca_chain.iter().flatten().chain([&issuer.certificate]) {
            found.extend(pem::certificates(text.as_bytes()).ok_or_else(malformed)?);
        }
    }
    Ok(found)
}

async fn single(vault: &Vault, mount: &str) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let call = call(vault, mount, Plain::get(format!("{mount}/cert/ca_chain")))?;
    let answer = vault.try_to_ask(&call).await?;
    let chain = answer.envelope::<Chain>().and_then(|envelope| envelope.data);
    let found = chain.and_then(|chain| {
        let text = [chain.ca_chain, chain.certificate].into_iter().flatten().collect::<Vec<_>>().join("\n");
        pem::certificates(text.as_bytes())
    });
    found.filter(|found| !found.is_empty()).ok_or_else(|| Failure::malformed(&call, &vault.client.address()))
}

fn call<E: rustify::Endpoint>(vault: &Vault, mount: &str, endpoint: E) -> Result<Call, Failure> {
    let call = vault.client.call(format!("read the issuers of {mount}"), endpoint);
    let call = call.map_err(|error| Failure { kind: Kind::Invalid, error })?;
    Ok(call.needs("list", format!("{mount}/issuers")))
}

/// An engine without issuers answers as an empty list does, a missing mount with an error.
fn has_nothing(answer: &Answer) -> bool {
    answer.envelope::<Json>().is_some_and(|envelope| envelope.errors.is_none_or(|errors| errors.is_empty()))
}

fn no_issuer(mount: &str) -> Failure {
    let error = SourceError::new(format!("the engine {mount} has no issuer yet"))
        .hint(format!("bao write {mount}/root/generate/internal, or an intermediate"));
    Failure { kind: Kind::Down, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(name: u8) -> CertificateDer<'static> {
        CertificateDer::from(vec![name; 4])
    }

    fn bundle(names: &[u8]) -> Bundle {
        Bundle::new(names.iter().copied().map(root).collect(), None, Instant::now())
    }

    #[test]
    fn the_same_roots_make_the_same_text_in_any_order() {
        assert_eq!(bundle(&[1, 2, 2]).pem, bundle(&[2, 1]).pem);
    }

    #[test]
    fn roots_that_were_there_from_the_start_are_old_and_others_get_so() {
        let mut known = Known::default();
        assert!(known.learn(bundle(&[1])));
        assert!(!known.learn(bundle(&[1])), "that is no news");
        let before = Instant::now();
        assert!(known.learn(bundle(&[1, 2])));
        let bundle = known.bundle.as_ref().expect("read");
        let early = before.checked_sub(Duration::from_secs(1)).expect("the machine is up for a second");
        assert_eq!(bundle.older_than(early).collect::<Vec<_>>(), [&root(1)]);
        assert_eq!(bundle.older_than(before + Duration::from_mins(1)).count(), 2);
    }

    #[test]
    fn trouble_is_news_once_and_so_is_its_end() {
        let mut known = Known::default();
        known.learn(bundle(&[1]));
        assert!(known.fail(SourceError::new("sealed")) && !known.fail(SourceError::new("sealed")));
        assert!(known.learn(bundle(&[1])) && known.trouble.is_none());
    }
}
