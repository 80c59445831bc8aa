//! Waiting for a condition, and holding one: the only two ways in which a test lets time pass.

use std::fmt;
use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::time::{Instant, sleep, timeout};

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(10);

/// An error that no waiting will cure, such as the end of the process that is waited for.
#[derive(Debug)]
pub struct Hopeless(
    /// What happened.
    pub String,
);

impl fmt::Display for Hopeless {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Hopeless {}

/// Asks until the answer is `Ok`, and returns it. Panics with the last error when `patience` is used up, or at
/// once when the error is [`Hopeless`].
///
/// ```
/// # use std::time::Duration;
/// # use biplane_testkit::eventually;
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let mut asked = 0;
/// let answer = eventually("the third answer", Duration::from_secs(5), async || {
///     asked += 1;
///     anyhow::ensure!(asked == 3, "this was answer {asked}");
///     Ok(asked)
/// });
/// assert_eq!(answer.await, 3);
/// # }
/// ```
pub async fn eventually<T>(what: &str, patience: Duration, probe: impl AsyncFnMut() -> Result<T>) -> T {
    match poll(patience, probe).await {
        Ok(answer) => answer,
        Err(last) => panic!("waited up to {patience:?} for {what}; last seen: {last:#}"),
    }
}

/// Asks again and again for the whole of `time`, and panics at the first error: for what must not change.
pub async fn throughout(what: &str, time: Duration, mut probe: impl AsyncFnMut() -> Result<()>) {
    let started = Instant::now();
    while started.elapsed() < time {
        if let Err(error) = probe().await {
            panic!("{what} did not hold after {:?}: {error:#}", started.elapsed());
        }
        sleep(INTERVAL).await;
    }
}

/// The last error, if there was no answer in time. A probe that hangs is cut off, and says so.
pub(crate) async fn poll<T>(patience: Duration, mut probe: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + patience;
    let mut last = None;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match timeout(left, probe()).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) if error.is::<Hopeless>() => return Err(error),
            Ok(Err(error)) => last = Some(error),
            Err(_) => {} // cut off: the deadline has passed
        }
        // Looked at by itself: a probe that answers at once is not cut off by a timeout, not even one of zero.
        if Instant::now() >= deadline {
            return Err(last.unwrap_or_else(|| anyhow!("no answer at all")));
        }
        sleep(INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_ends_the_wait() {
        let mut asked = 0;
        let answer = eventually("the third answer", Duration::from_secs(1), async || {
            asked += 1;
            anyhow::ensure!(asked == 3, "only {asked}");
            Ok(asked)
        })
        .await;
        assert_eq!(answer, 3);
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "waited up to 1s for a sunny day; last seen: it rains")]
    async fn giving_up_is_loud_and_names_the_last_value() {
        eventually::<()>("a sunny day", Duration::from_secs(1), async || Err(anyhow!("it rains"))).await;
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "last seen: no answer at all")]
    async fn a_probe_that_hangs_is_cut_off() {
        eventually::<()>("an answer", Duration::from_secs(1), async || std::future::pending().await).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_hopeless_error_ends_the_wait_at_once() {
        let started = Instant::now();
        let error =
            poll::<()>(Duration::from_mins(1), async || Err(Hopeless("it is gone".into()).into())).await;
        assert!(error.is_err());
        assert!(started.elapsed() < Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "calm did not hold")]
    async fn throughout_fails_at_the_first_error() {
        let mut asked = 0;
        throughout("calm", Duration::from_secs(1), async || {
            asked += 1;
            anyhow::ensure!(asked < 5, "a storm");
            Ok(())
        })
        .await;
    }
}
