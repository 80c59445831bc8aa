//! Reads and writes Consul's KV store by the crate consulrs, for tests: the client that is not Biplane's own.
//!
//! It owns no opinion. What consulrs gives is printed as JSON lines, and what consulrs loses is `null`: first a line
//! about the answer, then a line a pair. It exits with 0 if there was an answer, with 1 if consulrs returned an error
//! (the line then has `error`), and with 2 if the command line is wrong.
#![forbid(unsafe_code)]

mod answer;
mod command;

use std::process::ExitCode;

use command::Command;
use consulrs::client::{ConsulClient, ConsulClientSettingsBuilder};

const USAGE: &str = "\
Reads and writes Consul's KV store by consulrs, and prints JSON lines.

Usage: consulrs-client <COMMAND>

Commands:
  put ADDR KEY [VALUE|@FILE|-]     write a value; without one, or with -, it is read from stdin
  cas ADDR KEY INDEX VALUE         write if the key's ModifyIndex is INDEX (0: if there is no such key)
  get ADDR KEY                     read one key
  recurse ADDR PREFIX              read everything below a prefix
  watch ADDR PREFIX INDEX [WAIT]   the same, once the index has moved past INDEX, or after WAIT (30s)
  delete ADDR KEY                  delete one key
  delete-tree ADDR PREFIX          delete everything below a prefix
  health ADDR SERVICE              the health of a service, as the local agent has it

ADDR is HOST:PORT or a URL. The token is CONSUL_HTTP_TOKEN.
";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--version"] => print(&format!("consulrs-client {}\n", env!("CARGO_PKG_VERSION"))),
        ["--help"] => print(USAGE),
        words => return run(words).await,
    }
    ExitCode::SUCCESS
}

async fn run(words: &[&str]) -> ExitCode {
    let (address, command) = match Command::parse(words) {
        Ok(parsed) => parsed,
        Err(fault) => {
            eprintln!("error: {fault}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match command.run(&client(&address)).await {
        Ok(lines) => {
            print(&lines);
            ExitCode::SUCCESS
        }
        Err(error) => {
            print(&answer::error(&error));
            ExitCode::FAILURE
        }
    }
}

fn client(address: &str) -> ConsulClient {
    let address = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    let settings =
        ConsulClientSettingsBuilder::default().address(address).build().expect("every setting has a default");
    ConsulClient::new(settings).expect("no certificates are named, so none can be wrong")
}

fn print(text: &str) {
    use std::io::Write;
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}
