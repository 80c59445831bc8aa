//! The file store: a directory tree (or one file) of YAML and JSON documents as a Biplane store. And files as a
//! source of secrets, which is told of in `secrets`.
//!
//! ```text
//!  kernel ─ notify ─▶ inbox: what is pending, and when it is ripe ─┐
//!                                                                  ▼
//!                    tree: logical paths, links, which file to read ─▶ read ─▶ parse
//!                                                                               │
//!  watch ◀─ change log ◀─ commit ── catalog: file ─▶ objects, key ─▶ winner ◀───┘
//! ```
//!
//! What is guaranteed:
//!
//! - A root that is absent, unreadable, or has become a bare mount point is an error, never an
//!   empty listing; so is a root that is one file and holds no text. An existing empty directory is
//!   known to be empty. A directory below the root that has become a bare mount point keeps what it held.
//! - What was read by halves, because the root went or an edit was under way, is never told.
//! - Every directory is watched before it is read, so no edit falls between. An overflow of the
//!   kernel's queue leads to a comparison of all files; [`Store::list`] reads every byte anew.
//! - A change costs the files that changed. One among thousands is one read.
//! - What was written in one go is told in one go: events that are queued are drained before anything
//!   is read, a file that is open for writing is waited for, a rename is one step, and a running
//!   git checkout is let finish. All these waits are bounded (see `pending`); a single
//!   atomic save waits for about a millisecond.
//! - A file or directory that cannot be read, and a document that cannot be identified, keep what they
//!   held before and are reported with file, line and a hint. A file of zero bytes is taken for a write
//!   that failed: to remove objects, remove the documents or the file.
//!
//! What cannot be: a writer that dies between two documents leaves a file that is shorter and
//! valid, and nothing in it says so. Write beside and rename, as most tools do.
//!
//! Biplane writes nothing, but below the one directory that [`FileOptions::writable`] names: each object is a file
//! of its own there, all files of a batch are renamed in one go, and stores that know of that directory read
//! between batches. What lies elsewhere is its author's.
//!
//! Which files count: `.yaml`, `.yml` and `.json`, anywhere below the root except below names that
//! start with a dot; symbolic links are followed wherever they lead. The first document of a key,
//! by path and line, wins over later ones, which are reported.
//!
//! [`Store::list`]: biplane_store::Store::list
#![forbid(unsafe_code)]

mod catalog;
mod git;
mod inbox;
mod interest;
mod names;
mod options;
mod parse;
mod pending;
mod reach;
mod read;
mod resolve;
mod secrets;
mod store;
mod tree;
mod url;
mod watcher;
mod write;

pub use options::{FileOptions, Limits};
pub use secrets::{FileSecretOptions, FileSecrets};
pub use store::FileStore;
