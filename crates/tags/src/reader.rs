//! What all readers of tags have in common.

use crate::finding::Finding;
use crate::router::{Pick, Router};
use crate::service::{Instance, ServiceId};

/// The tags of one service that count, its canaries apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineup {
    /// The service.
    pub id: ServiceId,
    /// Its instances; canaries too where their tags are no different.
    pub stable: Deployment,
    /// Canaries whose tags differ from those of the rest.
    pub canary: Option<Deployment>,
}

/// Instances whose tags are read together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deployment {
    /// The instances in order of precedence: of the newest version that has a healthy one, then of the older ones;
    /// newer ones wait until they are healthy. The first that defines a name counts; what others say differently about it
    /// is reported and left out.
    pub instances: Vec<Instance>,
    /// How an upstream names these instances and no others.
    pub pick: Pick,
}

/// Reads one language of tags.
pub trait Reader {
    /// Takes over what the tags of a service are now; `None`: it is gone. Returns all that changed by it, at other
    /// services too (a name that several share): each reading replaces all that was read for its owner before.
    fn set(&mut self, id: &ServiceId, lineup: Option<&Lineup>) -> Vec<Reading>;
}

/// All that a reader has to say about one service.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The service.
    pub owner: ServiceId,
    /// Its routers, all of this owner.
    pub routers: Vec<Router>,
    /// What is wrong with its tags.
    pub findings: Vec<Finding>,
}
