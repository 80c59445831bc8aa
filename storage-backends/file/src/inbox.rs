//! The meeting point of the kernel's events and their readers. The handler runs on notify's thread
//! and must be quick: it drops what cannot matter, marks the rest, and wakes the readers.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode};
use notify::{Event, EventKind};
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until};
use tracing::warn;

use crate::interest::Interest;
use crate::pending::{Batch, Pending, Sign, Verdict};

/// Events come in bursts: after the first one the others are left this long to arrive.
pub(crate) const LULL: Duration = Duration::from_millis(1);

/// Events on their way from the kernel to the tree.
#[derive(Debug)]
pub(crate) struct Inbox {
    interest: Interest,
    state: Mutex<State>,
    arrived: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    pending: Pending,
    /// Directories that are read, links that are followed, and files behind links: their names may be
    /// anything.
    known: HashSet<PathBuf>,
    /// Events cannot be had: compare from time to time.
    deaf: bool,
}

impl Inbox {
    /// Of a reader of these.
    pub(crate) fn new(interest: Interest) -> Self {
        let state = State { pending: Pending::new(interest.pace()), known: HashSet::new(), deaf: false };
        Self { interest, state: Mutex::new(state), arrived: watch::Sender::default() }
    }

    /// Takes in what notify tells.
    pub(crate) fn handle(&self, event: notify::Result<Event>) {
        let now = Instant::now();
        let event = match event {
            Ok(event) if !event.need_rescan() => event,
            Ok(_) => return self.lose("the kernel's queue overflowed", now),
            Err(error) => return self.lose(&error.to_string(), now),
        };
        let Some((path, sign)) = event.paths.first().zip(self.sign(&event)) else { return };
        if self.lock().note(self.interest, path, sign, now) {
            self.wake();
        }
    }

    /// Wakes its holder when something arrives.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.arrived.subscribe()
    }

    /// Whether it is time to read.
    pub(crate) fn verdict(&self) -> Verdict {
        self.lock().pending.verdict(Instant::now())
    }

    /// The same of the present batch, without writers that have held up another one already.
    pub(crate) fn batch_verdict(&self) -> Verdict {
        self.lock().pending.batch_verdict(Instant::now())
    }

    /// Waits until the present batch is ripe; returns at once if there is none.
    pub(crate) async fn lull(&self) {
        let mut arrived = self.subscribe();
        while let Verdict::Wait(until) = self.batch_verdict() {
            wait(until, &mut arrived).await;
        }
    }

    /// Takes what may be read now.
    pub(crate) fn take(&self) -> Batch {
        self.lock().pending.take(Instant::now())
    }

    /// Whether somebody has the file open and has written to it. It is read when that ends.
    pub(crate) fn is_being_written(&self, path: &Path) -> bool {
        self.lock().pending.is_being_written(path)
    }

    /// From now on events of this path matter whatever its name. To be called before it is read.
    pub(crate) fn know(&self, path: &Path) {
        let mut state = self.lock();
        if !state.known.contains(path) {
            state.known.insert(path.to_owned());
        }
    }

    /// Of all paths that were made known, only these still matter.
    pub(crate) fn know_only(&self, paths: HashSet<PathBuf>) {
        self.lock().known = paths;
    }

    /// Events cannot be had, and why.
    pub(crate) fn go_deaf(&self, why: &str) {
        let was_deaf = std::mem::replace(&mut self.lock().deaf, true);
        if !was_deaf {
            warn!(why, "files cannot be watched, all are compared every few seconds instead");
        }
    }

    /// Whether files have to be compared because events cannot be had.
    pub(crate) fn is_deaf(&self) -> bool {
        self.lock().deaf
    }

    /// Events were lost, or may have been.
    pub(crate) fn lose(&self, why: &str, now: Instant) {
        warn!(why, "file events were lost, all files are compared");
        self.lock().pending.lose(now);
        self.wake();
    }

    /// What an event says about its first path.
    fn sign(&self, event: &Event) -> Option<Sign> {
        match event.kind {
            EventKind::Create(CreateKind::Folder) | EventKind::Modify(ModifyKind::Name(RenameMode::To)) => {
                Some(Sign::Ready)
            }
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(Sign::Closed),
            EventKind::Create(_) => Some(Sign::Created),
            EventKind::Modify(ModifyKind::Data(_)) => Some(Sign::Written),
            EventKind::Modify(ModifyKind::Metadata(_)) => Some(Sign::Touched),
            EventKind::Modify(ModifyKind::Name(RenameMode::From)) | EventKind::Remove(_) => Some(Sign::Gone),
            // A rename between two names that count is one step: its first half need not be waited out.
            EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => {
                event.paths.get(1).filter(|path| self.interest.names(path)).map(|_| Sign::Closed)
            }
            _ => None,
        }
    }

    fn wake(&self) {
        self.arrived.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Marks are whole after every step, and notify's thread must never die of a reader's panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Marks the path if it may matter, and says whether it does.
    fn note(&mut self, interest: Interest, path: &Path, sign: Sign, now: Instant) -> bool {
        let name = path.file_name().unwrap_or_default();
        if interest.counts(path, &self.known) {
            self.pending.note(path, sign, now);
            return true;
        }
        match sign {
            // A directory or a link to one may have come.
            Sign::Created | Sign::Ready if interest.leads(name) => self.pending.note(path, sign, now),
            // It was a file, and one of this name is not read.
            Sign::Written | Sign::Closed | Sign::Gone => self.pending.unmark(path),
            _ => return false,
        }
        true
    }
}

