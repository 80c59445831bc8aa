//! What the kernel has told and nobody has read yet, and when it is time to read it. Pure: the
//! clock comes from the caller.
//!
//! Every path carries a mark that says when it may be read on its own:
//!
//! | mark | seen | may be read |
//! |---|---|---|
//! | ready | closed after writing, renamed here, link or directory changed | at once |
//! | created | created, nothing more: a link, a hard link, or the start of a write | after 20 ms |
//! | writing | written to, not closed | 1 s after the last write, at most 10 s |
//! | gone | deleted, or renamed to a name that does not count (an editor's backup) | after 50 ms |
//!
//! A batch is ripe when all its marks are and events have paused for a while: 1 ms, or half as
//! long as the burst has lasted, up to 20 ms, or as the reader's [`Pace`] says. A batch that is not ripe after 1 s goes
//! without those that hold it up, and they hold up no other batch.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const CREATED: Duration = Duration::from_millis(20);
const GONE: Duration = Duration::from_millis(50);
const WRITING_PAUSE: Duration = Duration::from_secs(1);
const WRITING_MAX: Duration = Duration::from_secs(10);
const BATCH_MAX: Duration = Duration::from_secs(1);

/// More paths than this are not worth telling apart: everything is compared instead.
const PATHS_MAX: usize = 100_000;

/// What an event says about a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// A file or link was created.
    Created,
    /// Content was written or cut.
    Written,
    /// A writer closed it.
    Closed,
    /// It was put here whole.
    Ready,
    /// Its mode or owner changed.
    Touched,
    /// It is not there any more.
    Gone,
}

/// The paths of one reading.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    /// What to look at.
    pub(crate) paths: BTreeSet<PathBuf>,
    /// Those of them of which nothing but the mode or the owner has changed.
    pub(crate) touched: BTreeSet<PathBuf>,
    /// Events were lost: look at everything.
    pub(crate) rescan: bool,
}

impl Batch {
    /// Whether there is nothing to look at.
    pub(crate) fn is_empty(&self) -> bool {
        self.paths.is_empty() && !self.rescan
    }
}

/// When to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing is pending.
    Idle,
    /// Not before this, unless more is told.
    Wait(Instant),
    /// Now.
    Ripe,
}

impl Verdict {
    fn at(ripe: Option<Instant>, now: Instant) -> Self {
        match ripe {
            None => Self::Idle,
            Some(at) if at <= now => Self::Ripe,
            Some(at) => Self::Wait(at),
        }
    }
}

/// How long events have to pause until a burst of them is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// At least.
    pub(crate) min: Duration,
    /// At most, however long the burst has lasted.
    pub(crate) max: Duration,
}

/// Marks by path.
#[derive(Debug)]
pub(crate) struct Pending {
    pace: Pace,
    marks: HashMap<PathBuf, Mark>,
    rescan: bool,
    burst: Option<Burst>,
}

#[derive(Clone, Copy, Debug)]
struct Burst {
    first: Instant,
    last: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    state: Sign,
    since: Instant,
    last: Instant,
    /// It has held up a batch for as long as it may, and waits by itself from now on.
    alone: bool,
}

impl Pending {
    /// Nothing yet.
    pub(crate) fn new(pace: Pace) -> Self {
        Self { pace, marks: HashMap::new(), rescan: false, burst: None }
    }

    /// Takes in one event.
    pub(crate) fn note(&mut self, path: &Path, sign: Sign, now: Instant) {
        let full = self.marks.len() >= PATHS_MAX;
        match self.marks.get_mut(path) {
            Some(mark) => {
                mark.update(sign, now);
                mark.alone &= mark.state == Sign::Written;
                if mark.alone {
                    return;
                }
            }
            None if full => self.rescan = true,
            None => {
                self.marks.insert(path.to_owned(), Mark { state: sign, since: now, last: now, alone: false });
            }
        }
        self.prolong(now);
    }

    /// It turned out not to matter.
    pub(crate) fn unmark(&mut self, path: &Path) {
        self.marks.remove(path);
        if self.marks.is_empty() && !self.rescan {
            // Else the next edit, however much later, would seem to go on with this burst.
            self.burst = None;
        }
    }

    /// Whether the path was written to and not closed.
    pub(crate) fn is_being_written(&self, path: &Path) -> bool {
        self.marks.get(path).is_some_and(|mark| mark.state == Sign::Written)
    }

