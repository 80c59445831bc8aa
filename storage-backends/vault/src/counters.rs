//! What is counted, for whoever publishes metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// How often things have happened since the source was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Logins that gave a token.
    pub logins: u64,
    /// Logins that gave none.
    pub login_failures: u64,
    /// Renewals of the token.
    pub renewals: u64,
    /// Renewals that were refused or not answered.
    pub renewal_failures: u64,
    /// Answers with a status of 200 to 299.
    pub requests_ok: u64,
    /// Answers with a status of 300 to 399.
    pub requests_redirected: u64,
    /// Answers with a status of 400 to 499.
    pub requests_refused: u64,
    /// Answers with a status of 500 or more.
    pub requests_failed: u64,
    /// Requests that were not answered at all.
    pub requests_unanswered: u64,
    /// Answers that say to come back later; they count as refused too.
    pub rate_limited: u64,
    /// Certificates and credentials that were issued.
    pub issued: u64,
    /// Those that were asked for in vain, or not fit for use.
    pub issue_failures: u64,
}

/// What everybody counts in.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) logins: AtomicU64,
    pub(crate) login_failures: AtomicU64,
    pub(crate) renewals: AtomicU64,
    pub(crate) renewal_failures: AtomicU64,
    pub(crate) issued: AtomicU64,
    pub(crate) issue_failures: AtomicU64,
    /// By the first digit of the status.
    statuses: [AtomicU64; 6],
    unanswered: AtomicU64,
    rate_limited: AtomicU64,
}

/// One more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Tally {
    /// A status that was answered.
    pub(crate) fn answered(&self, status: u16) {
        count(&self.statuses[usize::from(status / 100).min(5)]);
        if status == 429 {
            count(&self.rate_limited);
        }
    }

    /// Nobody has answered.
    pub(crate) fn unanswered(&self) {
        count(&self.unanswered);
    }

    /// All of it now.
    pub(crate) fn read(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            logins: read(&self.logins),
            login_failures: read(&self.login_failures),
            renewals: read(&self.renewals),
            renewal_failures: read(&self.renewal_failures),
            requests_ok: read(&self.statuses[2]),
            requests_redirected: read(&self.statuses[3]),
            requests_refused: read(&self.statuses[4]),
            requests_failed: read(&self.statuses[5]),
            requests_unanswered: read(&self.unanswered),
            rate_limited: read(&self.rate_limited),
            issued: read(&self.issued),
            issue_failures: read(&self.issue_failures),
        }
    }
}
