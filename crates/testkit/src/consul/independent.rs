//! The client of Consul that is not ours: consulrs, in a program of its own (tools/consulrs-client).

use std::time::Duration;

use super::Consul;
use crate::command::{self, Output};
use crate::tools::Tool;

const CONSULRS_CLIENT: Tool = Tool {
    variable: "BIPLANE_CONSULRS_CLIENT",
    package: "consulrs-client",
    version: "0.1.0",
    file: "consulrs-client",
};

/// How long it may take; `watch` waits for half a minute unless told otherwise.
const PATIENCE: Duration = Duration::from_mins(1);

impl Consul {
    /// Runs a command of the independent client where clients connect: `consulrs("put", &["key"], "value")`. It
    /// prints JSON lines, see [`Output::json_lines`].
    pub async fn consulrs(&self, command: &str, arguments: &[&str], input: &str) -> Output {
        let mut program = CONSULRS_CLIENT.command();
        program.args([command, &self.address().to_string()]).args(arguments);
        if let Some(token) = self.access.token {
            program.env("CONSUL_HTTP_TOKEN", token);
        }
        command::run(program, input.as_bytes(), PATIENCE).await.unwrap_or_else(|error| panic!("{error:#}"))
    }
}
