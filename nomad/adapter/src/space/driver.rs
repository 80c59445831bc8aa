//! The task of a space: hears what has changed, reads it, tells it. One loop owns all state; reads run beside it.
//!
//! Invariant: a service is read only while the place as a whole can be; nothing is told of a place that is not believed.

mod entry;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, FuturesUnordered};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, info, warn};

use super::doubt::{Belief, Doubt, Reason};
use super::events::{Changes, Heard, listen};
use super::round::{Audit, Round, glance, look};
use super::{Pulse, ServiceList, Shared, tell};
use crate::api::{Api, Spec};
use crate::client::{Failure, Kind};
use crate::counters::count;
use crate::options::NomadOptions;
use crate::reading::{CheckReading, Reading, SpecKey, read};
use crate::report::Report;
use crate::service::CheckPace;
use biplane_source::pace::{self, Backoff};
use entry::Entry;
use told::{held, pause};

/// How many services are read at a time; each read asks several questions.
const READS_MAX: usize = 16;

/// How long nothing is looked at while the stream of events comes about, after which everything is.
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// The pause between two reads of one service: a deployment tells many things at once.
const SPACING: Duration = Duration::from_millis(50);

/// The pause between two readings of the list of services.
const LIST_SPACING: Duration = Duration::from_millis(200);

/// How often checks that do not pass are looked at: at first, and after a while.
const EAGER_INTERVAL: Duration = Duration::from_millis(300);
const FAILING_INTERVAL: Duration = Duration::from_secs(2);

/// The task's state.
pub(super) struct Driver {
    api: Arc<Api>,
    options: NomadOptions,
    report: Report,
    pulse: watch::Receiver<Pulse>,
    accepted: u64,
    shared: Arc<Shared>,
    entries: BTreeMap<String, Entry>,
    specs: BTreeMap<SpecKey, Arc<Spec>>,
    doubt: Doubt,
    /// The services that were told last.
    listed: ServiceList,
    /// Those of them that were lost with what servers have forgotten: told until then, or they come back, or somebody accepts.
    lost: Option<(ServiceList, Instant)>,
    place: PlaceState,
    events: BoxStream<'static, Heard>,
    /// Where the stream of events begins after an end.
    index: Arc<AtomicU64>,
    under_way: FuturesUnordered<BoxFuture<'static, Done>>,
    reads: usize,
    /// Whether somebody has begun or stopped to watch.
    is_swept: bool,
}

/// How the place as a whole is doing.
struct PlaceState {
    /// When all of it is looked at next.
    due: Instant,
    /// Whether the list of services has changed since it was read.
    list_is_old: bool,
    /// Before this the list alone is not read.
    list_not_before: Instant,
    looking: bool,
    /// Events may have been missed since it was looked at: somebody else may answer now.
    is_unsure: bool,
    /// `None`: not known yet.
    outcome: Option<Result<(), Failure>>,
    /// Whether events are heard.
    hearing: bool,
    backoff: Backoff,
}

/// What has ended.
enum Done {
    Round(Result<Round, Failure>),
    Read(String, Result<Reading, Failure>),
    Checks(String, CheckReading),
}

impl Driver {
    pub(super) fn new(
        api: Api,
        options: NomadOptions,
        report: Report,
        pulse: watch::Receiver<Pulse>,
        shared: Arc<Shared>,
    ) -> Self {
        let index = Arc::new(AtomicU64::new(0));
        let events = listen(api.clone(), options.tuning.clone(), Arc::clone(&index));
        let place = PlaceState {
            // Or as soon as it is known whether there are events.
            due: Instant::now() + FIRST_LOOK,
            list_is_old: false,
            list_not_before: Instant::now(),
            looking: false,
            is_unsure: false,
            outcome: None,
            hearing: false,
            backoff: Backoff::new(options.tuning.retry_max),
        };
        let accepted = pulse.borrow().accepted;
        let doubt = Doubt::new(options.tuning.confirm);
        let (entries, specs, under_way) = (BTreeMap::new(), BTreeMap::new(), FuturesUnordered::new());
        let api = Arc::new(api);
        Self {
            api,
            options,
            report,
            pulse,
            accepted,
            shared,
            entries,
            specs,
            doubt,
            listed: ServiceList::new(),
            lost: None,
            place,
            events,
            index,
            under_way,
            reads: 0,
            is_swept: false,
        }
    }

