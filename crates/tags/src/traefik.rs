//! Traefik's tags: `traefik.http.*` to routers.

pub mod rule;

use crate::reader::{Lineup, Reader, Reading};
use crate::service::ServiceId;
use crate::settings::Settings;

/// Reads Traefik's tags.
#[derive(Debug)]
pub struct TraefikReader {}

impl TraefikReader {
    /// A reader that has read nothing yet.
    pub fn new(_settings: &Settings) -> Self {
        Self {}
    }
}

impl Reader for TraefikReader {
    fn set(&mut self, _id: &ServiceId, _lineup: Option<&Lineup>) -> Vec<Reading> {
        Vec::new()
    }
}
