//! The options as one text: `vaults://vault.internal:8200?auth=approle&roleId=...`.

use std::num::NonZeroU32;
use std::path::PathBuf;

use biplane_agent::Parameters;
use biplane_aws::{CallerIdentity, DEFAULT_REGION};
use biplane_source::SourceError;

use super::environment::{Environment, duration, truth, unfit};
use super::parameters::{self, finish, require, wrong};
use super::{Address, Auth, RoleId, StsRegion, Tls, VaultOptions};

/// Where the JWT that Nomad makes for Vault is, in the directory of a task's secrets: `nomad_<identity>.jwt`, for
/// the identity that Nomad itself uses. It is written if the job's `identity` block says `file = true`.
const NOMAD_JWT: &str = "nomad_vault_default.jwt";

/// The methods that `auth=` takes.
const METHODS: &str = "token, tokenFile, approle, jwt, nomad, aws, cert, userpass";

/// The region that is looked for.
const FOUND_REGION: &str = "auto";

/// The root of Gloo's objects unless its settings say otherwise.
const GLOO_ROOT: &str = "gloo";

/// Options from a URL and the environment.
pub(super) fn parse(url: &str, read: &dyn Fn(&str) -> Option<String>) -> Result<VaultOptions, SourceError> {
    let environment = Environment::new(read);
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let address = address(place, &environment)?;
    let mut parameters = parameters::parse(query)?;
    let (auth, method) = auth(&mut parameters, &environment)?;
    let mut options = VaultOptions::new(address, auth);
    options.tls = Tls::from_url(&mut parameters, environment.tls()?).map_err(unfit)?;
    options.namespace = namespace(parameters.take("namespace").or_else(|| environment.get("NAMESPACE")))?;
    options.timeout = environment.timeout()?.unwrap_or(options.timeout);
    set_rest(&mut options, &mut parameters)?;
    finish(&parameters, &method)?;
    Ok(options)
}

/// The server: named by the URL, or by the environment.
fn address(place: &str, environment: &Environment<'_>) -> Result<Address, SourceError> {
    let (scheme, rest) = place.split_once(':').ok_or_else(|| wrong("it has no scheme"))?;
    let tls = match scheme {
        "vault" => false,
        "vaults" => true,
        _ => return Err(wrong("it is neither vault: nor vaults:")),
    };
    let authority = rest.strip_prefix("//").unwrap_or(rest);
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    if authority.contains('/') {
        return Err(
            wrong("it has a path").hint("the mount is said with kvMount=, or where a secret is referred to")
        );
    }
    if !authority.is_empty() {
        return Address::new(authority, tls);
    }
    let address = environment.address()?;
    if tls && !address.tls {
        return Err(wrong("vaults: wants TLS, and BAO_ADDR or VAULT_ADDR names a server without"));
    }
    Ok(address)
}

/// How to log in, and what the URL calls that.
fn auth(parameters: &mut Parameters, environment: &Environment<'_>) -> Result<(Auth, String), SourceError> {
    let named = parameters.take("auth");
    let method = named.clone().unwrap_or_else(|| default_method(environment).to_owned());
    // A file that is named is meant, whatever the environment has.
    let token_file = if named.is_none() { parameters.take_path("tokenFile") } else { None };
    if let Some(file) = token_file {
        return Ok((Auth::TokenFile(file), "tokenFile".to_owned()));
    }
    let mut mount = |default: &str| parameters.take("authMount").unwrap_or_else(|| default.to_owned());
    let auth = match &*method {
        "token" => Auth::Token(environment.token().ok_or_else(|| missing_token("auth=token"))?),
        "tokenFile" => Auth::TokenFile(token_file_of(parameters, environment)?),
        "approle" => {
            let mount = mount("approle");
            let secret_id_file = parameters.take_path("secretIdFile");
            Auth::AppRole { mount, role_id: role_id(parameters)?, secret_id_file }
        }
        "jwt" | "nomad" => {
            let is_nomad = method == "nomad";
            let mount = mount(if is_nomad { "jwt-nomad" } else { "jwt" });
            Auth::Jwt {
                mount,
                role: role(parameters, environment),
                file: jwt_file(parameters, environment, is_nomad)?,
            }
        }
        "aws" => aws(mount("aws"), parameters, environment)?,
        "cert" => Auth::Cert { mount: mount("cert"), role: role(parameters, environment) },
        "userpass" => Auth::Userpass {
            mount: mount("userpass"),
            username: require(parameters, "username", "auth=userpass")?,
            password_file: require(parameters, "passwordFile", "auth=userpass")?.into(),
        },
        _ => {
            return Err(
                wrong("auth= names no method that is known").hint(format!("auth= is one of {METHODS}"))
            );
        }
    };
    Ok((auth, method))
}

