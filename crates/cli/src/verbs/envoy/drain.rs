//! `biplane envoy drain`: has an Envoy take leave of its clients before it is stopped.
//!
//! ```text
//! /healthcheck/fail ─▶ /drain_listeners?graceful ─▶ nobody asks for anything any more, or the time is over
//! ```

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::exit::{Code, Failure, Outcome};
use crate::output;

/// How long Envoy may take for an answer.
const DEADLINE: Duration = Duration::from_secs(5);

/// How often it is asked what it has under way.
const PERIOD: Duration = Duration::from_millis(200);

/// Nobody has asked anything for so long: whoever still holds a connection has found another.
const QUIET: Duration = Duration::from_secs(2);

/// The requests of clients, by listener.
const REQUESTS: &str = "/stats?filter=downstream_rq_";

/// Envoy's own interface counts its callers too, us among them.
const ADMIN: &str = "http.admin.";

/// The command line.
#[derive(Debug, Args)]
#[command(after_help = "\
What checks Envoy's health is told that it goes, and its clients are asked to connect elsewhere: what they have under way is \
finished. Envoy itself goes on to run.")]
pub(crate) struct Arguments {
    /// Envoy's own admin interface
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:19000")]
    admin: SocketAddr,
    /// How long to wait for clients, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    wait: u64,
}

/// Drains, and waits until nobody asks for anything. Who goes on for longer than one waits is no failure.
pub(crate) async fn run(arguments: &Arguments) -> Outcome {
    ask(arguments.admin, &Method::POST, "/healthcheck/fail").await?;
    ask(arguments.admin, &Method::POST, "/drain_listeners?graceful").await?;
    let until = Instant::now() + Duration::from_secs(arguments.wait);
    let (mut last, mut quiet) = (Requests::default(), Instant::now());
    while Instant::now() < until {
        let now = Requests::read(&ask(arguments.admin, &Method::GET, REQUESTS).await?);
        if now.under_way > 0 || now != last {
            (last, quiet) = (now, Instant::now());
        }
        if quiet.elapsed() >= QUIET {
            output::say("drained, nothing is under way");
            return Ok(Code::Success);
        }
        sleep(PERIOD).await;
    }
    output::say(&format!("the time is over, {} requests are under way", last.under_way));
    Ok(Code::Success)
}

/// What clients have asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Requests {
    under_way: u64,
    ever: u64,
}

impl Requests {
    /// Adds the lines `http.NAME.downstream_rq_active: 3` and `http.NAME.downstream_rq_total: 5`.
    fn read(stats: &str) -> Self {
        let sum = |end: &str| {
            let lines = stats.lines().filter(|line| line.starts_with("http.") && !line.starts_with(ADMIN));
            let pairs = lines.filter_map(|line| line.rsplit_once(": "));
            pairs
                .filter(|(name, _)| name.ends_with(end))
                .filter_map(|(_, value)| value.parse::<u64>().ok())
                .sum()
        };
        Self { under_way: sum(".downstream_rq_active"), ever: sum(".downstream_rq_total") }
    }
}

async fn ask(admin: SocketAddr, method: &Method, path: &str) -> Result<String, Failure> {
    let fail = |why: String| {
        Failure::unreachable(format!("Envoy at {admin}: {method} {path}: {why}"))
            .hint("--admin is where Envoy's own interface is, as its bootstrap says")
    };
    match timeout(DEADLINE, answer(admin, method, path)).await {
        Ok(answer) => answer.map_err(|error| fail(format!("{error:#}"))),
        Err(_) => Err(fail(format!("no answer within {} s", DEADLINE.as_secs()))),
    }
}

async fn answer(admin: SocketAddr, method: &Method, path: &str) -> anyhow::Result<String> {
    let stream = TcpStream::connect(admin).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the sender.
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, admin.to_string())
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    anyhow::ensure!(response.status().is_success(), "it answers {}", response.status());
    let body = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8_lossy(&body).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_count_and_those_who_ask_envoy_itself_do_not() {
        let stats = "http.web.downstream_rq_active: 3\n\
                     http.web.downstream_rq_total: 10\n\
                     http.web.downstream_rq_2xx: 7\n\
                     http.admin.downstream_rq_active: 1\n\
                     http.admin.downstream_rq_total: 5\n\
                     http.app.downstream_rq_active: 2\n";
        assert_eq!(Requests::read(stats), Requests { under_way: 5, ever: 10 });
        assert_eq!(Requests::read(""), Requests::default());
    }
}
