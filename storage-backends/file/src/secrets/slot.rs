//! What was told of one watched secret, and whether a reading of it is news.

use std::path::{Path, PathBuf};

use biplane_source::{Listing, Secret, SourceError};
use tokio::sync::watch;

use super::look::Way;
use super::reading::Reading;

/// A secret, known to be absent, or why that is unknown.
pub(super) type Told = Listing<Option<Secret>>;

/// News that no event told of may be half of an edit. It is put off until the files have rested, this often.
pub(super) const PUT_OFF_MAX: u8 = 3;

/// Why a secret is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Because {
    /// Events told of it, and then there was quiet.
    Told,
    /// Somebody asked, or time has passed.
    Asked,
}

/// One watched secret.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) request: PathBuf,
    pub(super) told: watch::Sender<Told>,
    pub(super) way: Way,
    /// The device of its directory when that last held a value.
    pub(super) held_on: Option<u64>,
    /// Its private keys that every user of the machine may read.
    pub(super) exposed: Vec<PathBuf>,
    /// How often in a row news was put off.
    put_off: u8,
}

impl Slot {
    /// What was found first is told as it is: nobody waits for a first answer longer than he has to.
    pub(super) fn new(request: &Path, reading: Reading) -> Self {
        Self {
            request: request.to_owned(),
            held_on: reading.held_on(),
            told: watch::Sender::new(listing(reading.answer)),
            way: reading.way,
            exposed: reading.exposed,
            put_off: 0,
        }
    }

    /// Tells what was read, if it is news and nobody is in the middle of writing it.
    pub(super) fn take(&mut self, reading: Reading, because: Because, is_being_written: bool) {
        let may_be_half = because == Because::Asked && self.put_off < PUT_OFF_MAX && !reading.has_rested();
        let held_on = reading.held_on();
        self.way = reading.way;
        if is_being_written {
            // The end of it is told.
            return;
        }
        let now = listing(reading.answer);
        let is_news = !self.told.borrow().is_no_news(&now);
        if is_news && may_be_half {
            self.put_off += 1;
            return;
        }
        self.put_off = 0;
        self.held_on = held_on.or(self.held_on);
        self.exposed = reading.exposed;
        if is_news {
            self.told.send_replace(now);
        }
    }

    /// Whether it is read again soon, whatever is told.
    pub(super) fn is_uneasy(&self) -> bool {
        self.put_off > 0 || matches!(*self.told.borrow(), Listing::Failed(_))
    }
}

fn listing(answer: Result<Option<Secret>, SourceError>) -> Told {
    match answer {
        Ok(secret) => Listing::Complete(secret),
        Err(error) => Listing::Failed(error),
    }
}
