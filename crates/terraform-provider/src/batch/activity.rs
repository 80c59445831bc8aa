//! Who is being answered right now, and when nobody else can join a batch.
//!
//! OpenTofu has a number of workers that it tells nobody. The most that ever waited at a time is a good guess: when so many
//! wait again, all of them do. Fewer wait for a moment, since the others may be between two calls.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How long a worker takes to its next call, also on a machine that has much to do.
const MOMENT: Duration = Duration::from_millis(100);

/// The longest that a batch waits for calls that do something else.
const PATIENCE: Duration = Duration::from_secs(1);

/// Counts calls.
#[derive(Debug)]
pub(crate) struct Activity {
    calls: watch::Sender<Calls>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Calls {
    /// Under way, those that wait among them.
    active: usize,
    /// Those that wait for their batch.
    waiting: usize,
    /// The most that ever waited at a time.
    most: usize,
}

/// A call, as long as it is under way or waits.
#[derive(Debug)]
pub(crate) struct Call {
    activity: Arc<Activity>,
    waits: bool,
}

impl Activity {
    /// Nobody calls yet.
    pub(crate) fn new() -> Self {
        Self { calls: watch::Sender::new(Calls::default()) }
    }

    /// A call begins.
    pub(crate) fn begin(self: &Arc<Self>) -> Call {
        self.calls.send_modify(|calls| calls.active += 1);
        Call { activity: self.clone(), waits: false }
    }

    /// A call begins to wait.
    pub(crate) fn wait(self: &Arc<Self>) -> Call {
        self.calls.send_modify(|calls| {
            calls.waiting += 1;
            calls.most = calls.most.max(calls.waiting);
        });
        Call { activity: self.clone(), waits: true }
    }

    /// Returns when all calls wait and no other can come, or none has for a moment, or when patience is at its end.
    pub(crate) async fn settled(&self) {
        let mut calls = self.calls.subscribe();
        let quiet = async {
            loop {
                let Calls { active, waiting, most } = *calls.borrow_and_update();
                if active <= waiting && waiting > 1 && waiting >= most {
                    break;
                }
                tokio::select! {
                    () = sleep(MOMENT), if active <= waiting => break,
                    changed = calls.changed() => changed.expect("the sender is ours"),
                }
            }
        };
        // Whoever is late gets into the next batch.
        let _ = timeout(PATIENCE, quiet).await;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let waits = self.waits;
        self.activity.calls.send_modify(|calls| {
            let count = if waits { &mut calls.waiting } else { &mut calls.active };
            *count -= 1;
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    fn activity() -> Arc<Activity> {
        Arc::new(Activity::new())
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_works_alone_waits_for_a_moment_only() {
        let activity = activity();
        let _call = activity.begin();
        let _waiting = activity.wait();
        let start = Instant::now();
        activity.settled().await;
        assert_eq!(start.elapsed(), MOMENT);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_when_as_many_wait_as_ever_did() {
        let activity = activity();
        let all = || [activity.begin(), activity.begin(), activity.wait(), activity.wait()];
        drop(all());
        let _calls = all();
        let start = Instant::now();
        activity.settled().await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_waits_for_calls_that_are_under_way() {
        let activity = activity();
        let (_call, other) = (activity.begin(), activity.begin());
        let _waiting = activity.wait();
        let start = Instant::now();
        let ends = async {
            sleep(Duration::from_millis(100)).await;
            drop(other);
        };
        tokio::join!(activity.settled(), ends);
        assert_eq!(start.elapsed(), Duration::from_millis(100) + MOMENT);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_a_call_that_hangs() {
        let activity = activity();
        let _other = activity.begin();
        let start = Instant::now();
        activity.settled().await;
        assert_eq!(start.elapsed(), PATIENCE);
    }
}
