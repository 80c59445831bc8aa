//! A query, read into what the graph and the translator look at.

use std::net::IpAddr;

use biplane_admin_api::explain::{ExplainQuery, FEW, MOST, Target};
use biplane_admin_api::{Problem, ProblemKind};
use biplane_translator::explain::Request;

use crate::graph::Asked;

/// What is asked.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) asked: Asked,
    /// The request as a client sends it.
    pub(super) request: Request,
    /// How many routes of each list are shown.
    pub(super) limit: usize,
}

impl Question {
    /// Reads a query.
    pub(super) fn of(query: &ExplainQuery) -> Result<Self, Problem> {
        let target: Target = query.url.parse().map_err(|error| {
            refused(format!("the URL cannot be used: {error}")).hint("http://example.com:8080/path?query")
        })?;
        let method = query.method.as_deref().filter(|method| !method.is_empty()).unwrap_or("GET");
        if method.contains(|character: char| character.is_whitespace() || character.is_control()) {
            return Err(refused(format!("{method:?} is not a method")));
        }
        let mut authority = target.authority();
        let mut headers = Vec::new();
        for text in &query.header {
            let (name, value) = header(text)?;
            if name == "host" { authority = value } else { headers.push((name, value)) }
        }
        let connect = method == "CONNECT";
        let path = if connect { String::new() } else { target.path.clone() };
        let client_ip = query.client_ip.as_deref().map(address).transpose()?;
        let request = Request {
            method: method.to_owned(),
            tls: target.tls,
            authority: authority.clone(),
            path,
            headers,
            certificate: false,
            client_ip,
        };
        let gateway = query.gateway.as_deref().map(|name| match name.split_once('/') {
            Some((namespace, name)) => (Some(namespace.to_owned()), name.to_owned()),
            None => (None, name.to_owned()),
        });
        let asked = Asked { target, authority, connect, gateway, fleet: query.fleet.clone() };
        let limit = query.limit.unwrap_or(FEW).min(MOST) as usize;
        Ok(Self { asked, request, limit })
    }
}

fn header(text: &str) -> Result<(String, String), Problem> {
    let (name, value) = text.split_once(':').unwrap_or((text, ""));
    let name = name.trim().to_ascii_lowercase();
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !text.contains(':') || name.is_empty() || !name.bytes().all(is_token) {
        // What is behind the colon may be secret.
        return Err(refused("a header is not of the form `name: value`".to_owned()));
    }
    Ok((name, value.trim().to_owned()))
}

fn address(text: &str) -> Result<IpAddr, Problem> {
    text.parse().map_err(|_| refused(format!("{text:?} is not the address of a client")))
}

fn refused(message: String) -> Problem {
    Problem::new(ProblemKind::BadRequest, message)
}
