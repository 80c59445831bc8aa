//! The options as one text: `nomads://nomad.internal:4646?namespaces=default,team&tokenFile=...`.

use biplane_agent::Parameters;
use biplane_source::SourceError;

use super::environment::{Environment, duration, truth, unfit};
use super::parameters::{self, wrong};
use super::{Address, DEFAULT_NAMESPACE, NomadOptions, Tls, Token};

/// Options from a URL and the environment.
pub(super) fn parse(url: &str, read: &dyn Fn(&str) -> Option<String>) -> Result<NomadOptions, SourceError> {
    let environment = Environment::new(read);
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let mut parameters = parameters::parse(query)?;
    let mut options = NomadOptions::new(address(place, &environment)?);
    options.token = token(&mut parameters, &environment)?;
    options.tls = Tls::from_url(&mut parameters, environment.tls()?).map_err(unfit)?;
    options.region = parameters.take("region").or_else(|| environment.get("REGION"));
    options.namespaces = namespaces(parameters.take("namespaces").or_else(|| environment.get("NAMESPACE")))?;
    set_times(&mut options, &mut parameters)?;
    set_rest(&mut options, &mut parameters)?;
    Ok(options)
}

/// The agent: named by the URL, or by the environment.
fn address(place: &str, environment: &Environment<'_>) -> Result<Address, SourceError> {
    let (scheme, rest) = place.split_once(':').ok_or_else(|| wrong("it has no scheme"))?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let tls = match scheme {
        "nomad" => false,
        "nomads" => true,
        "nomad+unix" => return Address::unix(rest),
        _ => return Err(wrong("it is neither nomad:, nomads: nor nomad+unix:")),
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains('/') {
        return Err(wrong("it has a path").hint("namespaces=a,b says what is looked at"));
    }
    if !authority.is_empty() {
        return Address::new(authority, tls);
    }
    let address = environment.address()?;
    if tls && !address.is_tls() {
        return Err(wrong("nomads: wants TLS, and the environment names an agent without"));
    }
    Ok(address)
}

/// A file that is named is meant, whatever the environment has.
fn token(parameters: &mut Parameters, environment: &Environment<'_>) -> Result<Option<Token>, SourceError> {
    let file = parameters.take_path("tokenFile").map(Token::File);
    match parameters.take("auth").as_deref() {
        None => Ok(file.or_else(|| environment.token())),
        Some("identity") if file.is_some() => {
            Err(wrong("tokenFile and auth=identity are two answers to one question"))
        }
        Some("identity") => environment.identity().map(|file| Some(Token::File(file))).ok_or_else(|| {
            wrong("auth=identity is for tasks of Nomad, and NOMAD_SECRETS_DIR is not set")
                .hint("tokenFile=FILE, or run it as a task whose job has identity { file = true }")
        }),
        Some(_) => Err(wrong("auth= names no method that is known").hint("auth=identity, or leave it out")),
    }
}

/// Each by its name: whoever may read none of them all is shown none, without a word.
fn namespaces(text: Option<String>) -> Result<Vec<String>, SourceError> {
    let Some(text) = text else { return Ok(vec![DEFAULT_NAMESPACE.to_owned()]) };
    let mut found: Vec<String> = Vec::new();
    for name in text.split(',').map(str::trim) {
        if name == "*" {
            let hint =
                "namespaces=a,b: with * Nomad leaves out what the token may not read, and does not say so";
            return Err(wrong("namespaces are named one by one").hint(hint));
        }
        check_namespace(name)?;
        if !found.iter().any(|known| known == name) {
            found.push(name.to_owned());
        }
    }
    Ok(found)
}

/// What Nomad takes for a namespace.
pub(crate) fn check_namespace(name: &str) -> Result<(), SourceError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if (1..=128).contains(&name.len()) && name.chars().all(fits) {
        return Ok(());
    }
    Err(SourceError::invalid(format!("{name:?} is no namespace of Nomad"))
        .hint("letters, digits and dashes, 128 at most; `nomad namespace list` shows those that there are"))
}

fn set_times(options: &mut NomadOptions, parameters: &mut Parameters) -> Result<(), SourceError> {
    let mut time = |name| parameters.take(name).map(|text| duration(name, &text)).transpose();
    options.refresh = time("refresh")?.unwrap_or(options.refresh);
    options.check_interval = time("checkInterval")?.unwrap_or(options.check_interval);
    options.timeout = time("timeout")?.unwrap_or(options.timeout);
    options.tuning.retry_max = time("retryMax")?.unwrap_or(options.tuning.retry_max);
    options.tuning.confirm = time("confirm")?.unwrap_or(options.tuning.confirm);
    Ok(())
}

fn set_rest(options: &mut NomadOptions, parameters: &mut Parameters) -> Result<(), SourceError> {
    if let Some(name) = parameters.take("name") {
        options.name = name;
    }
    if let Some(text) = parameters.take("required") {
        options.required = truth("required", &text)?;
    }
    let mut number = |name| parameters.take(name).map(|text| count(name, &text)).transpose();
    let tuning = &mut options.tuning;
    tuning.max_requests = number("maxRequests")?.map_or(tuning.max_requests, size);
    tuning.page = number("page")?.map_or(tuning.page, size);
    tuning.checks_per_second = number("checksPerSecond")?.unwrap_or(tuning.checks_per_second);
    Ok(())
}

fn count(name: &str, text: &str) -> Result<u32, SourceError> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| wrong(&format!("{name} is a whole number, at least 1")))
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
