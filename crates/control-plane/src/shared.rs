//! The engine behind a lock that is held for one transaction or one reading, never across an await.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::Engine;

/// A handle on the engine.
#[derive(Clone, Debug)]
pub struct SharedEngine(Arc<Mutex<Engine>>);

impl SharedEngine {
    /// Shares an engine.
    pub fn new(engine: Engine) -> Self {
        Self(Arc::new(Mutex::new(engine)))
    }

    /// The engine, for as long as the guard lives. A panic inside a transaction ends the process
    /// (the supervisor sees to that); until then status may still be read.
    pub fn lock(&self) -> MutexGuard<'_, Engine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
