//! The options as one text: `ec2:?region=eu-west-1&refresh=30s`.

use std::num::NonZeroU32;
use std::time::Duration;

use biplane_core::scalars;
use biplane_source::SourceError;

use super::Ec2Options;

const PARAMETERS: [&str; 9] =
    ["name", "required", "region", "profile", "endpoint", "refresh", "maxRate", "timeout", "page"];

/// What people put into URLs though everybody sees it.
const SECRETS: [&str; 4] = ["accessKey", "secretKey", "sessionToken", "token"];

/// As long as a name may be to be repeated.
const SHOWN_MAX: usize = 20;

const SHORTEST_REFRESH: Duration = Duration::from_secs(1);

/// What EC2 takes for a page.
const PAGE: std::ops::RangeInclusive<u32> = 5..=1000;

/// Options from a URL and the environment.
pub(super) fn parse(
    url: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Ec2Options, SourceError> {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    if !matches!(place, "ec2:" | "ec2://") {
        return Err(wrong("it is not ec2: with parameters behind a question mark"));
    }
    let mut options = Ec2Options::default();
    let variable = |name: &str| environment(name).filter(|value| !value.is_empty());
    let mut seen = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        set(&mut options, name, value)?;
        if seen.contains(&name) {
            return Err(wrong(&format!("it has the parameter {name} twice")));
        }
        seen.push(name);
    }
    // A profile that is named has a region of its own.
    if options.region.is_none() && options.profile.is_none() {
        options.region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    }
    options.ca_bundle = variable("AWS_CA_BUNDLE").map(Into::into);
    Ok(options)
}

fn set(options: &mut Ec2Options, name: &str, value: &str) -> Result<(), SourceError> {
    let text =
        || if value.is_empty() { Err(wrong(&format!("{name} is empty"))) } else { Ok(value.to_owned()) };
    match name {
        "name" => options.name = text()?,
        "required" => options.required = truth(name, value)?,
        "region" => options.region = Some(text()?),
        "profile" => options.profile = Some(text()?),
        "endpoint" => options.endpoint = Some(endpoint(value)?),
        "refresh" => options.refresh = time(name, value, SHORTEST_REFRESH)?,
        "maxRate" => options.max_rate = number(name, value)?,
        "timeout" => options.timeout = time(name, value, Duration::from_millis(1))?,
        "page" => {
            let page = number(name, value)?.get();
            let error = || wrong("page is from 5 to 1000, as EC2 has it");
            options.page = Some(page).filter(|page| PAGE.contains(page)).ok_or_else(error)?;
        }
        other => return Err(unknown(other)),
    }
    Ok(())
}

fn unknown(name: &str) -> SourceError {
    let list = format!("the parameters are {}", PARAMETERS.join(", "));
    if let Some(secret) = SECRETS.into_iter().find(|secret| secret.eq_ignore_ascii_case(name)) {
        return wrong(&format!("{secret} does not belong in it: everybody who lists processes sees it"))
            .hint("AWS_PROFILE and AWS's own files; or secretRef in the upstream");
    }
    if name.len() > SHOWN_MAX || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
        return wrong("it has something in it that is no parameter").hint(list);
    }
    let near = |known: &&str| strsim::jaro_winkler(name, known);
    let nearest = PARAMETERS.into_iter().max_by(|a, b| near(a).total_cmp(&near(b)));
    let hint = nearest.filter(|known| near(known) > 0.75);
    wrong(&format!("it has an unknown parameter {name:?}"))
        .hint(hint.map_or(list, |known| format!("did you mean {known}?")))
}

fn endpoint(value: &str) -> Result<String, SourceError> {
    let is_web = value.starts_with("https://") || value.starts_with("http://");
    let good = is_web && !value.contains(['@', '?', '#']);
    let hint = "such as endpoint=http://127.0.0.1:4566";
    good.then(|| value.to_owned()).ok_or_else(|| wrong("endpoint is not the URL of a server").hint(hint))
}

fn truth(name: &str, value: &str) -> Result<bool, SourceError> {
    value.parse().map_err(|_| wrong(&format!("{name} is true or false")))
}

fn number(name: &str, value: &str) -> Result<NonZeroU32, SourceError> {
    value.parse().map_err(|_| wrong(&format!("{name} is a whole number, at least 1")))
}

fn time(name: &str, value: &str, least: Duration) -> Result<Duration, SourceError> {
    let time = value.parse::<scalars::Duration>().map(|time| time.0).ok().filter(|time| *time >= least);
    time.ok_or_else(|| wrong(&format!("{name} is a time of {least:?} or more, such as 30s")))
}

/// The URL may hold what should not be in it, so it is not repeated.
fn wrong(what: &str) -> SourceError {
    SourceError::invalid(format!("the URL of EC2 cannot be used: {what}"))
        .hint("ec2: for what AWS's tools have in variables and files, or ec2:?region=eu-west-1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(url: &str, variables: &[(&str, &str)]) -> Result<Ec2Options, SourceError> {
        parse(url, &|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_shortest_url_takes_what_the_environment_says() {
        let variables =
            [("AWS_DEFAULT_REGION", "eu-west-1"), ("AWS_REGION", ""), ("AWS_CA_BUNDLE", "/etc/ca.pem")];
        let expected = Ec2Options {
            region: Some("eu-west-1".to_owned()),
            ca_bundle: Some("/etc/ca.pem".into()),
            ..Ec2Options::default()
        };
        assert_eq!(options("ec2:", &variables).expect("good"), expected);
    }

    #[test]
    fn every_parameter_is_set() {
        let url = "ec2:?name=west&required=true&region=us-west-2&profile=ops&endpoint=http://127.0.0.1:1\
                   &refresh=1s&maxRate=2&timeout=3s&page=50";
        let expected = Ec2Options {
            name: "west".to_owned(),
            required: true,
            region: Some("us-west-2".to_owned()),
            profile: Some("ops".to_owned()),
            endpoint: Some("http://127.0.0.1:1".to_owned()),
            ca_bundle: None,
            refresh: Duration::from_secs(1),
            max_rate: NonZeroU32::new(2).expect("two"),
            timeout: Duration::from_secs(3),
            page: 50,
        };
        assert_eq!(options(url, &[("AWS_REGION", "eu-west-1")]).expect("good"), expected);
    }

    #[test]
    fn a_profile_that_is_named_has_a_region_of_its_own() {
        let options = options("ec2:?profile=ops", &[("AWS_REGION", "eu-west-1")]).expect("good");
        assert_eq!(options.region, None);
    }

    #[test]
    fn what_is_wrong_is_told_with_a_hint_and_without_the_url() {
        for (url, hint) in [
            ("ec2://hunter2", "ec2:?region="),
            ("ec2:?secretKey=hunter2", "AWS_PROFILE"),
            ("ec2:?maxrate=1", "did you mean maxRate?"),
            ("ec2:?hunter2hunter2hunter2=1", "the parameters are"),
            ("ec2:?refresh=10ms", "ec2:?region="),
            ("ec2:?page=2000", "ec2:?region="),
            ("ec2:?endpoint=http://hunter2@h", "endpoint=http://"),
            ("ec2:?region=", "ec2:?region="),
        ] {
            let error = options(url, &[]).expect_err(url);
            assert!(error.hint.as_deref().unwrap_or_default().contains(hint), "{url}: {error:?}");
            assert!(!error.message.contains("hunter2"), "{error:?}");
        }
    }
}
