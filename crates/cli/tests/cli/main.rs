//! The built binary as its users see it: what it prints where, and how it ends.

mod access;
mod bootstrap;
mod config;
mod edit;
mod generated;
mod import;
mod mistakes;
mod offline;
mod operation;
mod pki;
mod process;
mod resources;
mod server;
mod support;
