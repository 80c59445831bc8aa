//! Whether values may replace those that are served, and what becomes of those that may not, or not yet.

use std::sync::Arc;
use std::time::SystemTime;

use biplane_core::resources::Secret;
use biplane_core::resources::secret::TlsSecret;
use biplane_core::scalars::{SecretString, Timestamp};
use biplane_source as source;

use super::Entry;
use crate::secrets::certificate::{check_time, faults};

/// Values that are not used.
#[derive(Debug)]
pub(super) struct Refused {
    why: String,
    /// They will be.
    pub(super) early: Option<Early>,
}

/// Values whose time is to come.
#[derive(Debug)]
pub(super) struct Early {
    pub(super) from: Timestamp,
    pub(super) new: Arc<Secret>,
    /// What the source gave; none: the object holds them itself, or it is known already.
    pub(super) raw: Option<Arc<source::Secret>>,
}

impl Refused {
    /// Why, and for how long.
    pub(super) fn words(&self) -> String {
        let then = if self.early.is_some() { ", and is taken then" } else { "" };
        format!("{}{then}", self.why)
    }
}

impl From<String> for Refused {
    fn from(why: String) -> Self {
        Self { why, early: None }
    }
}

impl Entry {
    /// Whether new values may replace those of the same place. Nobody has edited an object, so what is secured stays so.
    pub(super) fn check_successor(&self, new: Arc<Secret>, wall: SystemTime) -> Result<Arc<Secret>, Refused> {
        let has_roots = |tls: &TlsSecret| tls.root_ca.is_some();
        let served =
            self.served.as_ref().filter(|_| self.raw.is_some()).and_then(|served| served.tls.as_ref());
        if served.is_some_and(has_roots) && new.tls.as_ref().is_some_and(|new| !has_roots(new)) {
            return Err(
                "it has no rootCa any more, and without one nobody is verified: put it back, or let the object \
                        name another path if that is meant"
                    .to_owned()
                    .into(),
            );
        }
        self.check(new, wall)
    }

    /// Whether new values may replace those that are served.
    pub(super) fn check(&self, new: Arc<Secret>, wall: SystemTime) -> Result<Arc<Secret>, Refused> {
        sound(&new)?;
        let Some(tls) = new.tls.as_ref().filter(|_| self.served.is_some()) else { return Ok(new) };
        let Err(untimely) = check_time(tls, wall) else { return Ok(new) };
        let (field, why) = untimely.fault;
        let early = untimely.from.map(|from| Early { from, new, raw: None });
        Err(Refused { why: format!("{field}: {why}"), early })
    }
}

/// Whether values work at any time.
pub(super) fn sound(secret: &Secret) -> Result<(), String> {
    let headers = secret.header.iter().flat_map(|header| &header.headers);
    if let Some((header, _)) = headers.into_iter().find(|(_, value)| !is_line(value)) {
        return Err(format!("the value of {header} is not one line of text"));
    }
    let faults = secret.tls.as_ref().map(faults).unwrap_or_default();
    faults.first().map_or(Ok(()), |(field, why)| Err(format!("{field}: {why}")))
}

/// Whether a header can carry it. A line break behind it is not part of it: files end with one.
fn is_line(value: &SecretString) -> bool {
    let value = value.expose().trim_end_matches(['\r', '\n']);
    !value.is_empty() && !value.contains(|c: char| c.is_control() && c != '\t')
}
