//! fabio's tags: `urlprefix-` to routers.

use crate::reader::{Lineup, Reader, Reading};
use crate::service::ServiceId;
use crate::settings::Settings;

/// Reads fabio's tags.
#[derive(Debug)]
pub struct FabioReader {}

impl FabioReader {
    /// A reader that has read nothing yet.
    pub fn new(_settings: &Settings) -> Self {
        Self {}
    }
}

impl Reader for FabioReader {
    fn set(&mut self, _id: &ServiceId, _lineup: Option<&Lineup>) -> Vec<Reading> {
        Vec::new()
    }
}
