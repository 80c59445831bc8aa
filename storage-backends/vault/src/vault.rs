//! A question in our name: with the token of the session, and with another one if that has died.

use std::sync::Arc;

use biplane_source::SourceError;
use tokio::sync::watch;

use crate::bucket::Bucket;
use crate::client::{Answer, Call, Client, Failure, Kind};
use crate::counters::Tally;
use crate::mounts::Mounts;
use crate::options::VaultOptions;
use crate::pki::Engines;
use crate::report::Report;
use crate::session::{Session, Verdict};

/// What all that is read from one server shares.
pub(crate) struct Vault {
    pub(crate) options: VaultOptions,
    pub(crate) client: Client,
    pub(crate) session: Session,
    pub(crate) report: Report,
    pub(crate) mounts: Mounts,
    pub(crate) engines: Engines,
    /// Who issues takes turns.
    pub(crate) bucket: Bucket,
    /// Moves when everything is to be read at once.
    pub(crate) pulse: watch::Sender<u64>,
}

impl Vault {
    pub(crate) fn connect(options: VaultOptions) -> Result<Self, SourceError> {
        let client = Client::new(&options, Arc::new(Tally::default()))?;
        let (report, pulse) = (Report::new(&options), watch::Sender::new(0));
        let session = Session::start(&options, client.clone(), report.clone(), pulse.subscribe());
        let bucket = Bucket::new(options.max_rate);
        let (mounts, engines) = (Mounts::default(), Engines::default());
        Ok(Self { options, client, session, report, mounts, engines, bucket, pulse })
    }

    /// Asks, and tells status how it went.
    pub(crate) async fn ask(&self, call: &Call) -> Result<Answer, Failure> {
        let answer = self.try_to_ask(call).await;
        if let Err(failure) = &answer {
            self.report.refused(&failure.error);
        }
        answer
    }

    /// Asks, where a refusal is foreseen and no trouble.
    pub(crate) async fn try_to_ask(&self, call: &Call) -> Result<Answer, Failure> {
        let answer = self.ask_with_token(call).await;
        match &answer {
            Ok(_) => self.report.answered(),
            Err(failure) if matches!(failure.kind, Kind::Down | Kind::RateLimited(_)) => {
                self.report.down(&failure.error);
            }
            Err(_) => {}
        }
        answer
    }

    async fn ask_with_token(&self, call: &Call) -> Result<Answer, Failure> {
        let login = self.session.login().await?;
        let refusal = match self.client.send(call, Some(&login.token)).await {
            Err(failure) if failure.kind == Kind::Forbidden => failure,
            answer => return answer,
        };
        match self.session.suspect(&login).await {
            Verdict::Alive => Err(refusal),
            Verdict::Replaced(login) => self.client.send(call, Some(&login.token)).await,
            Verdict::Unknown(failure) => Err(failure),
        }
    }
}