    /// Events were lost.
    pub(crate) fn lose(&mut self, now: Instant) {
        self.prolong(now);
        self.rescan = true;
    }

    /// Whether it is time to read.
    pub(crate) fn verdict(&self, now: Instant) -> Verdict {
        Verdict::at(self.ripe_at(), now)
    }

    /// Whether it is time to read the present batch, those that wait alone left out.
    pub(crate) fn batch_verdict(&self, now: Instant) -> Verdict {
        Verdict::at(self.batch_ripe_at(), now)
    }

    /// Hands out what may be read now. What holds up a batch that is ripe waits alone from now on.
    pub(crate) fn take(&mut self, now: Instant) -> Batch {
        let whole = self.batch_verdict(now) == Verdict::Ripe;
        let is_ripe = |mark: &Mark| mark.due() <= now && (whole || mark.alone);
        let mut batch = Batch::default();
        for (path, mark) in self.marks.extract_if(|_, mark| is_ripe(mark)) {
            if mark.state == Sign::Touched {
                batch.touched.insert(path.clone());
            }
            batch.paths.insert(path);
        }
        if !whole {
            return batch;
        }
        for mark in self.marks.values_mut() {
            mark.alone = true;
        }
        self.burst = None;
        batch.rescan = std::mem::take(&mut self.rescan);
        batch
    }

    fn prolong(&mut self, now: Instant) {
        let first = self.burst.map_or(now, |burst| burst.first);
        self.burst = Some(Burst { first, last: now });
    }

    fn ripe_at(&self) -> Option<Instant> {
        let alone = self.marks.values().filter(|mark| mark.alone).map(Mark::due).min();
        alone.into_iter().chain(self.batch_ripe_at()).min()
    }

    fn batch_ripe_at(&self) -> Option<Instant> {
        let burst = self.burst?;
        let due = || self.marks.values().filter(|mark| !mark.alone).map(Mark::due);
        if due().next().is_none() && !self.rescan {
            return None;
        }
        let all = due().chain([burst.quiet_at(self.pace)]).max()?;
        let some = due().chain(self.rescan.then_some(burst.first)).min()?;
        Some(all.min(some.max(burst.first + BATCH_MAX)))
    }
}

impl Burst {
    fn quiet_at(self, pace: Pace) -> Instant {
        self.last + ((self.last - self.first) / 2).clamp(pace.min, pace.max)
    }
}

impl Mark {
    fn update(&mut self, sign: Sign, now: Instant) {
        self.last = now;
        let state = match (self.state, sign) {
            (state, Sign::Touched) => state,
            (_, sign) => sign,
        };
        let goes_on = state == self.state || (self.state, state) == (Sign::Created, Sign::Written);
        if !goes_on {
            self.since = now;
        }
        self.state = state;
    }