    /// For as long as somebody holds the space.
    pub(super) async fn run(mut self) {
        loop {
            self.adopt();
            self.launch();
            let next = self.next_due();
            tokio::select! {
                Some(heard) = self.events.next() => self.heard(heard),
                Some(done) = self.under_way.next() => self.take(done),
                () = self.shared.wake.notified() => self.is_swept = false,
                Ok(()) = self.pulse.changed() => self.called(),
                () = sleep_until(next) => {}
            }
        }
    }

    /// Takes up what is watched, and lets go of what is not any more.
    fn adopt(&mut self) {
        if std::mem::replace(&mut self.is_swept, true) {
            return;
        }
        let now = Instant::now();
        let watched = self.shared.watched();
        self.entries.retain(|name, _| watched.contains(name));
        for name in watched {
            if !self.entries.contains_key(&name) {
                if let Some(Err(failure)) = &self.place.outcome {
                    self.shared.tell(&name, Err(failure.error.clone()));
                }
                let backoff = Backoff::new(self.options.tuning.retry_max);
                self.entries.insert(name, Entry::new(now, backoff));
            }
        }
    }

    /// Begins what is due.
    fn launch(&mut self) {
        let now = Instant::now();
        self.look_around(now);
        if !self.can_read() {
            return;
        }
        let pace = self.check_pace();
        for (name, entry) in &mut self.entries {
            if entry.is_due(now) && self.reads < READS_MAX {
                self.reads += 1;
                entry.begin();
                let known = entry.service.known(&self.specs);
                let (api, name) = (Arc::clone(&self.api), name.clone());
                self.under_way.push(Box::pin(async move {
                    let reading = read(&api, &name, &known).await;
                    Done::Read(name, reading)
                }));
            }
            for allocation in entry.begin_checks(pace, now) {
                count(&self.api.client.tally().check_reads);
                let (api, name) = (Arc::clone(&self.api), name.clone());
                self.under_way.push(Box::pin(async move {
                    let checks = api.checks(&allocation).await;
                    Done::Checks(name, CheckReading::from([(allocation, checks)]))
                }));
            }
        }
    }

    /// Looks at the place as a whole, or at its list of services, if that is due.
    fn look_around(&mut self, now: Instant) {
        let is_whole = self.place.due <= now;
        if self.place.looking || !(is_whole || self.is_list_due(now)) {
            return;
        }
        (self.place.looking, self.place.list_is_old) = (true, false);
        self.place.list_not_before = now + LIST_SPACING;
        if is_whole {
            let usual = if self.place.hearing { self.options.refresh } else { self.options.tuning.poll };
            self.place.due = now + pace::around(usual.min(self.options.refresh));
        }
        let api = Arc::clone(&self.api);
        self.under_way.push(Box::pin(async move {
            Done::Round(if is_whole { look(&api).await } else { glance(&api).await })
        }));
    }

    /// Whether the list of services is to be read again. While nobody wants it, it is not; and whoever comes next is not
    /// told what it was.
    fn is_list_due(&self, now: Instant) -> bool {
        let is_old = self.place.list_is_old && matches!(self.place.outcome, Some(Ok(())));
        if is_old && self.shared.list.receiver_count() == 0 {
            self.shared.list.send_replace(None);
            return false;
        }
        is_old && self.place.list_not_before <= now
    }

    /// Whether services are read: the place can be, and nothing is to be found out about it first.
    fn can_read(&self) -> bool {
        matches!(self.place.outcome, Some(Ok(()))) && !self.place.is_unsure
    }

