//! The time for which a server wants to be left alone. Whoever shares a client keeps to it: a server that limits its
//! callers counts them together.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Error;

/// Until when nothing is asked, and what the server has said.
#[derive(Debug, Default)]
pub(crate) struct Pause(Mutex<Option<(Instant, String)>>);

impl Pause {
    /// Notes what a refusal asks for.
    pub(crate) fn note(&self, refusal: &Error, now: Instant) {
        if let Error::RateLimited { message, retry_after, .. } = refusal {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
                Some((now + *retry_after, message.clone()));
        }
    }

    /// How long it lasts yet, and why.
    pub(crate) fn left(&self, now: Instant) -> Option<(Duration, String)> {
        let mut pause = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, message) = pause.as_ref()?;
        let left = until.saturating_duration_since(now);
        if left.is_zero() {
            *pause = None;
            return None;
        }
        Some((left, message.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pause_lasts_as_long_as_the_server_has_asked_for_and_no_other_refusal_makes_one() {
        let (pause, now) = (Pause::default(), Instant::now());
        pause.note(&Error::NoLeader { address: "a".to_owned() }, now);
        assert_eq!(pause.left(now), None);
        let retry_after = Duration::from_secs(2);
        let refusal =
            Error::RateLimited { address: "a".to_owned(), message: "slowly".to_owned(), retry_after };
        pause.note(&refusal, now);
        let second = Duration::from_secs(1);
        assert_eq!(pause.left(now + second), Some((second, "slowly".to_owned())));
        assert_eq!(pause.left(now + retry_after), None);
    }
}
