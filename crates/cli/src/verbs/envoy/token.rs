//! `biplane envoy token`: a token for the nodes of a fleet, where there are neither certificates nor an issuer.
//!
//! The token is printed once and kept nowhere. What the server needs is a rule with its hash.

use biplane_core::scalars::Timestamp;
use biplane_identity::IssuedToken;
use clap::Args;
use serde_json::json;

use crate::exit::{Code, Failure, Outcome};
use crate::output;

/// The command line of `envoy token`.
#[derive(Debug, Args)]
#[command(after_help = "\
The token goes to stdout, and the rule for the server (identity.rules) to stderr:
  biplane envoy token --fleet edge > edge.token    # then add the rule that it shows
  biplane envoy bootstrap --fleet edge --xds-ca ca.pem --xds-token-file edge.token --sds-dir /etc/envoy/sds
To take a token back, take its rule out.")]
pub(crate) struct Arguments {
    /// The fleet
    #[arg(long, value_name = "NAME")]
    fleet: String,
    /// From when on it is not known any more, such as 2027-01-31T00:00:00Z [default: never]
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

/// Makes a token.
pub(super) fn run(arguments: &Arguments) -> Outcome {
    let until = arguments.until.as_deref().map(str::parse::<Timestamp>).transpose();
    let until = until.map_err(|error| Failure::usage(format!("--until: {error}")))?;
    let made = IssuedToken::generate().map_err(|error| Failure::failed(error.to_string()))?;
    let mut token = json!({ "sha256": made.sha256.to_string() });
    if let Some(until) = until {
        token["until"] = json!(until.to_string());
    }
    let rule = output::yaml(&json!([{ "token": token, "fleet": arguments.fleet }]))?;
    output::print(&made.token)?;
    output::say("The token is shown this once. Add this to the server's identity.rules:");
    output::say(rule.trim_end());
    Ok(Code::Success)
}
