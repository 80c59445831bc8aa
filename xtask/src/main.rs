//! The project's own commands: `cargo xtask quickstart`, `cargo xtask test` and what they are made of.
//!
//! One file a verb. This crate has no dependencies, so that it builds in seconds on a machine that has
//! nothing but the Rust toolchain, and can then install the rest.
#![forbid(unsafe_code)]

mod bench;
mod cache;
mod command;
mod deb;
mod edges;
mod failure;
mod json;
mod lint;
mod progress;
mod provider;
mod quickstart;
mod shape;
mod test;
mod tools;
mod workspace;

use std::process::ExitCode;

use failure::{Failure, Result};

const USAGE: &str = "\
Biplane's own commands.

Usage: cargo xtask <COMMAND>

Commands:
  quickstart [--once]      run Biplane, a real Envoy and a demo upstream, and send a request through them
  test [--all] [--quick] [FILTER]
                           everything that must be green: lint, build, all tests, quickstart --once
                             --all     the long tests too, whose names begin with long_; CI runs it
                             --quick   unit tests only
                             FILTER    only the tests whose name contains FILTER
  tools                    install what tests need (Debian packages, Envoy, etcd, Consul, Nomad, OpenTofu, OpenBao,
                           moto); done by the others too
  deb [--binary FILE] [--output DIR]
                           the Debian package, of a release build or of a binary that is there
  lint                     rustfmt, clippy, crate edges, dependencies, shape of the sources
  edges                    only the check of the crate edges
  provider [--debug] [--mirror DIR]
                           the provider for OpenTofu as an archive for registries, and in a mirror
  bench [NAME..] [-- ARGS] run the benchmarks

Environment:
  BIPLANE_ENVOY            an Envoy binary to use instead of the pinned one; the same for tests with
                           BIPLANE_ETCD, BIPLANE_ETCDCTL, BIPLANE_ETCDUTL, BIPLANE_CONSUL,
                           BIPLANE_CONSULRS_CLIENT, BIPLANE_NOMAD, BIPLANE_TOFU, BIPLANE_BAO,
                           BIPLANE_MOTO_SERVER, BIPLANE_DEBIAN (a tree) and BIPLANE_DEBS (a folder of
                           packages; tools/README.md)
  RUST_TEST_THREADS        how many tests of a binary run at a time (default: end to end the cores, 2 to 4, elsewhere
                           twice as many)
  XDG_CACHE_HOME           where tools are kept (default ~/.cache)
  NO_COLOR                 plain output
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            progress::failed(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let Some((verb, rest)) = arguments.split_first() else {
        return Err(Failure::usage("no command given", USAGE));
    };
    match verb.as_str() {
        "quickstart" => quickstart::run(&quickstart::Options::parse(rest)?),
        "test" => test::run(&test::Options::parse(rest)?),
        "tools" => no_arguments(rest).and_then(|()| tools::run()),
        "deb" => deb::run(&deb::Options::parse(rest)?),
        "lint" => no_arguments(rest).and_then(|()| lint::run()),
        "edges" => no_arguments(rest).and_then(|()| edges::run()),
        "provider" => provider::run(&provider::Options::parse(rest)?),
        "bench" => bench::run(&bench::Options::parse(rest)),
        "runner" => test::runner::run(rest),
        "help" | "--help" | "-h" => {
            progress::print(USAGE);
            Ok(())
        }
        other => Err(Failure::usage(format!("no command is named {other:?}"), USAGE)),
    }
}

fn no_arguments(rest: &[String]) -> Result<()> {
    match rest.first() {
        None => Ok(()),
        Some(extra) => Err(Failure::usage(format!("unexpected argument {extra:?}"), USAGE)),
    }
}
