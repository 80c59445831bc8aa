//! `biplane reload`: checks settings and resources, and has the running process reload.
//!
//! The process checks for itself and refuses what is wrong. What is found here is for whoever waits for the exit code.

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};

use crate::backends;
use crate::config::{self, GlobalFlags};
use crate::exit::{Code, Failure, Outcome};
use crate::output;
use crate::verbs::validate;

/// The command line.
#[derive(Debug, Args)]
#[command(after_help = "\
This is what `systemctl reload biplane` runs. The settings are checked, and the resources if the store is a directory; \
then the process gets SIGHUP, whatever was found: it checks for itself, keeps what it has in place of what is wrong, and \
says so in `systemctl status biplane`.")]
pub(crate) struct Arguments {
    /// The process that serves; systemd tells it to the commands of a unit
    #[arg(long, value_name = "PID", env = "MAINPID")]
    pid: Option<i32>,
}

/// Checks, tells the process, and ends with what the check has found.
pub(crate) async fn run(global: &GlobalFlags, arguments: &Arguments) -> Outcome {
    let pid = arguments.pid.and_then(Pid::from_raw).ok_or_else(|| {
        Failure::usage("there is no telling which process is to reload")
            .hint("systemctl reload biplane; or name it: --pid PID")
    })?;
    let checked = check(global).await;
    let told = kill_process(pid, Signal::HUP);
    let code = checked?;
    told.map_err(|error| {
        Failure::unreachable(format!("process {} cannot be told: {error}", pid.as_raw_nonzero()))
    })?;
    Ok(code)
}

async fn check(global: &GlobalFlags) -> Outcome {
    let loaded = config::load(global, &[], &config::variables())?;
    let Some(root) = backends::directory(&loaded.config.store)? else { return Ok(Code::Success) };
    let findings = validate::findings(&root).await?;
    output::print(&findings.text())?;
    output::say(&findings.summary());
    Ok(findings.code(false))
}
