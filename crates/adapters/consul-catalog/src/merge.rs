//! One answer out of those of several datacenters.
//!
//! Each datacenter is a source of its own with a gate of its own: nothing is told before each has answered once. One
//! that fails after that keeps its part as it was last known to be, and the others go on; the state of the source says
//! which one does not answer, and since when. Only when none answers is the whole a failure. So what is told is
//! complete as of the last answer of each, and nothing ever leaves because somebody cannot be reached.

use std::sync::Arc;

use biplane_source::SourceError;
use futures::FutureExt as _;
use futures::future::select_all;
use tokio::sync::watch;

use crate::catalog::Catalog;
use crate::follow::{Follower, Part};
use crate::subject::{Content, Subject};

/// The parts of an answer.
#[derive(Debug)]
pub(crate) struct Parts(Vec<One>);

#[derive(Debug)]
struct One {
    datacenter: Option<String>,
    told: watch::Receiver<Part>,
    _follower: Arc<Follower>,
}

/// What is known of all of them together.
#[derive(Debug, PartialEq)]
pub(crate) enum Known {
    /// Somebody has not answered yet.
    Waiting,
    /// Nothing can be told.
    Failed(SourceError),
    /// Everybody has answered; by datacenter.
    All(Vec<(Option<String>, Arc<Content>)>),
}

impl Parts {
    pub(crate) fn new(catalog: &Arc<Catalog>, subjects: Vec<Subject>) -> Self {
        let one = |subject: Subject| {
            let follower = catalog.follow(&subject);
            One { datacenter: subject.scope.datacenter, told: follower.told(), _follower: follower }
        };
        Self(subjects.into_iter().map(one).collect())
    }

    /// What is known now.
    pub(crate) fn known(&mut self) -> Known {
        let parts =
            self.0.iter_mut().map(|one| (one.datacenter.clone(), one.told.borrow_and_update().clone()));
        merged(&parts.collect::<Vec<_>>())
    }

    /// Waits until something else may be known.
    pub(crate) async fn changed(&mut self) {
        let all = self.0.iter_mut().map(|one| one.told.changed().boxed());
        // A follower lives as long as this: its end is no change.
        drop(select_all(all).await);
    }
}

fn merged(parts: &[(Option<String>, Part)]) -> Known {
    let mut troubles = parts.iter().filter_map(|(_, part)| part.trouble.as_ref());
    let is_known = parts.iter().all(|(_, part)| part.known.is_some());
    let is_silent = parts.iter().all(|(_, part)| part.trouble.is_some());
    match troubles.next() {
        Some(_) if !is_known => {
            let mut unknown = parts.iter().filter(|(_, part)| part.known.is_none());
            let trouble = unknown.find_map(|(_, part)| part.trouble.clone());
            trouble.map_or(Known::Waiting, Known::Failed)
        }
        Some(error) if is_silent => Known::Failed(error.clone()),
        None if !is_known => Known::Waiting,
        _ => Known::All(
            parts.iter().filter_map(|(name, part)| Some((name.clone(), part.known.clone()?))).collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(known: bool, trouble: Option<&str>) -> Part {
        let known = known.then(|| Arc::new(Content::Instances(Vec::new())));
        Part { known, trouble: trouble.map(SourceError::new) }
    }

    fn told(parts: &[(bool, Option<&str>)]) -> Known {
        let parts = parts.iter().map(|(known, trouble)| (None, part(*known, *trouble)));
        merged(&parts.collect::<Vec<_>>())
    }

    fn failed(message: &str) -> Known {
        Known::Failed(SourceError::new(message))
    }

    #[test]
    fn nothing_is_complete_before_every_datacenter_has_answered() {
        assert_eq!(told(&[(true, None), (false, None)]), Known::Waiting);
        assert_eq!(told(&[(true, None), (false, Some("cut"))]), failed("cut"));
        assert_eq!(told(&[(true, Some("old")), (false, None)]), Known::Waiting);
        assert!(matches!(told(&[(true, None), (true, None)]), Known::All(parts) if parts.len() == 2));
    }

    #[test]
    fn a_datacenter_that_fails_keeps_its_part_and_the_others_go_on() {
        assert!(matches!(told(&[(true, None), (true, Some("cut"))]), Known::All(parts) if parts.len() == 2));
    }

    #[test]
    fn it_is_a_failure_when_nobody_answers() {
        assert_eq!(told(&[(true, Some("a")), (true, Some("b"))]), failed("a"));
        assert_eq!(told(&[(true, Some("a"))]), failed("a"));
    }
}
