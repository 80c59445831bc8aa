//! What `--store` says of a file store: a path, or `file://PATH?writable=DIR&poll=2s&layout=gloo`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::time::Duration;

use biplane_store::{Layout, StoreError};

use crate::options::FileOptions;

/// What can be asked for behind a `?`.
const PARAMETERS: &str = "write writable=DIRECTORY, poll=SECONDS or layout=gloo after the path";

impl FileOptions {
    /// From a path as it is, or a URL whose path is absolute or relative (`file://resources`). In a URL `%2F` and
    /// its like stand for characters.
    pub fn from_url(url: &str) -> Result<Self, StoreError> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return if url.is_empty() { Err(nowhere(url)) } else { Ok(Self::new(url)) };
        };
        if scheme != "file" {
            return Err(StoreError::invalid(format!("{scheme:?} is no store of files")).with_hint(FORMS));
        }
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        if path.is_empty() {
            return Err(nowhere(url));
        }
        let mut options = Self::new(decode(path));
        let mut layout = Layout::Biplane;
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name {
                "writable" => options.writable = Some(decode(value)),
                "poll" => options.poll = Some(seconds(value)?),
                "layout" => layout = value.parse()?,
                _ => return Err(unknown(name)),
            }
        }
        // Both layouts are read alike: folders say what documents leave out. Only what we write has one form.
        if layout == Layout::Gloo && options.writable.is_some() {
            return Err(StoreError::invalid("Gloo's own layout is only read")
                .with_hint("leave writable= out, or copy what is there over with `biplane import gloo`"));
        }
        Ok(options)
    }
}

const FORMS: &str = "name a directory or a file, such as file:///etc/biplane/resources or ./resources";

fn nowhere(url: &str) -> StoreError {
    StoreError::invalid(format!("{url:?} names no directory")).with_hint(FORMS)
}

fn unknown(name: &str) -> StoreError {
    StoreError::invalid(format!("a file store has no parameter {name:?}")).with_hint(PARAMETERS)
}

/// `2`, `2s` or `0.5s`.
fn seconds(text: &str) -> Result<Duration, StoreError> {
    let number: Option<f64> = text.strip_suffix('s').unwrap_or(text).parse().ok();
    let period = number.and_then(|number| Duration::try_from_secs_f64(number).ok());
    period.filter(|period| !period.is_zero()).ok_or_else(|| {
        StoreError::invalid(format!("poll={text} is no period")).with_hint("write seconds, such as poll=2s")
    })
}

/// `%XX` is a byte; whatever else stands after a `%` stands for itself.
pub(crate) fn decode(text: &str) -> PathBuf {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = (byte == b'%').then(|| hex(bytes.get(at + 1..at + 3)?)).flatten();
        decoded.push(escaped.unwrap_or(byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    OsString::from_vec(decoded).into()
}

fn hex(digits: &[u8]) -> Option<u8> {
    let text = str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u8::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_a_path_or_a_file_url() {
        for (url, root) in [
            ("file:///etc/biplane", "/etc/biplane"),
            ("file://resources", "resources"),
            ("./resources", "./resources"),
            ("/odd?name%20", "/odd?name%20"),
            ("file:///my%20files/100%", "/my files/100%"),
            ("file:///gloo?layout=gloo", "/gloo"),
        ] {
            assert_eq!(FileOptions::from_url(url), Ok(FileOptions::new(root)), "{url}");
        }
    }

    #[test]
    fn parameters_say_what_may_be_written_and_how_often_to_look() {
        let options = FileOptions::from_url("file:///etc/biplane?writable=managed&poll=0.5s").expect("a URL");
        assert_eq!(options.writable, Some(PathBuf::from("managed")));
        assert_eq!(options.poll, Some(Duration::from_millis(500)));
    }

    #[test]
    fn what_is_not_understood_is_refused_with_what_is() {
        for (url, word) in [
            ("", "no directory"),
            ("file://", "no directory"),
            ("file://?writable=a", "no directory"),
            ("s3://bucket", "\"s3\""),
            ("file:///a?writeable=b", "\"writeable\""),
            ("file:///a?poll=often", "poll=often"),
            ("file:///a?poll=-1", "poll=-1"),
            ("file:///a?layout=glue", "glue"),
            ("file:///a?layout=gloo&writable=b", "only read"),
        ] {
            let error = FileOptions::from_url(url).expect_err(url);
            assert!(error.to_string().contains(word) && error.hint().is_some(), "{url}: {error:?}");
        }
    }
}