/// Waits until then, or until more has arrived and had the time to be complete.
pub(crate) async fn wait(until: Instant, arrived: &mut watch::Receiver<u64>) {
    tokio::select! {
        () = sleep_until(until.into()) => {}
        _ = arrived.changed() => sleep(LULL).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventKind, paths: &[&str]) -> Event {
        paths.iter().fold(Event::new(kind), |event, path| event.add_path(path.into()))
    }

    /// What is ripe a moment later; what has to wait for something is not.
    fn soon(inbox: &Inbox) -> Batch {
        inbox.lock().pending.take(Instant::now() + Duration::from_millis(5))
    }

    fn verdict_after(events: Vec<Event>) -> Verdict {
        let inbox = Inbox::new(Interest::Documents);
        for event in events {
            inbox.handle(Ok(event));
        }
        inbox.verdict()
    }

    #[test]
    fn temporary_files_that_come_and_go_leave_nothing_to_do() {
        let create = EventKind::Create(CreateKind::File);
        let remove = EventKind::Remove(notify::event::RemoveKind::File);
        assert_eq!(
            verdict_after(vec![event(create, &["/r/4913"]), event(remove, &["/r/4913"])]),
            Verdict::Idle
        );
        assert_eq!(verdict_after(vec![event(create, &["/r/.a.swp"])]), Verdict::Idle);
    }

    #[test]
    fn our_own_reading_wakes_nobody() {
        let open = EventKind::Access(AccessKind::Open(AccessMode::Any));
        assert_eq!(verdict_after(vec![event(open, &["/r/a.yaml"])]), Verdict::Idle);
    }

    #[test]
    fn a_rename_between_names_that_count_is_not_waited_out() {
        let mode = |mode| EventKind::Modify(ModifyKind::Name(mode));
        let inbox = Inbox::new(Interest::Documents);
        inbox.handle(Ok(event(mode(RenameMode::From), &["/r/a.yaml"])));
        inbox.handle(Ok(event(mode(RenameMode::To), &["/r/b.yaml"])));
        inbox.handle(Ok(event(mode(RenameMode::Both), &["/r/a.yaml", "/r/b.yaml"])));
        assert_eq!(soon(&inbox).paths.len(), 2);
    }

    #[test]
    fn an_overflow_asks_for_a_rescan() {
        let inbox = Inbox::new(Interest::Documents);
        inbox.handle(Ok(Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan)));
        assert!(soon(&inbox).rescan);
    }

    #[test]
    fn names_that_are_known_count_whatever_they_are() {
        let to = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        let inbox = Inbox::new(Interest::Documents);
        inbox.handle(Ok(event(to, &["/r/..data"])));
        assert_eq!(inbox.verdict(), Verdict::Idle);
        inbox.know(Path::new("/r/..data"));
        inbox.handle(Ok(event(to, &["/r/..data"])));
        assert_eq!(soon(&inbox).paths.len(), 1);
    }
}
