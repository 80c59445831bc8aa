//! What `--secrets` says of a source of files: `file:///etc/biplane/secrets?name=files&required=true&refresh=30s`, or
//! `credentials:` for the directory that systemd gives a service.

use std::path::PathBuf;
use std::time::Duration;

use biplane_core::scalars;
use biplane_source::SourceError;

use crate::url::decode;

/// The variable in which systemd says where a service's credentials are.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

const FORMS: &str = "write file:///etc/biplane/secrets, or credentials: for systemd's credentials";
const PARAMETERS: &str = "the parameters are name, required and refresh";

/// Where a source of files reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSecretOptions {
    /// The name by which objects may choose this source.
    pub name: String,
    /// The directory below which all secrets are. What is asked for cannot name anything outside it; links in it may
    /// lead anywhere.
    pub root: PathBuf,
    /// Whether Envoys wait for their first answer until the directory could be read.
    pub required: bool,
    /// How often everything is read again, for file systems that tell of no changes.
    pub refresh: Duration,
}

impl FileSecretOptions {
    /// The defaults for a root.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { name: "files".to_owned(), root: root.into(), required: false, refresh: Duration::from_mins(5) }
    }

    /// From a URL; in its path `%2F` and its like stand for characters. `environment` is only asked for where
    /// systemd keeps credentials.
    pub fn from_url(url: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, SourceError> {
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let mut options = match place.split_once(':') {
            Some(("file", path)) => Self::new(path_of(path)?),
            Some(("credentials", "" | "//")) => {
                Self { name: "credentials".to_owned(), ..credentials(environment)? }
            }
            _ => return Err(SourceError::invalid("this is no source of files").hint(FORMS)),
        };
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            options.set(name, &decode(value).to_string_lossy())?;
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), SourceError> {
        match name {
            "name" if !value.is_empty() => value.clone_into(&mut self.name),
            "name" => {
                return Err(SourceError::invalid("name= is empty").hint("write name=files, or leave it out"));
            }
            "required" => self.required = value.parse().map_err(|_| not_a_truth(value))?,
            "refresh" => self.refresh = period(value)?,
            _ => return Err(unknown(name)),
        }
        Ok(())
    }
}

fn path_of(rest: &str) -> Result<PathBuf, SourceError> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.is_empty() {
        return Err(SourceError::invalid("file: names no directory").hint(FORMS));
    }
    Ok(decode(path))
}

fn credentials(environment: &dyn Fn(&str) -> Option<String>) -> Result<FileSecretOptions, SourceError> {
    match environment(CREDENTIALS).filter(|directory| !directory.is_empty()) {
        Some(directory) => Ok(FileSecretOptions::new(directory)),
        None => Err(SourceError::invalid(format!("credentials: needs {CREDENTIALS}, which is not set"))
            .hint("systemd sets it for services with LoadCredential= or LoadCredentialEncrypted=")),
    }
}

fn period(text: &str) -> Result<Duration, SourceError> {
    let parsed = text.parse().map(|scalars::Duration(period)| period);
    let period = parsed.ok().filter(|period| *period >= Duration::from_secs(1));
    period.ok_or_else(|| {
        SourceError::invalid(format!("refresh={text} is no period of a second or more"))
            .hint("write a period such as refresh=30s or refresh=5m")
    })
}

fn not_a_truth(text: &str) -> SourceError {
    SourceError::invalid(format!("required={text} is neither true nor false")).hint("write required=true")
}

fn unknown(name: &str) -> SourceError {
    SourceError::invalid(format!("a source of files has no parameter {name:?}")).hint(PARAMETERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<FileSecretOptions, SourceError> {
        FileSecretOptions::from_url(url, &|name| {
            (name == CREDENTIALS).then(|| "/run/credentials/biplane.service".to_owned())
        })
    }

    #[test]
    fn a_source_is_a_file_url_or_what_systemd_gives() {
        assert_eq!(parse("file:///etc/biplane/secrets"), Ok(FileSecretOptions::new("/etc/biplane/secrets")));
        assert_eq!(parse("file:secrets"), Ok(FileSecretOptions::new("secrets")));
        assert_eq!(parse("file:///my%20secrets"), Ok(FileSecretOptions::new("/my secrets")));
        let credentials = parse("credentials:").expect("the variable is set");
        assert_eq!(credentials.root, PathBuf::from("/run/credentials/biplane.service"));
        assert_eq!(credentials.name, "credentials");
    }

    #[test]
    fn parameters_name_the_source_and_say_how_it_is_read() {
        let expected = FileSecretOptions {
            name: "certs".to_owned(),
            root: "/s".into(),
            required: true,
            refresh: Duration::from_secs(90),
        };
        assert_eq!(parse("file:///s?name=certs&required=true&refresh=1m30s"), Ok(expected));
    }

    #[test]
    fn what_is_not_understood_is_refused_with_what_is() {
        for (url, word) in [
            ("", "no source of files"),
            ("vault:", "no source of files"),
            ("file://", "no directory"),
            ("file:///s?Name=a", "\"Name\""),
            ("file:///s?name=", "empty"),
            ("file:///s?required=yes", "required=yes"),
            ("file:///s?refresh=0s", "refresh=0s"),
            ("file:///s?refresh=often", "refresh=often"),
        ] {
            let error = parse(url).expect_err(url);
            assert!(error.message.contains(word) && error.hint.is_some(), "{url}: {error:?}");
        }
        let error = FileSecretOptions::from_url("credentials:", &|_| None).expect_err("it is not set");
        assert!(error.message.contains(CREDENTIALS) && error.hint.is_some(), "{error:?}");
    }
}
