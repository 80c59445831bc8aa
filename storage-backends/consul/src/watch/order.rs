//! Order over the parts: no revision is told before all that came up to it.
//!
//! Parts wake one by one, and the answer of a large one takes its time: a change of a small part may be heard before
//! an earlier one of a large part, or of a folder that is no part yet. So when something has changed, all that has
//! not been heard of since is asked for its names. They bear the same index as the content and are a few bytes; where
//! that index has moved, the content is on its way.

use std::collections::BTreeSet;
use std::time::Duration;

use biplane_consul_client::{Answer, Keys, Query};
use biplane_store::StoreError;
use futures::stream::{StreamExt as _, TryStreamExt as _, iter};
use tokio::time::{Instant, sleep};

use super::ask::{QUIET, Told};
use super::{Subject, Watch};
use crate::failure::whole;
use crate::shared::Handle;
use crate::view::Stop;

/// How many are asked at the same time: each is a connection beside those of the parts.
const AT_A_TIME: usize = 4;

/// How long an answer that is on its way is waited for before it is asked about again.
const LATE: Duration = Duration::from_millis(5);

/// How far all parts together have been seen.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// At which index the folders were last asked for new names.
    pub(super) folders: u64,
    /// Parts that had changed and had not been heard when they were last asked about.
    late: BTreeSet<String>,
    asking: bool,
}

/// What a look at the names has shown.
#[derive(Debug)]
pub(super) struct Names {
    /// The index that was known when they were asked for.
    at: u64,
    answers: Vec<(Subject, Answer<Option<Keys>>)>,
}

impl Watch {
    /// Up to which index nothing is missing.
    pub(super) fn complete(&self) -> u64 {
        if self.cover.is_whole() {
            return self.reached;
        }
        let parts = self.view.slowest().unwrap_or(self.reached);
        parts.min(self.order.folders).min(self.reached)
    }

    /// Asks after all that has not been heard of since the latest change.
    pub(super) fn confirm(&mut self) {
        if self.order.asking || self.complete() >= self.reached {
            return;
        }
        let subjects = self.unconfirmed();
        if subjects.is_empty() {
            return;
        }
        self.order.asking = true;
        let pause = self.order.late.iter().map(|part| self.rest(part) + LATE).max().unwrap_or_default();
        let (shared, at) = (self.shared.clone(), self.reached);
        let look = async move {
            sleep(pause).await;
            let answers = iter(subjects).map(|subject| names(&shared, subject)).buffer_unordered(AT_A_TIME);
            Told::Names(answers.try_collect().await.map(|answers| Names { at, answers }))
        };
        self.queries.push(Box::pin(look));
    }

    fn unconfirmed(&self) -> Vec<Subject> {
        let folders = self.cover.folders.iter().filter(|_| self.order.folders < self.reached);
        let is_late = |part: &&String| self.view.at(part) < self.reached && !self.is_asked(part);
        let parts = self.cover.parts.iter().filter(is_late);
        folders.cloned().map(Subject::Folder).chain(parts.cloned().map(Subject::Part)).collect()
    }

    /// Whether the present content of a part is under way already.
    pub(super) fn is_asked(&self, part: &str) -> bool {
        self.running.get(&Subject::Part(part.to_owned())).is_some_and(|running| !running.waits)
    }

    /// How long a part is still left alone because it has just cost so much.
    fn rest(&self, part: &str) -> Duration {
        let running = self.running.get(&Subject::Part(part.to_owned()));
        let due = running.map(|running| running.due.saturating_duration_since(Instant::now()));
        due.filter(|rest| *rest < QUIET / 2).unwrap_or_default()
    }

    pub(super) fn hear_names(&mut self, names: Names) -> Result<(), Stop> {
        self.order.asking = false;
        let before = std::mem::take(&mut self.order.late);
        for (subject, answer) in names.answers {
            match subject {
                Subject::Folder(_) => self.find_new(&answer)?,
                Subject::Part(part) if !self.cover.parts.contains(&part) => {}
                Subject::Part(part) if self.is_as_seen(&part, &answer) => self.view.reached(&part, names.at),
                Subject::Part(part) if before.contains(&part) && self.rest(&part).is_zero() => {
                    self.ask_now(part);
                }
                Subject::Part(part) => {
                    self.order.late.insert(part);
                }
            }
        }
        self.order.folders = self.order.folders.max(names.at);
        Ok(())
    }

    /// Names that no part covers become parts: until they have been heard, nothing is complete.
    fn find_new(&mut self, answer: &Answer<Option<Keys>>) -> Result<(), Stop> {
        let names: Vec<_> = answer.value.iter().flatten().filter_map(|key| self.name(key)).collect();
        for name in names {
            if !self.cover.covers(&name) {
                self.open_part(name)?;
            }
        }
        Ok(())
    }

    fn is_as_seen(&self, part: &str, answer: &Answer<Option<Keys>>) -> bool {
        // The index of a part with nothing in it is that of all keys.
        let is_still_empty = answer.value.is_none() && self.view.names(part).next().is_none();
        is_still_empty || answer.meta.index <= self.view.at(part)
    }
}

async fn names(shared: &Handle, subject: Subject) -> Result<(Subject, Answer<Option<Keys>>), StoreError> {
    let (Subject::Part(prefix) | Subject::Folder(prefix)) = &subject;
    let key = shared.place.config(prefix);
    let answer = shared.client.kv_keys(&key, Some("/"), &Query::default()).await;
    let answer = answer.map_err(|error| shared.failure(error))?;
    whole(&shared.place, &answer.meta)?;
    Ok((subject, answer))
}