/// As the command lines have it: the token of the environment, else that of a login by hand.
fn default_method(environment: &Environment<'_>) -> &'static str {
    if environment.token().is_some() { "token" } else { "tokenFile" }
}

fn token_file_of(parameters: &mut Parameters, environment: &Environment<'_>) -> Result<PathBuf, SourceError> {
    let file = parameters.take_path("tokenFile").or_else(|| environment.token_file());
    file.ok_or_else(|| missing_token("it names no way to log in"))
}

fn missing_token(what: &str) -> SourceError {
    wrong(&format!("{what}, and neither BAO_TOKEN nor VAULT_TOKEN is set"))
        .hint(format!("tokenFile=FILE, or auth= with one of {METHODS}"))
}

fn role(parameters: &mut Parameters, environment: &Environment<'_>) -> Option<String> {
    parameters.take("role").or_else(|| environment.get("ROLE"))
}

fn role_id(parameters: &mut Parameters) -> Result<RoleId, SourceError> {
    match (parameters.take("roleId"), parameters.take_path("roleIdFile")) {
        (Some(text), None) => Ok(RoleId::Text(text)),
        (None, Some(file)) => Ok(RoleId::File(file)),
        (None, None) => Err(wrong("auth=approle needs the parameter roleId or roleIdFile")),
        (Some(_), Some(_)) => Err(wrong("roleId and roleIdFile are two answers to one question")),
    }
}

fn jwt_file(
    parameters: &mut Parameters,
    environment: &Environment<'_>,
    is_nomad: bool,
) -> Result<PathBuf, SourceError> {
    if let Some(file) = parameters.take_path("jwtFile") {
        return Ok(file);
    }
    let directory = environment.variable("NOMAD_SECRETS_DIR").filter(|_| is_nomad);
    let file = directory.map(|directory| PathBuf::from(directory).join(NOMAD_JWT));
    file.ok_or_else(|| {
        wrong("auth=jwt needs the parameter jwtFile").hint(
            "jwtFile=FILE; or auth=nomad inside a Nomad task whose identity \"vault_default\" has file = true",
        )
    })
}

/// As Vault's command line has it: a region that is fixed unless it is said or wanted otherwise.
fn aws(
    mount: String,
    parameters: &mut Parameters,
    environment: &Environment<'_>,
) -> Result<Auth, SourceError> {
    let named = parameters.take("region").unwrap_or_else(|| DEFAULT_REGION.to_owned());
    let is_found = named == FOUND_REGION;
    let region = if is_found { DEFAULT_REGION } else { &named };
    let server_id = parameters.take("iamServerId");
    let identity = CallerIdentity { region, endpoint: None, server_id: server_id.as_deref() };
    identity.check().map_err(|error| {
        let (message, hint) = error.message_and_hint();
        wrong(&message).hint(hint)
    })?;
    let region = if is_found { StsRegion::Found } else { StsRegion::Named(named) };
    Ok(Auth::Aws { mount, role: role(parameters, environment), region, server_id })
}

/// A namespace is sent in a header.
fn namespace(text: Option<String>) -> Result<Option<String>, SourceError> {
    let Some(text) = text else { return Ok(None) };
    let trimmed = text.trim_matches('/');
    if trimmed.is_empty() || !trimmed.chars().all(|c| c.is_ascii_graphic()) {
        return Err(wrong("its namespace is empty, or has characters that no namespace has"));
    }
    Ok(Some(trimmed.to_owned()))
}

fn set_rest(options: &mut VaultOptions, parameters: &mut Parameters) -> Result<(), SourceError> {
    let mut time = |name| parameters.take(name).map(|text| duration(name, &text)).transpose();
    options.refresh = time("refresh")?.unwrap_or(options.refresh);
    options.timeout = time("timeout")?.unwrap_or(options.timeout);
    options.tuning.retry_max = time("retryMax")?.unwrap_or(options.tuning.retry_max);
    options.tuning.settle = time("settle")?.unwrap_or(options.tuning.settle);
    if let Some(name) = parameters.take("name") {
        options.name = name;
    }
    if let Some(mount) = parameters.take("kvMount") {
        mount.trim_matches('/').clone_into(&mut options.kv_mount);
    }
    if let Some(text) = parameters.take("maxRate") {
        options.max_rate = rate(&text)?;
    }
    if let Some(text) = parameters.take("required") {
        options.required = truth("required", &text)?;
    }
    options.gloo_root = gloo_root(parameters)?;
    Ok(())
}

fn rate(text: &str) -> Result<NonZeroU32, SourceError> {
    text.parse().map_err(|_| wrong("maxRate is a whole number of issues a second, at least 1"))
}

fn gloo_root(parameters: &mut Parameters) -> Result<Option<String>, SourceError> {
    let root = parameters.take("glooRoot");
    match (parameters.take("layout").as_deref(), root) {
        (None, None) => Ok(None),
        (Some("gloo"), root) => {
            let root = root.unwrap_or_else(|| GLOO_ROOT.to_owned());
            Ok(Some(root.trim_matches('/').to_owned()))
        }
        (None, Some(_)) => Err(wrong("glooRoot goes with layout=gloo")),
        (Some(_), _) => Err(wrong("layout names none that is known").hint("layout=gloo")),
    }
}

#[cfg(test)]
mod tests;
