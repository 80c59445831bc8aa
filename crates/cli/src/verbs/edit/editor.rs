//! The person's editor, run to its end on the terminal.

use std::path::Path;
use std::process::Command;

use crate::exit::Failure;

/// What there is on every machine.
const FALLBACK: &str = "vi";

/// An editor, as a variable names it: a command with its flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Editor(String);

impl Editor {
    /// `$VISUAL`, else `$EDITOR`, else vi.
    pub(super) fn find() -> Self {
        let set = |name: &&str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        Self(["VISUAL", "EDITOR"].iter().find_map(set).unwrap_or_else(|| FALLBACK.to_owned()))
    }

    /// Runs it on a file. The shell takes the command apart, since people write `code --wait` there.
    pub(super) fn open(&self, path: &Path) -> Result<(), Failure> {
        let Self(command) = self;
        let status =
            Command::new("sh").arg("-c").arg(format!("{command} \"$1\"")).arg("sh").arg(path).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Failure::failed(format!("the editor {command:?} ended with {status}"))
                .hint("set VISUAL or EDITOR to one that works")),
            Err(error) => Err(Failure::failed(format!("cannot run the editor {command:?}: {error}"))),
        }
    }
}
