//! What a watch makes of answers: the view changes, and the next question is asked.

use std::collections::BTreeSet;
use std::time::Duration;

use biplane_consul_client::{Answer, Error, Keys, KvEntries};
use tokio::time::Instant;
use tracing::debug;

use super::ask::{Heard, Probe, QUIET, Told};
use super::{Subject, Watch};
use crate::failure::whole;
use crate::place::MARKS;
use crate::view::Stop;

/// How many bytes a part may cost in a second, if others change it all the time.
const BYTES_PER_SECOND: u32 = 64 * 1024 * 1024;

impl Watch {
    pub(super) fn hear(&mut self, told: Told) -> Result<(), Stop> {
        match told {
            Told::Part(heard) => self.hear_part(heard),
            Told::Folder(heard) => self.hear_folder(heard),
            Told::Marks(wish, answer) => {
                self.marks.asking = false;
                self.hear_marks(&answer?)?;
                self.marks.had = wish;
                self.ask_marks();
                Ok(())
            }
            Told::Probe(probe) => {
                self.hear_probe(&probe?)?;
                self.probe();
                Ok(())
            }
            Told::Names(names) => self.hear_names(names?),
            Told::Global(index) => self.hear_global(index?),
            Told::Dropped => Ok(()),
        }
    }

    fn hear_part(&mut self, heard: Heard<KvEntries>) -> Result<(), Stop> {
        let answer = self.checked(&heard.answer)?;
        let (index, bytes) = (answer.meta.index, answer.value.as_ref().map_or(0, KvEntries::bytes));
        if heard.went_back(index) {
            self.doubt();
        }
        let empty = self.take_part(&heard, answer)?;
        if self.has_outgrown(bytes) {
            self.cut(index);
            return Ok(());
        }
        if empty {
            self.retire();
        }
        if self.cover.parts.contains(&heard.prefix) {
            let in_vain = heard.in_vain(index, self.shared.tuning.wait);
            let pause = if in_vain || empty { QUIET } else { pause(bytes) };
            // By the book: an answer in vain or an index that went back means to start over, without waiting.
            let over = in_vain || heard.went_back(index);
            self.ask_part(heard.prefix, (!over).then_some(index), pause);
        }
        Ok(())
    }

    /// Takes in what a part holds; whether that is nothing.
    fn take_part(
        &mut self,
        heard: &Heard<KvEntries>,
        answer: &Answer<Option<KvEntries>>,
    ) -> Result<bool, Stop> {
        let none = KvEntries::default();
        let entries = answer.value.as_ref().unwrap_or(&none).parse();
        let entries = entries.map_err(|error| self.shared.failure(error))?;
        let (empty, index) = (entries.is_empty(), answer.meta.index);
        let effect = self.view.take(&heard.prefix, entries, Instant::now())?;
        self.view.reached(&heard.prefix, index.max(heard.known));
        // The index of a part with nothing in it is that of all keys, whoever wrote them.
        if !empty || effect.shrunk {
            self.reached = self.reached.max(index);
        }
        // Where all is one part, its answer has the marks in it; only what shrinks is asked for twice.
        if effect.shrunk || effect.changed && !self.cover.is_whole() {
            self.want_marks();
        }
        Ok(empty)
    }

    fn hear_folder(&mut self, heard: Heard<Keys>) -> Result<(), Stop> {
        let answer = self.checked(&heard.answer)?;
        let (index, keys) = (answer.meta.index, answer.value.iter().flatten());
        let names: BTreeSet<String> = keys.filter_map(|key| self.name(key)).collect();
        let empty = names.is_empty();
        let new: Vec<_> = names.iter().filter(|name| !self.cover.covers(name)).cloned().collect();
        self.names.insert(heard.prefix.clone(), names);
        if heard.prefix.is_empty() {
            self.want_marks();
        }
        new.into_iter().try_for_each(|name| self.open_part(name))?;
        self.retire();
        if self.cover.folders.contains(&heard.prefix) {
            let in_vain = heard.in_vain(index, self.shared.tuning.wait);
            let pause = if in_vain || empty { QUIET } else { pause(0) };
            self.ask_folder(heard.prefix, (!in_vain).then_some(index), pause);
        }
        Ok(())
    }

