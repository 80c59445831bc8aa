//! Who is being answered right now, and when nobody else can join a batch.
//!
//! OpenTofu has a number of workers that it tells nobody. Each computes before it calls, so calls of many workers come one
//! after the other: a batch waits until no other has come for a moment, and longer if the last one was larger. Two batches
//! in a row that were equally many tell the number of workers: when so many wait again, all of them do, and it leaves at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// How long a worker takes to its next call, also on a machine that has much to do.
const MOMENT: Duration = Duration::from_millis(100);

/// How long it may take when fewer wait than the last time: the others got their answers, and compute.
const LULL: Duration = Duration::from_millis(500);

/// The longest that a batch waits for a call that does something else.
const PATIENCE: Duration = Duration::from_secs(1);

/// The longest that a batch waits while others keep coming.
const LONGEST: Duration = Duration::from_secs(5);

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
    /// How many waited when the last two batches left.
    left: [usize; 2],
}

impl Calls {
    /// Whether every call waits.
    const fn all_wait(self) -> bool {
        self.active <= self.waiting
    }

    /// How long nothing may happen until nothing is expected any more.
    const fn pause(self) -> Duration {
        if !self.all_wait() {
            PATIENCE
        } else if self.waiting < self.left[0] {
            LULL
        } else {
            MOMENT
        }
    }

    /// Whether as many wait as OpenTofu seems to have workers.
    const fn complete(self) -> bool {
        let [last, before] = self.left;
        self.all_wait() && self.waiting > 1 && self.waiting == last && last == before
    }
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
        self.calls.send_modify(|calls| calls.waiting += 1);
        Call { activity: self.clone(), waits: true }
    }

    /// Returns when a batch is to leave: when all workers wait for one, or no call has come for a moment, or when patience
    /// is at its end.
    pub(crate) async fn settled(&self) {
        // Whoever is late gets into the next batch.
        let _ = timeout(LONGEST, self.quiet()).await;
        self.calls.send_modify(|calls| calls.left = [calls.waiting, calls.left[0]]);
    }

    async fn quiet(&self) {
        let mut seen = self.calls.subscribe();
        loop {
            let calls = *seen.borrow_and_update();
            if calls.complete() {
                return;
            }
            match timeout(calls.pause(), seen.changed()).await {
                Ok(changed) => changed.expect("the sender is ours"),
                Err(_) => return,
            }
        }
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
    use tokio::time::{Instant, sleep};

    use super::*;

    fn activity() -> Arc<Activity> {
        Arc::new(Activity::new())
    }

    /// As many calls, all of which wait.
    fn workers(activity: &Arc<Activity>, number: usize) -> Vec<Call> {
        (0..number).flat_map(|_| [activity.begin(), activity.wait()]).collect()
    }

    async fn time_of(activity: &Activity) -> Duration {
        let start = Instant::now();
        activity.settled().await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_works_alone_waits_for_a_moment_only() {
        let activity = activity();
        for _ in 0..3 {
            let _worker = workers(&activity, 1);
            assert_eq!(time_of(&activity).await, MOMENT);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_when_as_many_wait_as_twice_before() {
        let activity = activity();
        for expected in [MOMENT, MOMENT, Duration::ZERO, Duration::ZERO] {
            let _workers = workers(&activity, 10);
            assert_eq!(time_of(&activity).await, expected);
        }
        let _more = workers(&activity, 11);
        assert_eq!(time_of(&activity).await, MOMENT);
    }

    #[tokio::test(start_paused = true)]
    async fn fewer_than_the_last_time_wait_longer_for_the_others_once() {
        let activity = activity();
        for (number, expected) in [(10, MOMENT), (4, LULL), (4, MOMENT)] {
            let _workers = workers(&activity, number);
            assert_eq!(time_of(&activity).await, expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_come_one_after_the_other_are_one_batch() {
        let activity = activity();
        let come = async {
            let mut all = Vec::new();
            for _ in 0..30 {
                all.extend(workers(&activity, 1));
                sleep(MOMENT / 2).await;
            }
            all
        };
        let (_all, time) = tokio::join!(come, time_of(&activity));
        assert_eq!(time, MOMENT / 2 * 29 + MOMENT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_waits_for_calls_that_are_under_way() {
        let activity = activity();
        let (_worker, other) = (workers(&activity, 1), activity.begin());
        let ends = async {
            sleep(PATIENCE / 2).await;
            drop(other);
        };
        let (time, ()) = tokio::join!(time_of(&activity), ends);
        assert_eq!(time, PATIENCE / 2 + MOMENT);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_a_call_that_hangs_or_for_ever_new_ones() {
        let activity = activity();
        let _other = activity.begin();
        assert_eq!(time_of(&activity).await, PATIENCE);
        let come = async {
            loop {
                sleep(MOMENT / 2).await;
                drop(activity.begin());
            }
        };
        tokio::select! {
            () = come => unreachable!("they come for ever"),
            time = time_of(&activity) => assert_eq!(time, LONGEST),
        }
    }
}
