//! Binaries that the user names by a variable, to be taken instead of the pinned ones.

use std::path::PathBuf;

use crate::command;
use crate::failure::{Failure, Result};
use crate::progress::Step;

/// The binary that `variable` names, if it does. One that does not run is an error, not a reason to take another.
pub(super) fn binary(variable: &str, check: &[&str], pinned: &str, step: &Step) -> Result<Option<PathBuf>> {
    let named = std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from);
    let Some(path) = named else { return Ok(None) };
    if command::works(&path, check) {
        step.say(&format!("using {variable}={}", path.display()));
        return Ok(Some(path));
    }
    Err(Failure::new(format!("{variable}={} does not run", path.display()))
        .hint(format!("unset it to use the pinned {pinned}")))
}
