//! One certificate from now on: issued, renewed in the middle of its life, told with the roots of its engine.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use biplane_source::{Listing, Secret, SecretOptions, SourceError, Watch};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};
use zeroize::Zeroizing;

use super::issue::{issue, unfit};
use super::pair::Pair;
use super::roots::{Known, Roots};
use super::{ROOT_CA, Wanted};
use crate::client::Failure;
use crate::counters::count;
use crate::pace::{self, Backoff};
use crate::time::rfc3339;
use crate::told::Told;
use crate::vault::Vault;

/// How long is slept at most: a machine that was suspended sleeps longer than it thinks.
const NAP: Duration = Duration::from_mins(5);

/// Watches a certificate. Nothing is issued but while the stream's reader polls.
pub(crate) fn follow(vault: Arc<Vault>, wanted: Wanted, options: SecretOptions) -> Watch<Option<Secret>> {
    let roots = vault.engines.roots(&vault, &wanted.mount);
    let known = options.known.and_then(|secret| {
        let pair = Pair::known(&secret, SystemTime::now())?;
        Some((pair, secret.fields.get(ROOT_CA).cloned().unwrap_or_default()))
    });
    let (held, known_roots) = known.unzip();
    let renewer = Renewer {
        engine: roots.known.clone(),
        pulse: vault.pulse.subscribe(),
        backoff: pace::backoff(vault.options.tuning.retry_max),
        not_before: Instant::now(),
        told: Told::default(),
        staged: None,
        issuing: None,
        trouble: None,
        known_roots,
        roots,
        held,
        wanted,
        vault,
    };
    stream::unfold(renewer, |mut renewer| async {
        let listing = renewer.next().await;
        Some((listing, renewer))
    })
    .boxed()
}

struct Renewer {
    vault: Arc<Vault>,
    wanted: Wanted,
    roots: Arc<Roots>,
    engine: watch::Receiver<Known>,
    pulse: watch::Receiver<u64>,
    /// The certificate in use.
    held: Option<Pair>,
    /// The roots that an earlier run had with it, until the engine's are read.
    known_roots: Option<Zeroizing<Vec<u8>>>,
    /// A certificate whose root is too new to be known everywhere.
    staged: Option<(Pair, Instant)>,
    /// Why there is no new certificate.
    trouble: Option<SourceError>,
    /// A certificate that is being issued; roots are told meanwhile.
    issuing: Option<BoxFuture<'static, Result<Pair, Failure>>>,
    /// When it may be tried again after a failure.
    not_before: Instant,
    backoff: Backoff,
    told: Told,
}

impl Renewer {
    async fn next(&mut self) -> Listing<Option<Secret>> {
        loop {
            if let Some(news) = self.news() {
                return news;
            }
            let (due, is_idle) = (self.due(), self.issuing.is_none());
            tokio::select! {
                issued = pending_or(&mut self.issuing) => self.take(issued),
                () = sleep_until(due), if is_idle => self.step(),
                // The roots are another's; it is enough to look.
                Ok(()) = self.engine.changed() => {}
                Ok(()) = self.pulse.changed() => self.not_before = Instant::now(),
            }
        }
    }

    fn news(&mut self) -> Option<Listing<Option<Secret>>> {
        let known = self.engine.borrow_and_update().clone();
        let roots = known.bundle.as_ref().map(|bundle| &bundle.pem);
        let roots = roots.or(self.known_roots.as_deref());
        let secret = self.held.as_ref().zip(roots).map(|(pair, roots)| pair.secret(roots));
        let trouble = self.trouble.clone().or(known.trouble).map(|error| self.with_life(error));
        self.told.next(secret.as_ref(), trouble.as_ref())
    }

    /// What trouble means for the certificate in use.
    fn with_life(&self, mut error: SourceError) -> SourceError {
        if let Some(pair) = &self.held {
            let tense = if pair.is_over(SystemTime::now()) { "has ended at" } else { "is good until" };
            error.message =
                format!("{}; the certificate in use {tense} {}", error.message, rfc3339(pair.expires));
        }
        error
    }

    /// When something is to be done, as far as it depends on time.
    fn due(&self) -> Instant {
        let now = Instant::now();
        let nap = now + NAP;
        if let Some((_, ready)) = &self.staged {
            return (*ready).min(nap);
        }
        let bundle = self.engine.borrow().bundle.clone();
        let Some(bundle) = bundle else { return nap };
        let renews = match &self.held {
            // Its issuer is gone.
            Some(pair) if pair.chains_to(bundle.certificates()).is_err() => now,
            Some(pair) => now + pair.renews.duration_since(SystemTime::now()).unwrap_or_default(),
            None => now,
        };
        renews.max(self.not_before).min(nap)
    }

    fn step(&mut self) {
        if self.due() > Instant::now() {
            return;
        }
        match self.staged.take() {
            Some((pair, _)) => self.use_from_now_on(pair),
            None => self.issuing = Some(self.renew().boxed()),
        }
    }

    /// Has a certificate issued that chains to the engine's roots.
    fn renew(&self) -> impl Future<Output = Result<Pair, Failure>> + use<> {
        let (vault, roots) = (Arc::clone(&self.vault), Arc::clone(&self.roots));
        let wanted = self.wanted.clone();
        async move {
            let pair = issue(&vault, &wanted).await?;
            if roots.fit(&pair).is_err() {
                // It may be of an issuer that was made a moment ago.
                roots.refresh(vault.client.timeout()).await;
            }
            roots.fit(&pair).map_err(|why| unfit(&wanted, &why))?;
            Ok(pair)
        }
    }

    /// What came of it.
    fn take(&mut self, issued: Result<Pair, Failure>) {
        self.issuing = None;
        let tally = self.vault.client.tally();
        match issued {
            Ok(pair) => {
                count(&tally.issued);
                (self.trouble, self.not_before) = (None, Instant::now());
                self.backoff.reset();
                self.use_in_time(pair);
            }
            Err(Failure { error, .. }) => {
                count(&tally.issue_failures);
                self.not_before = Instant::now() + self.backoff.delay();
                if self.trouble.as_ref() != Some(&error) {
                    warn!(source = %self.vault.options.name, %error, "no new certificate");
                }
                self.trouble = Some(error);
            }
        }
    }

    /// Uses a certificate as soon as its root is known everywhere.
    fn use_in_time(&mut self, pair: Pair) {
        let settle = self.vault.options.tuning.settle;
        if self.roots.have_settled(&pair, settle) {
            self.use_from_now_on(pair);
        } else {
            self.staged = Some((pair, Instant::now() + settle));
        }
    }

    fn use_from_now_on(&mut self, pair: Pair) {
        info!(
            source = %self.vault.options.name,
            engine = self.wanted.mount,
            role = self.wanted.role,
            name = self.wanted.name(),
            until = rfc3339(pair.expires),
            "new certificate"
        );
        self.held = Some(pair);
    }
}

/// What comes of a future, if there is one.
async fn pending_or<T>(future: &mut Option<BoxFuture<'static, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
