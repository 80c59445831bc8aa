//! When a watch is asked for its progress, and when its silence is taken for death. Pure: the clock is the caller's.

use std::time::Duration;

use tokio::time::Instant;

/// How soon a revision that somebody waits for is asked for again: a watch that is still catching up does not
/// answer, and a member that lags behind answers with what it knows.
const AGAIN: Duration = Duration::from_millis(20);

/// For how long: a revision of a history that ended never comes.
const HURRY: Duration = Duration::from_secs(2);

/// The questions of one watch.
#[derive(Debug)]
pub(crate) struct Pace {
    liveness: Duration,
    heard: Instant,
    /// The first of the questions that are not answered yet.
    unanswered: Option<Instant>,
    newest: Option<Question>,
}

#[derive(Clone, Copy, Debug)]
struct Question {
    at: Instant,
    /// The revision that was waited for then.
    wanted: u64,
    /// When that one was first asked for.
    since: Instant,
}

impl Pace {
    pub(crate) const fn new(liveness: Duration, now: Instant) -> Self {
        Self { liveness, heard: now, unanswered: None, newest: None }
    }

    /// Something came.
    pub(crate) const fn hear(&mut self, now: Instant) {
        (self.heard, self.unanswered) = (now, None);
    }

    /// A question was sent while `wanted` was waited for.
    pub(crate) fn ask(&mut self, wanted: u64, now: Instant) {
        self.unanswered.get_or_insert(now);
        let same = self.newest.filter(|newest| newest.wanted >= wanted);
        self.newest = Some(Question { at: now, wanted, since: same.map_or(now, |same| same.since) });
    }

    /// When to ask next: at once if somebody has begun to wait for a revision later than what was `seen`, soon
    /// while somebody still does, else after a while of silence.
    pub(crate) fn next_question(&self, wanted: u64, seen: u64, now: Instant) -> Instant {
        let quiet = self.newest.map_or(self.heard, |newest| newest.at.max(self.heard)) + self.beat();
        match self.newest {
            _ if wanted <= seen => quiet,
            Some(newest) if newest.wanted >= wanted => {
                let is_hurried = newest.at < newest.since + HURRY;
                if is_hurried { newest.at + AGAIN } else { quiet }
            }
            _ => now,
        }
    }

    /// When the watch is given up. Only a question that was not answered counts: a watch that nobody looked
    /// at for a while may have been silent because nobody asked.
    pub(crate) fn deadline(&self, now: Instant) -> Instant {
        self.unanswered.unwrap_or(now) + self.liveness - self.beat()
    }

    fn beat(&self) -> Duration {
        self.liveness / 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVENESS: Duration = Duration::from_secs(15);
    const BEAT: Duration = Duration::from_secs(5);

    fn pace() -> (Pace, Instant) {
        let now = Instant::now();
        (Pace::new(LIVENESS, now), now)
    }

    #[test]
    fn silence_is_questioned_and_then_taken_for_death() {
        let (mut pace, now) = pace();
        assert_eq!(pace.next_question(0, 0, now), now + BEAT);
        assert!(pace.deadline(now) > now + BEAT, "nothing was asked yet");
        pace.ask(0, now + BEAT);
        assert_eq!(pace.next_question(0, 0, now), now + BEAT * 2);
        pace.ask(0, now + BEAT * 2);
        assert_eq!(pace.deadline(now + BEAT * 2), now + LIVENESS);
        pace.hear(now + BEAT * 2);
        assert_eq!(pace.next_question(0, 0, now), now + BEAT * 3);
        assert!(pace.deadline(now + BEAT * 3) > now + LIVENESS);
    }

    #[test]
    fn a_watch_that_nobody_looked_at_is_asked_before_it_is_given_up() {
        let (pace, now) = pace();
        let later = now + LIVENESS * 10;
        assert!(pace.next_question(0, 0, later) < later);
        assert!(pace.deadline(later) > later);
    }

    #[test]
    fn a_revision_that_somebody_waits_for_is_asked_for_at_once_and_soon_again() {
        let (mut pace, now) = pace();
        assert_eq!(pace.next_question(8, 7, now), now);
        pace.ask(8, now);
        assert_eq!(pace.next_question(8, 7, now), now + AGAIN);
        // An answer from a member that lags behind.
        pace.hear(now);
        assert_eq!(pace.next_question(8, 7, now), now + AGAIN);
        assert_eq!(pace.next_question(9, 7, now), now, "somebody waits for a later one");
        assert_eq!(pace.next_question(8, 8, now), now + BEAT);
    }

    #[test]
    fn a_revision_that_never_comes_is_not_asked_for_for_ever() {
        let (mut pace, now) = pace();
        pace.ask(8, now);
        let later = now + HURRY;
        pace.ask(8, later);
        assert_eq!(pace.next_question(8, 7, later), later + BEAT);
    }
}
