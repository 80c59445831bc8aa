//! The options as one text: `dns://127.0.0.1:8600?name=consul-dns&minRefresh=2s`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use biplane_core::scalars;
use biplane_source::SourceError;

use super::{DnsOptions, Servers};

const PARAMETERS: [&str; 6] = ["name", "required", "minRefresh", "maxRefresh", "timeout", "retryMax"];

/// As long as a name may be to be repeated.
const SHOWN_MAX: usize = 20;

const USUAL_PORT: u16 = 53;

/// Options from a URL.
pub(super) fn parse(url: &str) -> Result<DnsOptions, SourceError> {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let place = place.strip_prefix("dns:").ok_or_else(|| wrong("it does not begin with dns:"))?;
    let mut options = DnsOptions::default();
    let host = place.strip_prefix("//").unwrap_or(place);
    let host = host.strip_suffix('/').unwrap_or(host);
    if !host.is_empty() {
        options.servers = Servers::These(host.split(',').map(server).collect::<Result<_, _>>()?);
    }
    let mut seen = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        set(&mut options, name, value)?;
        if seen.contains(&name) {
            return Err(wrong(&format!("it has the parameter {name} twice")));
        }
        seen.push(name);
    }
    if options.refresh_min > options.refresh_max {
        return Err(wrong("minRefresh is longer than maxRefresh"));
    }
    Ok(options)
}

/// An address: the name of a server would have to be looked up first.
fn server(host: &str) -> Result<SocketAddr, SourceError> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let address = bare.parse::<IpAddr>().map(|address| SocketAddr::new(address, USUAL_PORT));
    let address = address.or_else(|_| host.parse());
    address.map_err(|_| {
        wrong("a server is not an address").hint("such as dns://127.0.0.1:8600 or dns://[fd00::53]:53")
    })
}

fn set(options: &mut DnsOptions, name: &str, value: &str) -> Result<(), SourceError> {
    match name {
        "name" if value.is_empty() => return Err(wrong("name is empty")),
        "name" => value.clone_into(&mut options.name),
        "required" => options.required = truth(name, value)?,
        "minRefresh" => options.refresh_min = time(name, value)?,
        "maxRefresh" => options.refresh_max = time(name, value)?,
        "timeout" => options.timeout = time(name, value)?,
        "retryMax" => options.retry_max = time(name, value)?,
        other => return Err(unknown(other)),
    }
    Ok(())
}

fn unknown(name: &str) -> SourceError {
    let list = format!("the parameters are {}", PARAMETERS.join(", "));
    if name.len() > SHOWN_MAX || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
        return wrong("it has something in it that is no parameter").hint(list);
    }
    let near = |known: &&str| strsim::jaro_winkler(name, known);
    let nearest = PARAMETERS.into_iter().max_by(|a, b| near(a).total_cmp(&near(b)));
    let hint = nearest.filter(|known| near(known) > 0.75);
    wrong(&format!("it has an unknown parameter {name:?}"))
        .hint(hint.map_or(list, |known| format!("did you mean {known}?")))
}

fn truth(name: &str, value: &str) -> Result<bool, SourceError> {
    value.parse().map_err(|_| wrong(&format!("{name} is true or false")))
}

fn time(name: &str, value: &str) -> Result<Duration, SourceError> {
    let time = value.parse::<scalars::Duration>().map(|time| time.0).ok().filter(|time| !time.is_zero());
    time.ok_or_else(|| wrong(&format!("{name} is a time longer than none, such as 30s")))
}

/// The URL may hold what should not be in it, so it is not repeated.
fn wrong(what: &str) -> SourceError {
    SourceError::invalid(format!("the URL of DNS cannot be used: {what}"))
        .hint("dns: for the servers of this machine, or dns://127.0.0.1:8600 for another one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_url_asks_the_servers_of_this_machine() {
        assert_eq!(parse("dns:").expect("good"), DnsOptions::default());
    }

    #[test]
    fn every_parameter_is_set() {
        let url = "dns://127.0.0.1:8600?name=consul&required=true&minRefresh=2s&maxRefresh=1m&timeout=3s&retryMax=5s";
        let expected = DnsOptions {
            name: "consul".to_owned(),
            servers: Servers::These(vec!["127.0.0.1:8600".parse().expect("an address")]),
            required: true,
            refresh_min: Duration::from_secs(2),
            refresh_max: Duration::from_mins(1),
            timeout: Duration::from_secs(3),
            retry_max: Duration::from_secs(5),
        };
        assert_eq!(parse(url).expect("good"), expected);
    }

    #[test]
    fn servers_are_addresses_with_or_without_a_port() {
        for (url, expected) in [
            ("dns://10.0.0.2", vec!["10.0.0.2:53"]),
            ("dns://[fd00::53]", vec!["[fd00::53]:53"]),
            ("dns://[fd00::53]:54,10.0.0.2/", vec!["[fd00::53]:54", "10.0.0.2:53"]),
        ] {
            let expected = expected.into_iter().map(|address| address.parse().expect("an address"));
            assert_eq!(parse(url).expect(url).servers, Servers::These(expected.collect()));
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_a_hint_and_without_the_url() {
        for (url, hint) in [
            ("dns://resolver.hunter2:53", "such as dns://127.0.0.1:8600"),
            ("dns:?minrefresh=1s", "did you mean minRefresh?"),
            ("dns:?token=s.hunter2", "the parameters are"),
            ("dns:?minRefresh=10m", "dns: for the servers"),
            ("dns:?timeout=0s", "dns: for the servers"),
            ("dns:?required=yes", "dns: for the servers"),
            ("dns:?timeout=1s&timeout=2s", "dns: for the servers"),
            ("hunter2", "dns: for the servers"),
        ] {
            let error = parse(url).expect_err(url);
            assert!(error.hint.as_deref().unwrap_or_default().contains(hint), "{url}: {error:?}");
            assert!(!error.message.contains("hunter2"), "{error:?}");
        }
    }
}