    fn due(&self) -> Instant {
        match self.state {
            Sign::Ready | Sign::Closed | Sign::Touched => self.since,
            Sign::Created => self.since + CREATED,
            Sign::Gone => self.since + GONE,
            Sign::Written => (self.last + WRITING_PAUSE).min(self.since + WRITING_MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interest::Interest;

    const QUIET_MIN: Duration = Interest::Documents.pace().min;

    fn empty() -> Pending {
        Pending::new(Interest::Documents.pace())
    }

    /// Plays events at milliseconds and says when the batch is ripe, in milliseconds.
    fn ripe_at(events: &[(u64, &str, Sign)]) -> Option<u128> {
        let start = Instant::now();
        let mut pending = empty();
        for (at, path, sign) in events {
            pending.note(Path::new(path), *sign, start + Duration::from_millis(*at));
        }
        pending.ripe_at().map(|at| (at - start).as_millis())
    }

    #[test]
    fn an_atomic_save_waits_a_millisecond() {
        assert_eq!(ripe_at(&[(0, "/a.yaml", Sign::Ready)]), Some(1));
    }

    #[test]
    fn a_write_in_place_waits_for_its_close() {
        let open = [(0, "/a.yaml", Sign::Written), (10, "/a.yaml", Sign::Written)];
        assert_eq!(ripe_at(&open), Some(1010));
        let closed = [open[0], open[1], (12, "/a.yaml", Sign::Ready)];
        assert_eq!(ripe_at(&closed), Some(18));
    }

    #[test]
    fn a_save_that_first_moves_the_file_away_is_no_removal() {
        let moved = [(0, "/a.yaml", Sign::Gone)];
        assert_eq!(ripe_at(&moved), Some(50));
        let saved = [
            moved[0],
            (1, "/a.yaml", Sign::Created),
            (2, "/a.yaml", Sign::Written),
            (3, "/a.yaml", Sign::Ready),
        ];
        assert_eq!(ripe_at(&saved), Some(4));
    }

    #[test]
    fn a_long_burst_earns_a_longer_pause() {
        let burst = [(0, "/a.yaml", Sign::Ready), (30, "/b.yaml", Sign::Ready)];
        assert_eq!(ripe_at(&burst), Some(45));
    }

    #[test]
    fn a_reader_of_values_leaves_more_time_between_two_files() {
        let start = Instant::now();
        let mut pending = Pending::new(Interest::Values.pace());
        pending.note(Path::new("/tls.crt"), Sign::Closed, start);
        assert_eq!(pending.verdict(start), Verdict::Wait(start + Duration::from_millis(100)));
    }

    #[test]
    fn what_turned_out_not_to_matter_begins_no_burst() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut pending = empty();
        pending.note(Path::new("/4913"), Sign::Created, at(0));
        pending.unmark(Path::new("/4913"));
        pending.note(Path::new("/a.yaml"), Sign::Ready, at(60_000));
        pending.note(Path::new("/b.yaml"), Sign::Gone, at(60_000));
        assert_eq!(pending.verdict(at(60_001)), Verdict::Wait(at(60_050)), "both belong to one edit");
    }

    #[test]
    fn an_endless_burst_is_read_after_a_second() {
        let burst: Vec<_> = (0..200).map(|n| (n * 10, "/a.yaml", Sign::Ready)).collect();
        assert_eq!(ripe_at(&burst), Some(1000));
    }

    #[test]
    fn one_writer_holds_up_one_batch_for_a_second_and_no_other() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut pending = empty();
        pending.note(Path::new("/fast.yaml"), Sign::Ready, at(0));
        (0..=11).for_each(|n| pending.note(Path::new("/slow.yaml"), Sign::Written, at(n * 100)));
        assert_eq!(pending.verdict(at(1100)), Verdict::Ripe);
        assert_eq!(pending.take(at(1100)).paths, BTreeSet::from(["/fast.yaml".into()]));
        pending.note(Path::new("/next.yaml"), Sign::Ready, at(1200));
        assert_eq!(pending.verdict(at(1201)), Verdict::Ripe);
        assert_eq!(pending.take(at(1201)).paths, BTreeSet::from(["/next.yaml".into()]));
        assert_eq!(pending.verdict(at(1201)), Verdict::Wait(at(2100)));
    }

    #[test]
    fn a_writer_that_never_closes_is_read_after_ten_seconds() {
        let writes: Vec<_> = (0..300).map(|n| (n * 100, "/log.yaml", Sign::Written)).collect();
        let mut pending = empty();
        let start = Instant::now();
        for (at, path, sign) in writes {
            pending.note(Path::new(path), sign, start + Duration::from_millis(at));
        }
        assert_eq!(pending.marks[Path::new("/log.yaml")].due(), start + WRITING_MAX);
    }

    #[test]
    fn lost_events_are_read_like_any_other() {
        let now = Instant::now();
        let mut pending = empty();
        assert_eq!(pending.verdict(now), Verdict::Idle);
        pending.lose(now);
        assert_eq!(pending.verdict(now + QUIET_MIN), Verdict::Ripe);
        assert!(pending.take(now + QUIET_MIN).rescan);
        assert_eq!(pending.verdict(now + QUIET_MIN), Verdict::Idle);
    }

    #[test]
    fn a_batch_tells_a_mode_change_from_everything_else() {
        let now = Instant::now();
        let mut pending = empty();
        pending.note(Path::new("/moved-here"), Sign::Ready, now);
        pending.note(Path::new("/moved-here"), Sign::Touched, now);
        pending.note(Path::new("/team"), Sign::Touched, now);
        assert_eq!(pending.take(now + QUIET_MIN).touched, BTreeSet::from(["/team".into()]));
    }

    #[test]
    fn a_mode_change_does_not_end_a_write() {
        let events = [(0, "/a.yaml", Sign::Written), (1, "/a.yaml", Sign::Touched)];
        assert_eq!(ripe_at(&events), Some(1001));
    }
}
