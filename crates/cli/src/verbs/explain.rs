//! `biplane explain URL`: which route answers a request, and why. Only a running control plane knows that.

mod text;

use biplane_admin_api::explain::{ExplainQuery, MOST, Verdict};
use clap::{Args, ValueEnum};

use crate::config::{ClientFlags, GlobalFlags};
use crate::connect;
use crate::exit::{Code, Outcome};
use crate::output;
use crate::standing;

/// The command line.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  biplane explain http://example.com/pets
  biplane explain https://example.com/pets --method POST --header 'x-version: v2'
  biplane explain http://example.com/office --client-ip 10.0.0.7
  biplane explain http://example.com:80/ --gateway default/edge   behind something that listens on port 80
  biplane explain http://example.com/ -o json                     all routes, for machines

Nothing is sent to any Envoy: this is what one makes of its configuration. Exit code 1: no gateway answers, or \
                        what it leads to cannot (404, 503).")]
pub(crate) struct Arguments {
    /// The URL of the request. A port picks the gateway that listens on it
    #[arg(value_name = "URL")]
    url: String,
    /// The method
    #[arg(short, long, value_name = "METHOD", default_value = "GET")]
    method: String,
    /// A header of the request; may be given several times
    #[arg(short = 'H', long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// The address that the client's connection comes from
    #[arg(long, value_name = "IP")]
    client_ip: Option<String>,
    /// As an Envoy of this fleet answers
    #[arg(long, value_name = "FLEET")]
    fleet: Option<String>,
    /// As this gateway answers, whatever its port: NAME or NAMESPACE/NAME
    #[arg(long, value_name = "GATEWAY")]
    gateway: Option<String>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    client: ClientFlags,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people; of many routes those that come closest
    #[default]
    Text,
    /// What the API answers, with all routes
    Json,
}

/// Asks and prints.
pub(crate) async fn run(global: &GlobalFlags, arguments: &Arguments) -> Outcome {
    let client = connect::client(global, &arguments.client)?;
    let explanation = standing::explain(&client, &arguments.query()).await?;
    output::print(&match arguments.output {
        Format::Text => text::render(&explanation),
        Format::Json => output::json(&explanation)?,
    })?;
    Ok(match explanation.verdict {
        Verdict::Answered | Verdict::Open => Code::Success,
        Verdict::Unavailable | Verdict::NoRoute | Verdict::Refused | Verdict::Unknown => Code::Findings,
    })
}

impl Arguments {
    fn query(&self) -> ExplainQuery {
        ExplainQuery {
            url: self.url.clone(),
            method: Some(self.method.clone()),
            header: self.header.clone(),
            client_ip: self.client_ip.clone(),
            fleet: self.fleet.clone(),
            gateway: self.gateway.clone(),
            limit: (self.output == Format::Json).then_some(MOST),
        }
    }
}