    fn next_due(&self) -> Instant {
        let far = Instant::now() + self.options.refresh;
        let is_list_wanted =
            self.place.list_is_old && self.shared.list.receiver_count() > 0 && self.can_read();
        let list = is_list_wanted.then_some(self.place.list_not_before);
        let place = [Some(self.place.due), list].into_iter().flatten().filter(|_| !self.place.looking);
        let can_read = self.can_read();
        let has_room = self.reads < READS_MAX;
        let entries = self.entries.values().filter(|_| can_read).filter_map(|entry| entry.next_due(has_room));
        entries.chain(place).min().unwrap_or(far).min(far)
    }

    /// Everything is read again, or believed.
    fn called(&mut self) {
        let pulse = *self.pulse.borrow_and_update();
        if pulse.accepted != self.accepted {
            self.accepted = pulse.accepted;
            self.doubt.accept();
            self.lost = None;
            self.entries.values_mut().for_each(|entry| entry.held = None);
        }
        self.everything_is_due();
    }

    fn everything_is_due(&mut self) {
        let now = Instant::now();
        self.place.due = now;
        self.entries.values_mut().for_each(|entry| entry.changed(now));
    }

    fn heard(&mut self, heard: Heard) {
        match heard {
            Heard::Opened => {
                (self.place.hearing, self.place.is_unsure) = (true, true);
                self.specs.clear();
                self.everything_is_due();
            }
            Heard::Changed(changes) => self.changed(&changes),
            Heard::Closed(failure) => {
                let was_heard = std::mem::take(&mut self.place.hearing);
                debug!(place = %self.api.place, error = %failure.error, "no events from Nomad");
                // Whether anything can be read at all is worth knowing at once.
                if was_heard || self.place.outcome.is_none() {
                    (self.place.due, self.place.is_unsure) = (Instant::now(), true);
                }
            }
        }
    }

    fn changed(&mut self, changes: &Changes) {
        let now = Instant::now();
        self.specs.retain(|(job, _, _), _| !changes.ended.contains(job));
        for (name, entry) in &mut self.entries {
            if changes.services.contains(name) || !entry.service.jobs().is_disjoint(&changes.jobs) {
                entry.changed(now);
            }
        }
        if !changes.services.is_empty() {
            self.place.list_is_old = true;
        }
    }

    fn take(&mut self, done: Done) {
        match done {
            Done::Round(outcome) => {
                self.place.looking = false;
                match outcome {
                    Ok(round) => self.looked(&round),
                    Err(failure) => self.place_failed(failure),
                }
            }
            Done::Read(name, outcome) => {
                self.reads -= 1;
                match outcome {
                    Ok(reading) => self.was_read(&name, reading),
                    Err(failure) => self.read_failed(&name, failure),
                }
            }
            Done::Checks(name, checks) => {
                if let Some(entry) = self.entries.get_mut(&name) {
                    entry.checking.retain(|allocation| !checks.contains_key(allocation));
                    entry.service.take_checks(checks, Instant::now());
                    self.settle(&name);
                }
            }
        }
    }

    fn looked(&mut self, round: &Round) {
        let keys = round.audit.as_ref().and_then(|audit| audit.keys.as_ref());
        let are_known = self.doubt.knows_keys();
        match self.doubt.hear(round.index, keys, Instant::now()) {
            Belief::Doubted(reason, again) => return self.doubted(reason, again),
            Belief::Confirmed(reason) => self.confirmed(reason, are_known),
            Belief::Believed => {}
        }
        self.index.store(self.doubt.high(), Ordering::Relaxed);
        if !matches!(self.place.outcome.replace(Ok(())), Some(Ok(()))) {
            self.place.backoff.reset();
            self.entries.values_mut().for_each(|entry| entry.hurry(Instant::now()));
        }
        self.report.looked(&self.api.place, Ok(()));
        self.listed.clone_from(&round.services);
        self.list_lost();
        tell(&self.shared.list, Ok(self.listed.clone()));
        if let Some(audit) = &round.audit {
            self.place.is_unsure = false;
            self.audit(round, audit);
        }
    }

