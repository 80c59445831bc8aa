//! The built binary as its users see it: what it prints where, and how it ends.

mod bootstrap;
mod config;
mod generated;
mod mistakes;
mod offline;
mod process;
mod support;
