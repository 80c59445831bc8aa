//! Biplane's own tags.
use crate::reader::{Lineup, Reader, Reading};
use crate::service::ServiceId;
use crate::settings::Settings;

/// Reads Biplane's own tags.
#[derive(Debug)]
pub struct OwnReader {}
impl OwnReader {
    /// A reader.
    pub fn new(_settings: &Settings) -> Self {
        Self {}
    }
}
impl Reader for OwnReader {
    fn set(&mut self, _id: &ServiceId, _lineup: Option<&Lineup>) -> Vec<Reading> {
        Vec::new()
    }
}