    /// What is lost has its place in the list: its routes stay as long as its endpoints.
    fn list_lost(&mut self) {
        let now = Instant::now();
        self.lost.take_if(|(_, until)| *until <= now);
        let Some((lost, _)) = &mut self.lost else { return };
        lost.retain(|name, _| !self.listed.contains_key(name));
        self.listed.extend(lost.clone());
    }

    /// Services that cannot have changed are not read; those that are not there need not be.
    fn audit(&mut self, round: &Round, audit: &Audit) {
        let now = Instant::now();
        let mut absent = Vec::new();
        for (name, entry) in &mut self.entries {
            if !round.services.contains_key(name) && entry.service.is_empty() && !entry.reading {
                entry.rest();
                absent.push(name.clone());
            } else if !entry.is_as_of(round.index, audit.allocations_index) {
                entry.audited(now);
            }
        }
        for name in absent {
            self.settle(&name);
        }
        // What a job says is read again when it is needed again.
        let jobs: BTreeSet<&String> = self.entries.values().flat_map(|entry| entry.service.jobs()).collect();
        self.specs.retain(|(job, _, _), _| jobs.contains(job));
    }

    fn was_read(&mut self, name: &str, reading: Reading) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        entry.reading = false;
        if self.doubt.is_behind(reading.index) {
            // Somebody has forgotten something, or is late: the place is looked at first.
            entry.retry(Instant::now() + SPACING);
            self.place.due = Instant::now();
            return;
        }
        count(&self.api.client.tally().reads);
        let new = reading.specs.iter().filter(|(key, _)| reading.new_specs.contains(key));
        self.specs.extend(new.map(|(key, spec)| (key.clone(), Arc::clone(spec))));
        entry.service.take(reading, Instant::now());
        entry.read(Instant::now() + SPACING);
        self.settle(name);
    }

    fn read_failed(&mut self, name: &str, failure: Failure) {
        count(&self.api.client.tally().read_failures);
        let Some(entry) = self.entries.get_mut(name) else { return };
        entry.reading = false;
        let delay = entry.backoff.delay();
        entry.retry(Instant::now() + pause(&failure) + delay);
        // It may be more than this service.
        if matches!(failure.kind, Kind::Down | Kind::Denied) {
            self.place.due = Instant::now();
        }
        self.shared.tell(name, Err(failure.error));
    }

    /// Tells what follows from what is known of a service, and sees to what is next.
    fn settle(&mut self, name: &str) {
        let now = Instant::now();
        let pace = self.check_pace();
        let Some(entry) = self.entries.get_mut(name) else { return };
        let instances = entry.service.instances(now);
        entry.plan(pace, now);
        if let Some((reason, until)) = entry.held {
            let serves = instances.iter().any(|placed| placed.health.is_usable());
            if !serves && now < until {
                let failure = held(&self.api, &self.options.name, name, reason);
                self.shared.tell(name, Err(failure.error));
                return;
            }
            entry.held = None;
        }
        let is_drift = std::mem::take(&mut entry.by_audit);
        entry.serves = instances.iter().any(|placed| placed.health.is_usable());
        let is_told = matches!(self.place.outcome, Some(Ok(()))) && self.shared.tell(name, Ok(instances));
        if is_told && is_drift && self.place.hearing {
            count(&self.api.client.tally().drifts);
        }
    }

    /// As often as is wanted, unless that were too many questions.
    fn check_pace(&self) -> CheckPace {
        let (passing, others) = self
            .entries
            .values()
            .map(|entry| entry.checked)
            .fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
        let least = |count: usize| {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            Duration::from_secs(1) * count / self.options.tuning.checks_per_second.max(1)
        };
        let passing = self.options.check_interval.max(least(passing));
        let eager = EAGER_INTERVAL.min(passing).max(least(others));
        let failing = FAILING_INTERVAL.min(passing).max(least(others));
        CheckPace { passing, eager, failing }
    }
}
