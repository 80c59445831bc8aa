//! Store URLs: `consul://host:8500/root?dc=dc2&tokenFile=/run/token`.

use biplane_consul_client::{Address, ConsulUrl, UrlError, duration};
use biplane_store::StoreError;
use biplane_store::layout::Layout;

use crate::options::ConsulOptions;

/// The parameters that a store's URL may have beside those of every Consul.
const PARAMETERS: [&str; 3] = ["wait", "maxWatches", "layout"];

/// The parameter that stands for the path where the path is a socket's.
const ROOT: &str = "root";

/// Options from a URL and the environment.
pub(crate) fn parse(url: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<ConsulOptions, StoreError> {
    let ConsulUrl { settings, path, is_socket, parameters } =
        ConsulUrl::parse(url, env).map_err(|error| wrong(&error))?;
    let mut options = ConsulOptions::new(settings);
    // First, because the default root hangs on it.
    if let Some((_, layout)) = parameters.iter().find(|(name, _)| name == "layout") {
        let layout: Layout = layout.parse()?;
        options = options.layout(layout).root(layout.default_root());
    }
    if !path.is_empty() {
        options = options.root(&path);
    }
    for (name, value) in parameters {
        options = set(options, &name, &value, is_socket)?;
    }
    Ok(options)
}

/// The URL that leads to the same place, without anything that only this process needs.
pub(crate) fn name(options: &ConsulOptions) -> String {
    let ConsulOptions { client, root, .. } = options;
    let place = client.address.url();
    let (mut url, mut mark) = match &client.address {
        Address::Unix(_) => (format!("{place}?{ROOT}={root}"), '&'),
        Address::Tcp { .. } => (format!("{place}/{root}"), '?'),
    };
    let layout = (options.layout != Layout::default()).then(|| options.layout.to_string());
    let scope = [
        ("layout", &layout),
        ("dc", &client.datacenter),
        ("namespace", &client.namespace),
        ("partition", &client.partition),
    ];
    for (name, value) in scope {
        if let Some(value) = value {
            url.push_str(&format!("{mark}{name}={value}"));
            mark = '&';
        }
    }
    url
}

fn set(
    mut options: ConsulOptions,
    name: &str,
    value: &str,
    is_socket: bool,
) -> Result<ConsulOptions, StoreError> {
    match name {
        "wait" => {
            let wait = duration(value).ok_or_else(|| wrong(&UrlError::new("wait is a time such as 5m")))?;
            options.tuning.wait = wait;
        }
        "maxWatches" => {
            let watches = value.parse().ok().filter(|count| (4..=190).contains(count));
            let error = || wrong(&UrlError::new("maxWatches is from 4 to 190"));
            options.tuning.max_watches = watches.ok_or_else(error)?;
        }
        "layout" => {}
        ROOT if is_socket => options = options.root(value),
        other => return Err(wrong(&UrlError::unknown(other, &PARAMETERS))),
    }
    Ok(options)
}

/// The URL itself may hold what should not be in it, so it is not repeated.
fn wrong(error: &UrlError) -> StoreError {
    let usual = "consul://HOST:PORT/ROOT, consuls:// for TLS, consul:///ROOT for CONSUL_HTTP_ADDR";
    StoreError::invalid(format!("the store's URL cannot be used: {error}"))
        .with_hint(error.hint.as_deref().unwrap_or(usual))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use biplane_consul_client::TokenSource;

    use super::*;

    fn options(url: &str, variables: &[(&str, &str)]) -> Result<ConsulOptions, StoreError> {
        parse(url, &|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_url_names_itself() {
        for url in [
            "consul://10.0.0.1:8500/biplane",
            "consuls://consul.internal:8501/edge/one?dc=dc2",
            "consul+unix:///run/consul.sock?root=edge&dc=a&namespace=b&partition=c",
            "consul://[::1]:8500/biplane",
            "consul://localhost:8500/gloo?layout=gloo",
        ] {
            assert_eq!(options(url, &[]).map(|options| options.name()), Ok(url.to_owned()));
        }
        assert_eq!(options("consul://host", &[]).expect("short").name(), "consul://host:8500/biplane");
    }

    #[test]
    fn the_host_comes_from_the_environment_where_the_url_has_none() {
        let variables = [("CONSUL_HTTP_ADDR", "https://agent:18501"), ("CONSUL_HTTP_TOKEN", "hunter2")];
        let options = options("consul:///edge", &variables).expect("good");
        assert_eq!(options.name(), "consuls://agent:18501/edge");
        assert!(options.client.token.is_some());
        assert!(!format!("{options:?}").contains("hunter2"));
    }

    #[test]
    fn parameters_are_set_and_an_unknown_one_is_told_with_the_nearest() {
        let url = "consuls://h/r?tokenFile=%2Frun%2Ftoken&caFile=ca.pem&verify=false&wait=2m&maxWatches=8";
        let options = options(url, &[]).expect("good");
        assert_eq!(options.client.token, Some(TokenSource::File("/run/token".into())));
        assert_eq!((options.client.tls.verify, options.tuning.max_watches), (false, 8));
        assert_eq!(options.tuning.wait, Duration::from_mins(2));
        let error = self::options("consul://h/r?tokenfile=x", &[]).expect_err("case counts");
        assert_eq!(error.hint(), Some("did you mean tokenFile?"));
    }

    #[test]
    fn what_is_no_url_of_consul_is_refused_without_repeating_it() {
        for url in
            ["consul", "etcd://h/r", "consul://hunter2@h/r", "consul+unix://h/p", "consul://h/%zz?hunter2=1"]
        {
            let error = options(url, &[]).expect_err(url);
            assert!(error.hint().is_some() && !format!("{error:?}").contains("hunter2@"), "{error:?}");
        }
    }
}
