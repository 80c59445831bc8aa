//! Getting the seat, doing the work while it is ours, and starting over: for ever.

use std::time::Duration;

use biplane_admin_api::status::StatusSummary;
use biplane_core::scalars::Timestamp;
use biplane_store::{Fence, Seat, StoreError};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::board::Duty;
use super::{Leader, history, now, old_history, old_intents, status, status_records};
use crate::backoff::Backoff;

const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_mins(1));
/// A term shorter than this counts as a failure of the row before it.
const SHORT: Duration = Duration::from_secs(30);
/// How often a replica that does not lead looks who does, and while nobody is known to.
const LOOK: Duration = Duration::from_secs(15);
const SEARCH: Duration = Duration::from_secs(1);
/// How long a look may take, and giving the seat up.
const DEADLINE: Duration = Duration::from_secs(5);

/// Runs until shutdown.
pub(crate) async fn run(leader: Leader, shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut backoff = BACKOFF;
    leader.board.campaigns();
    loop {
        let began = Instant::now();
        let seat = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            seat = leader.records.campaign(&leader.name) => seat,
            () = look(&leader) => continue,
        };
        match seat {
            Ok(seat) => {
                leader.board.done(Duty::Campaign);
                if lead(&leader, seat, &shutdown).await.is_none() {
                    return Ok(());
                }
            }
            Err(error) => leader.board.failed(Duty::Campaign, &error),
        }
        if began.elapsed() >= SHORT {
            backoff.reset();
        }
        let readings = leader.activity.borrow().readings;
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = sleep(backoff.delay()) => {}
            () = read_again(&leader, readings) => backoff.reset(),
        }
    }
}

/// Ends when the store has been read as a whole since it had been `readings` times: it is back, and may as well be
/// asked for the seat.
async fn read_again(leader: &Leader, readings: u64) {
    let mut activity = leader.activity.clone();
    if activity.wait_for(|activity| activity.readings > readings).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Leads until the seat is lost; nothing when told to stop, with the seat given up.
async fn lead(leader: &Leader, mut seat: Box<dyn Seat>, shutdown: &CancellationToken) -> Option<StoreError> {
    let since = now();
    leader.board.leads(&leader.name, since);
    let fence = seat.fence();
    let ended = tokio::select! {
        () = shutdown.cancelled() => None,
        error = seat.lost() => Some(error),
        error = work(leader, &fence, since) => Some(error),
    };
    leader.feed.follow();
    match &ended {
        Some(error) => leader.board.steps_down(error),
        // Another replica need not wait until the seat runs out.
        None => drop(timeout(DEADLINE, seat.resign()).await),
    }
    ended
}

/// All duties side by side; ends when one finds that somebody else leads.
async fn work(leader: &Leader, fence: &Fence, since: Timestamp) -> StoreError {
    tokio::select! {
        error = status::run(leader, fence, since) => error,
        error = history::run(leader, fence) => error,
        error = old_intents::run(leader, fence) => error,
        error = old_history::run(leader, fence) => error,
    }
}

/// Learns who leads from what the leader has written, over and over.
async fn look(leader: &Leader) {
    loop {
        let read = timeout(DEADLINE, leader.records.read(status_records::SUMMARY)).await;
        let record = read.ok().and_then(Result::ok).flatten();
        let summary = record.and_then(|record| serde_json::from_slice::<StatusSummary>(&record.value).ok());
        let pause = if summary.is_some() { LOOK } else { SEARCH };
        leader.board.follows(summary.map(|summary| (summary.by, summary.leading_since)));
        sleep(pause).await;
    }
}