    /// The answer, if there is one that may be believed.
    fn checked<'a, T>(
        &self,
        answer: &'a Result<Answer<Option<T>>, Error>,
    ) -> Result<&'a Answer<Option<T>>, Stop> {
        let answer = answer.as_ref().map_err(|error| self.shared.failure(error.clone()))?;
        whole(&self.shared.place, &answer.meta)?;
        Ok(answer)
    }

    fn hear_marks(&mut self, answer: &Answer<Option<KvEntries>>) -> Result<(), Stop> {
        if self.shared.place.layout.has_sentinel() {
            self.take_marks(answer)?;
        }
        // Where all is one part, that part says how far it is seen.
        if !self.cover.is_whole() {
            self.reached = self.reached.max(answer.meta.index);
        }
        Ok(())
    }

    fn take_marks(&mut self, answer: &Answer<Option<KvEntries>>) -> Result<(), Stop> {
        let none = KvEntries::default();
        let entries = answer.value.as_ref().unwrap_or(&none).parse();
        let entries = entries.map_err(|error| self.shared.failure(error))?;
        self.view.take(MARKS, entries, Instant::now()).map(drop)
    }

    fn hear_global(&mut self, index: u64) -> Result<(), Stop> {
        if index < self.view.told().0 {
            return Err(Stop::Resync);
        }
        debug!("an index went back because deletions were forgotten");
        self.doubtful = false;
        Ok(())
    }

    /// A query that was asked after another history took this one's place waits for an index that is far off; and a
    /// change of the whole that no part has shown for the time between two probes was missed.
    fn hear_probe(&mut self, probe: &Probe) -> Result<(), Stop> {
        self.hear_marks(&probe.marks)?;
        if probe.global < self.view.told().0 || self.suspect > self.reached {
            return Err(Stop::Resync);
        }
        self.suspect = probe.prefix.0;
        Ok(())
    }

    /// Begins to watch what no part covers.
    pub(super) fn open_part(&mut self, name: String) -> Result<(), Stop> {
        if self.cover.parts.len() >= 2 * self.shared.tuning.max_watches {
            // The next watch cuts anew.
            return Err(Stop::Resync);
        }
        debug!(name, "a new part is watched");
        let inside: Vec<_> =
            self.cover.parts.iter().filter(|part| part.starts_with(&name)).cloned().collect();
        for part in inside {
            self.close_part(&part);
        }
        self.cover.parts.insert(name.clone());
        self.view.reached(&name, 0);
        self.ask_part(name, None, Duration::ZERO);
        Ok(())
    }

    fn close_part(&mut self, part: &str) {
        self.cover.parts.remove(part);
        self.view.close(part);
        self.forget(&Subject::Part(part.to_owned()));
    }

    /// Ends the watch of what is gone: of folders that those above no longer have, and of parts with nothing in
    /// them whose name nobody mentions.
    fn retire(&mut self) {
        if self.cover.is_whole() {
            return;
        }
        let gone = self.cover.folders.iter().filter(|folder| self.is_gone(folder));
        let gone: Vec<_> = gone.cloned().collect();
        for folder in gone {
            self.cover.folders.remove(&folder);
            self.names.remove(&folder);
            self.forget(&Subject::Folder(folder));
        }
        let unnamed: Vec<_> = self.cover.parts.iter().filter(|part| !self.is_named(part)).cloned().collect();
        for part in unnamed {
            // One that has not been heard yet may be newer than the names.
            if self.view.names(&part).next().is_some() {
                self.ask_now(part);
            } else if !self.is_asked(&part) {
                self.close_part(&part);
            }
        }
    }

    /// Asks for a part whose name is gone while what it held is not. Consul does not wake every query whose keys
    /// are deleted together with others, by a prefix that is shorter than the query's.
    pub(super) fn ask_now(&mut self, part: String) {
        if !self.is_asked(&part) {
            self.ask_part(part, None, Duration::ZERO);
        }
    }

    /// Whether some folder has what starts like this part, or may have it: the one above has not answered yet.
    fn is_named(&self, part: &str) -> bool {
        let above = above(part);
        self.cover.folders.contains(above) && !self.names.contains_key(above)
            || self.names.values().flatten().any(|name| name.starts_with(part))
    }

    /// Whether the folder above is known not to have this one.
    fn is_gone(&self, folder: &str) -> bool {
        !folder.is_empty() && self.names.get(above(folder)).is_some_and(|names| !names.contains(folder))
    }

    fn has_outgrown(&self, bytes: usize) -> bool {
        // The same text as JSON with base64 is about twice as long.
        self.cover.is_whole() && bytes > 4 * self.shared.tuning.whole_bytes
    }

    /// From one part to many.
    fn cut(&mut self, index: u64) {
        self.close_part("");
        self.spread(index);
    }

    /// A key as a name below `config/`.
    pub(super) fn name(&self, key: &str) -> Option<String> {
        self.shared.place.below(key).map(str::to_owned)
    }
}

/// The folder that a folder or a part lies in.
fn above(name: &str) -> &str {
    let inner = name.strip_suffix('/').unwrap_or(name);
    inner.rfind('/').map_or("", |at| &inner[..=at])
}

/// How long to leave a part alone that cost so many bytes.
fn pause(bytes: usize) -> Duration {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    Duration::from_secs_f64(f64::from(bytes) / f64::from(BYTES_PER_SECOND)).max(Duration::from_millis(1))
}
