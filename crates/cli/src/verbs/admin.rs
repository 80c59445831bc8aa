//! `biplane admin token new NAME --role ROLE`: a token for the HTTP API.
//!
//! The token is printed once and kept nowhere. What the server needs is a line with its hash.

use biplane_admin::{NewToken, Role, TokenError};
use biplane_core::scalars::Timestamp;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use crate::exit::{Code, Failure, Outcome};
use crate::output;

/// What can be done about access.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Tokens of the HTTP API
    #[command(subcommand)]
    Token(TokenVerb),
}

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenVerb {
    /// Make a token; asks no server
    New(New),
}

/// The command line of `admin token new`.
#[derive(Debug, Args)]
#[command(after_help = "\
The token goes to stdout, and the line for the tokens file of the server (adminTokensFile) to stderr:
  biplane admin token new ci --role write > ci.token    # then add the line that it shows
  biplane apply --api https://plane:9978 --api-token-file ci.token -f resources/
To take a token back, take its line out; the server reads the file again by itself.")]
pub(crate) struct New {
    /// Who will hold it, as histories and logs say: letters, digits, `-`, `_`, `.`, `@`
    name: String,
    /// What it allows
    #[arg(long, value_enum)]
    role: RoleName,
    /// From when on it is not known any more, such as 2027-01-31T00:00:00Z [default: never]
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleName {
    /// See everything but secrets, and try changes out
    Read,
    /// Change resources too
    Write,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// The token alone
    #[default]
    Text,
    /// Both: {"token": ..., "line": ...}
    Json,
}

/// Runs a verb.
pub(crate) fn run(verb: &Verb) -> Outcome {
    let Verb::Token(TokenVerb::New(new)) = verb;
    let made = new.make()?;
    let line = made.rule.to_string();
    match new.output {
        Format::Json => {
            output::print(&output::json(&json!({ "token": made.token.as_str(), "line": line }))?)?;
        }
        Format::Text => {
            output::print(&made.token)?;
            output::say("The token is shown this once. Add this line to the server's adminTokensFile:");
            output::say(&line);
        }
    }
    Ok(Code::Success)
}

impl New {
    fn make(&self) -> Result<NewToken, Failure> {
        let role = match self.role {
            RoleName::Read => Role::Read,
            RoleName::Write => Role::Write,
        };
        let until = self.until.as_deref().map(str::parse::<Timestamp>).transpose();
        let until = until.map_err(|error| Failure::usage(format!("--until: {error}")))?;
        NewToken::generate(&self.name, role, until).map_err(|error| match error {
            TokenError::Random(_) => Failure::failed(error.to_string()),
            _ => Failure::usage(error.to_string()),
        })
    }
}
