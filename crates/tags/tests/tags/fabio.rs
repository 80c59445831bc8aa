//! fabio's tags: which requests their routes answer, and how.

mod access;
mod answers;
mod deploys;
mod lookup;
mod random;
mod sharing;

use biplane_core::key::ResourceRef;
use biplane_core::resources::route::Route;
use biplane_tags::finding::Severity;
use biplane_tags::service::Instance;
use biplane_tags::settings::{Certificate, Settings};

use crate::envoy::Request;
use crate::services::{World, id, instance};

/// Settings with fabio's tags on, and one certificate for all hosts.
fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.fabio.enabled = true;
    settings.certificates =
        vec![Certificate { hosts: Vec::new(), secret_ref: ResourceRef::new("certs", "all") }];
    settings
}

/// A healthy instance with these tags, whose prefix is left out.
fn tagged(id: &str, tags: &[&str]) -> Instance {
    let tags = tags.iter().map(|tag| format!("urlprefix-{tag}")).collect();
    Instance { tags, ..instance(id, &[]) }
}

/// A world with the service `web`, of one instance with these tags.
fn world(tags: &[&str]) -> World {
    let mut world = World::new(settings());
    world.set(&id("web"), vec![tagged("i-1", tags)]);
    world
}

fn over_tls(request: Request) -> Request {
    Request { tls: true, ..request }
}

#[track_caller]
fn answer(world: &World, request: &Request) -> Route {
    world
        .documents
        .answer(request)
        .unwrap_or_else(|| panic!("{request:?} gets 404: {}", world.documents.text()))
}

/// Whether a finding of this severity says this.
#[track_caller]
fn tells(world: &World, severity: Severity, part: &str) {
    let told: Vec<String> = world.findings().iter().map(ToString::to_string).collect();
    let found = world.findings().iter().any(|one| one.severity == severity && one.to_string().contains(part));
    assert!(found, "no {} has {part:?}: {told:#?}", severity.as_str());
}

#[track_caller]
fn tells_nothing(world: &World) {
    assert_eq!(world.findings(), Vec::<&biplane_tags::finding::Finding>::new());
}
