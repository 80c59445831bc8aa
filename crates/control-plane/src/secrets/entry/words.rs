//! What is said of a secret, in the log and in status: never a value.

use std::time::SystemTime;

use biplane_core::key::{Kind, ObjectKey, ResourceRef};
use biplane_core::path::FieldPath;
use biplane_core::report::Report;
use biplane_core::resources::Spec;
use tracing::{info, warn};

use super::{Entry, State};
use crate::secrets::alarms::ALARM;
use crate::secrets::place::Place;
use crate::status::timestamp;

impl Entry {
    /// Says once in the log what is new about it.
    pub(in crate::secrets) fn say(&mut self, name: &ResourceRef) {
        let kept = if self.served.is_some() { "; what was known before stays in use" } else { "" };
        let place = self.place().map(ToString::to_string).unwrap_or_default();
        let fault = self.fault();
        if fault == self.said {
            return;
        }
        if let Some(fault) = &fault {
            warn!(secret = %name, place, "{fault}{kept}");
        } else {
            info!(secret = %name, place, "secret read again");
        }
        self.said = fault;
    }

    /// What is wrong with it, in short.
    pub(super) fn fault(&self) -> Option<String> {
        match (&self.state, self.unfit()) {
            (State::Failed(error), _) => Some(error.to_string()),
            (State::Absent, _) => Some("it is not there".to_owned()),
            (_, Some(unfit)) => Some(format!("what is there cannot be used: {unfit}")),
            _ => None,
        }
    }

    /// What there is to say about the object.
    pub(in crate::secrets) fn reports(&self, name: &ResourceRef, wall: SystemTime) -> Vec<Report> {
        let key = name.key(Kind::Secret);
        let mut reports = match &self.place {
            None => self.own_fault(&key).into_iter().collect(),
            Some(Err(misplaced)) => vec![misplaced.report(&key)],
            Some(Ok(place)) if self.is_named => self.faults(&key, place),
            Some(Ok(_)) => Vec::new(),
        };
        reports.extend(self.alarm(&key, wall));
        reports
    }

    /// The values in the object were good when they came, and are not now that others would be replaced by them.
    fn own_fault(&self, key: &ObjectKey) -> Option<Report> {
        let unfit = self.unfit()?;
        let message = format!("{unfit}; what was there before stays in use");
        Some(Report::error(key, FieldPath::root().field("tls"), message))
    }

    /// What is wrong with the values elsewhere.
    fn faults(&self, key: &ObjectKey, place: &Place) -> Vec<Report> {
        let path =
            || if self.implied { FieldPath::root() } else { FieldPath::root().field(self.reference()) };
        let (what, served) = (place.what(), self.served.is_some());
        let kept = if served { "; what was known before stays in use" } else { "" };
        let mut reports = Vec::new();
        match &self.state {
            State::Failed(error) => {
                let message = format!("{what} cannot be read: {error}{kept}");
                let report = if served { Report::warning } else { Report::error };
                let report = report(key, path(), message);
                reports.push(error.hint.iter().fold(report, |report, hint| report.hint(hint.clone())));
            }
            State::Absent if !self.implied => {
                let hint = "write it there, or set `onDelete: remove` to take it from Envoys too";
                reports.push(Report::error(key, path(), format!("{what} is not there{kept}")).hint(hint));
            }
            _ => {}
        }
        if let Some(unfit) = self.unfit() {
            reports.push(Report::error(key, path(), format!("{what} cannot be used: {unfit}{kept}")));
        }
        reports
    }

    /// A certificate in use that has little of its life left, or none.
    fn alarm(&self, key: &ObjectKey, wall: SystemTime) -> Option<Report> {
        let facts = self.facts.as_ref().filter(|_| self.is_named && self.served.is_some())?;
        let now = timestamp(wall);
        if facts.life_used(now) < ALARM {
            return None;
        }
        let path = if self.place.is_some() {
            FieldPath::root()
        } else {
            FieldPath::root().field("tls").field("certChain")
        };
        if facts.not_after <= now {
            let message = format!("the certificate in use has expired at {}", facts.not_after);
            return Some(Report::error(key, path, message).hint("renew it where it is kept"));
        }
        let message = format!(
            "the certificate in use has less than a fifth of its life left, until {}",
            facts.not_after
        );
        Some(
            Report::warning(key, path, message)
                .hint("renew it where it is kept, or see why that does not happen"),
        )
    }

    /// The field of the object that says where its values are.
    fn reference(&self) -> &'static str {
        match self.object.as_ref().map(|(object, _)| &object.spec) {
            Some(Spec::Secret(secret)) if secret.file.is_some() => "file",
            _ => "vault",
        }
    }
}
