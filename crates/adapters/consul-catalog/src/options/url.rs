//! The options as one text: `consul://agent:8500?datacenters=dc1,dc2&tokenFile=/run/token`.

use std::time::Duration;

use biplane_consul_client::{Consistency, ConsulUrl, UrlError, duration};
use biplane_source::SourceError;

use super::CatalogOptions;

/// The parameters beside those of every Consul.
const PARAMETERS: [&str; 9] = [
    "name",
    "required",
    "datacenters",
    "consistency",
    "maxStale",
    "refresh",
    "wait",
    "useCache",
    "maxWatches",
];

/// Options from a URL and the environment.
pub(super) fn parse(url: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<CatalogOptions, SourceError> {
    let ConsulUrl { settings, path, parameters, .. } =
        ConsulUrl::parse(url, env).map_err(|error| wrong(&error))?;
    if !path.is_empty() {
        return Err(wrong(&UrlError::new("it has a path, and a catalog has none")));
    }
    let mut options = CatalogOptions::new(settings);
    for (name, value) in &parameters {
        set(&mut options, name, value).map_err(|error| wrong(&error))?;
    }
    Ok(options)
}

fn set(options: &mut CatalogOptions, name: &str, value: &str) -> Result<(), UrlError> {
    match name {
        "name" if value.is_empty() => return Err(UrlError::new("name is empty")),
        "name" => value.clone_into(&mut options.name),
        "required" => options.required = truth(name, value)?,
        "datacenters" => options.datacenters = datacenters(value)?,
        "consistency" => options.consistency = consistency(value)?,
        "maxStale" => options.max_stale = time(name, value)?,
        "refresh" => options.refresh = time(name, value)?,
        "wait" => options.wait = time(name, value)?,
        "useCache" => options.cached = truth(name, value)?,
        "maxWatches" => {
            let watches = value.parse().ok().filter(|count| *count <= 10_000);
            let error = || UrlError::new("maxWatches is from 0 to 10000");
            options.max_watches = watches.ok_or_else(error)?;
        }
        other => return Err(UrlError::unknown(other, &PARAMETERS)),
    }
    Ok(())
}

fn truth(name: &str, value: &str) -> Result<bool, UrlError> {
    value.parse().map_err(|_| UrlError::new(format!("{name} is true or false")))
}

fn time(name: &str, value: &str) -> Result<Duration, UrlError> {
    duration(value).ok_or_else(|| UrlError::new(format!("{name} is a time from 1s to 10m, such as 30s")))
}

fn datacenters(value: &str) -> Result<Vec<String>, UrlError> {
    let names: Vec<String> = value.split(',').map(|name| name.trim().to_owned()).collect();
    if names.iter().any(String::is_empty) {
        return Err(UrlError::new("datacenters are names with commas between them"));
    }
    Ok(names)
}

fn consistency(value: &str) -> Result<Consistency, UrlError> {
    match value {
        "default" => Ok(Consistency::Default),
        "stale" => Ok(Consistency::Stale),
        "consistent" => Ok(Consistency::Consistent),
        _ => Err(UrlError::new("consistency is default, stale or consistent")),
    }
}

/// The URL itself may hold what should not be in it, so it is not repeated.
fn wrong(error: &UrlError) -> SourceError {
    let usual = "consul://HOST:PORT, consuls:// for TLS, consul: for CONSUL_HTTP_ADDR";
    SourceError::invalid(format!("the URL of the Consul catalog cannot be used: {error}"))
        .hint(error.hint.as_deref().unwrap_or(usual))
}

#[cfg(test)]
mod tests {
    use biplane_consul_client::{Address, TokenSource};

    use super::*;

    fn options(url: &str, variables: &[(&str, &str)]) -> Result<CatalogOptions, SourceError> {
        parse(url, &|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn every_parameter_is_set() {
        let url = "consuls://c:8501?name=east&required=true&datacenters=dc1,dc2&namespace=edge&partition=west\
                   &tokenFile=/run/t&consistency=stale&maxStale=5s&refresh=30s&wait=2m&useCache=true&maxWatches=100";
        let options = options(url, &[]).expect("all of them are good");
        let mut expected = CatalogOptions::new(options.client.clone()).named("east");
        expected.required = true;
        expected.datacenters = vec!["dc1".to_owned(), "dc2".to_owned()];
        expected.namespace = Some("edge".to_owned());
        expected.partition = Some("west".to_owned());
        expected.consistency = Consistency::Stale;
        expected.max_stale = Duration::from_secs(5);
        expected.refresh = Duration::from_secs(30);
        expected.wait = Duration::from_mins(2);
        expected.cached = true;
        expected.max_watches = 100;
        assert_eq!(options, expected);
        assert_eq!(options.client.token, Some(TokenSource::File("/run/t".into())));
        assert_eq!(options.client.address, Address::Tcp { host: "c".into(), port: 8501, tls: true });
    }

    #[test]
    fn what_the_url_does_not_say_comes_from_the_environment() {
        let variables = [
            ("CONSUL_HTTP_ADDR", "agent:8500"),
            ("CONSUL_HTTP_TOKEN", "hunter2"),
            ("CONSUL_NAMESPACE", "edge"),
        ];
        let options = options("consul:?dc=dc2", &variables).expect("good");
        assert_eq!(options.datacenters, ["dc2"]);
        assert_eq!(options.namespace.as_deref(), Some("edge"));
        assert_eq!((&options.client.datacenter, &options.client.namespace), (&None, &None));
        assert!(options.client.token.is_some() && !format!("{options:?}").contains("hunter2"));
    }

    #[test]
    fn a_bad_parameter_is_told_with_a_hint_and_without_the_url() {
        for (url, hint) in [
            ("consul:?hunter2=&datacentres=x", "the parameters are"),
            ("consul:?datacentres=hunter2", "did you mean datacenters?"),
            ("consul:?maxStale=1h", "consul://"),
            ("consul://h/path", "consul://"),
            ("consul:?consistency=strong", "consul://"),
            ("consul://hunter2@h", "CONSUL_HTTP_TOKEN"),
        ] {
            let error = options(url, &[]).expect_err(url);
            assert!(error.hint.as_deref().unwrap_or_default().contains(hint), "{url}: {error:?}");
            assert!(!error.message.contains("hunter2") || url.contains("hunter2="), "{error:?}");
        }
    }
}
