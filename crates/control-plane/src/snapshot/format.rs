//! The text of one edition, written and verified line by line, so that memory holds one line of it.
//!
//! ```text
//! biplane-snapshot 5                    the format; all else may change with it
//! {"store":..,"seal":..,"sources":..}   whose objects these are, the edition's own key, sealed, and
//!                                       what was known of the sources
//! {"key":..,"place":..,"value":..}      one line an object
//! {"secret":..,"sealed":..}             one line a secret of which something is known that no object says: what
//!                                       its source gave, what was served
//! {"endpoints":..,"found":..}           one line a question to a source of endpoints, with its answer
//! end <count> <sha-256>                 of all lines above
//! ```
//!
//! The store is named so that an edition is never served for another one. The edition's own key seals
//! its secrets, and it opens with the sealing key of the state directory only: this is how editions
//! under another key are told from damaged ones, and it keeps random nonces far from their limit.
//!
//! Formats 2, which knew nothing of sources and of objects' revisions, 3, which knew nothing of secrets, and 4, which
//! knew of them only what sources gave and nothing of endpoints, are read as well. So are editions of format 5 whose
//! questions are spelled as they once were: who asks them knows both spellings.
//!
//! Invariant: an edition is read as a whole or not at all.

use std::borrow::Cow;
use std::io::{self, BufRead, Write};

use aws_lc_rs::digest::{Context, SHA256};
use biplane_core::key::{Kind, ObjectKey, ResourceRef};
use biplane_core::location::Location;
use biplane_store::{Revision, StoredObject};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::last_run::{LastRun, Sources};
use super::seal::SealingKey;
use crate::discovery::KeptEndpoints;
use crate::secrets::KeptSecret;

/// The first line. The number is raised when an older reader could not read the file.
const MAGIC: &[u8] = b"biplane-snapshot 5\n";
/// The first lines of the formats before, which lack what has a default here.
const OLDER: [&[u8]; 3] = [b"biplane-snapshot 2\n", b"biplane-snapshot 3\n", b"biplane-snapshot 4\n"];
/// How the line of an answer about endpoints begins.
const ENDPOINTS: &[u8] = b"{\"endpoints\":";
/// How the line of a secret begins.
const SECRET: &[u8] = b"{\"secret\":";
/// No object's line begins with it: those are JSON.
const END: &str = "end ";

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    store: Cow<'a, str>,
    seal: String,
    #[serde(default)]
    sources: Cow<'a, Sources>,
}

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    key: ObjectKey,
    place: Place,
    #[serde(default, skip_serializing_if = "is_zero")]
    revision: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Cow<'a, str>>,
    /// Nonce, ciphertext and tag in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

/// What is known of a secret beside its object.
#[derive(Serialize, Deserialize)]
struct SecretLine {
    /// First, so that the line is known by its beginning.
    secret: ResourceRef,
    /// Nonce, ciphertext and tag in hexadecimal digits.
    sealed: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(revision: &u64) -> bool {
    *revision == 0
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Place {
    File { path: String, line: u32 },
    Key { store: String, key: String, revision: u64 },
}

/// Why an edition cannot be read.
#[derive(Debug)]
pub(super) enum Fault {
    Io(io::Error),
    Invalid(&'static str),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Writes an edition. Nothing is left out of it and nothing secret is in the clear: what cannot be
/// sealed fails the whole.
pub(super) fn write<'a>(
    out: &mut dyn Write,
    sources: &Sources,
    objects: impl Iterator<Item = &'a StoredObject>,
    (secrets, endpoints): (&[KeptSecret], &[KeptEndpoints]),
    store: &str,
    key: &SealingKey,
) -> io::Result<()> {
    let unsealed = || io::Error::other("a value could not be sealed");
    let (own, seal) = key.wrap_new_key(store).ok_or_else(unsealed)?;
    let mut body = Body { out, digest: Context::new(&SHA256) };
    body.write(MAGIC)?;
    body.write_json(&Header { store: store.into(), seal: hex(&seal), sources: Cow::Borrowed(sources) })?;
    let mut count = 0;
    for object in objects {
        body.write_json(&line(object, &own).ok_or_else(unsealed)?)?;
        count += 1;
    }
    for secret in secrets {
        body.write_json(&secret_line(secret, &own).ok_or_else(unsealed)?)?;
        count += 1;
    }
    for kept in endpoints {
        body.write_json(&kept.to_line())?;
        count += 1;
    }
    let end = end(count, body.digest);
    body.out.write_all(end.as_bytes())
}

/// What the digest covers.
struct Body<'a> {
    out: &'a mut dyn Write,
    digest: Context,
}

impl Body<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.out.write_all(bytes)
    }

    fn write_json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.write(&line)
    }
}

fn end(count: usize, digest: Context) -> String {
    format!("{END}{count} {}\n", hex(digest.finish().as_ref()))
}

fn line<'a>(object: &'a StoredObject, own: &SealingKey) -> Option<Line<'a>> {
    let clear = if object.key.kind == Kind::Secret { None } else { str::from_utf8(&object.value).ok() };
    let sealed = match clear {
        Some(_) => None,
        None => Some(hex(&own.seal(&object.key.to_string(), &object.value)?)),
    };
    Some(Line {
        key: object.key.clone(),
        place: place(&object.location),
        revision: object.revision.0,
        created: object.created,
        value: clear.map(Cow::Borrowed),
        sealed,
    })
}

fn secret_line(kept: &KeptSecret, own: &SealingKey) -> Option<SecretLine> {
    let sealed = hex(&own.seal(&bound(&kept.name), &kept.to_text())?);
    Some(SecretLine { secret: kept.name.clone(), sealed })
}

fn secret(line: &SecretLine, own: &SealingKey) -> Option<KeptSecret> {
    let text = Zeroizing::new(own.open(&bound(&line.secret), &unhex(&line.sealed)?)?);
    KeptSecret::from_text(line.secret.clone(), &text)
}

/// What the sealed values of a secret are bound to; no object's name.
fn bound(name: &ResourceRef) -> String {
    format!("values of {name}")
}

/// All of an edition.
pub(super) fn read(
    input: impl BufRead,
    is_ours: impl FnOnce(&str, &Sources) -> bool,
    key: &SealingKey,
) -> Result<LastRun, Fault> {
    let mut lines = Lines::new(input);
    let (own, sources) = open(&mut lines, is_ours, key)?;
    let (mut objects, mut secrets, mut endpoints) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        lines.advance()?;
        if lines.line.starts_with(END.as_bytes()) {
            let whole = lines.end_here(objects.len() + secrets.len() + endpoints.len())?;
            return if whole {
                Ok(LastRun { objects, secrets, endpoints, sources })
            } else {
                Err(Fault::Invalid(ALTERED))
            };
        }
        if lines.line.starts_with(ENDPOINTS) {
            let line = serde_json::from_slice(&lines.line).map_err(|_| Fault::Invalid(ALTERED))?;
            endpoints.push(KeptEndpoints::from_line(line));
            continue;
        }
        if lines.line.starts_with(SECRET) {
            let line = serde_json::from_slice(&lines.line).map_err(|_| Fault::Invalid(ALTERED))?;
            secrets.push(secret(&line, &own).ok_or(Fault::Invalid("a value in it does not open"))?);
            continue;
        }
        let line = serde_json::from_slice(&lines.line).map_err(|_| Fault::Invalid(ALTERED))?;
        objects.push(stored(line, &own).ok_or(Fault::Invalid("a value in it does not open"))?);
    }
}

/// Whether the edition is of such a store and its secrets open with this key; its objects may still be
/// damaged.
pub(super) fn opens(
    input: impl BufRead,
    is_ours: impl FnOnce(&str, &Sources) -> bool,
    key: &SealingKey,
) -> bool {
    open(&mut Lines::new(input), is_ours, key).is_ok()
}

/// Reads the first two lines; gives the edition's own key and its sources. `is_ours` is told the name of the
/// store that it was taken of, and its sources.
fn open(
    lines: &mut Lines<impl BufRead>,
    is_ours: impl FnOnce(&str, &Sources) -> bool,
    key: &SealingKey,
) -> Result<(SealingKey, Sources), Fault> {
    lines.advance()?;
    if lines.line != MAGIC && !OLDER.contains(&lines.line.as_slice()) {
        return Err(Fault::Invalid("it is not a snapshot, or one of another version of Biplane"));
    }
    lines.advance()?;
    let header: Header<'_> = serde_json::from_slice(&lines.line).map_err(|_| Fault::Invalid(ALTERED))?;
    if !is_ours(&header.store, &header.sources) {
        return Err(Fault::Invalid("it was taken of another store"));
    }
    let seal = unhex(&header.seal).ok_or(Fault::Invalid(ALTERED))?;
    let own = key.unwrap_key(&header.store, &seal).ok_or(Fault::Invalid("it is sealed with another key"))?;
    Ok((own, header.sources.into_owned()))
}

const ALTERED: &str = "it was cut short or altered";

/// One line at a time, and the digest of those before it.
struct Lines<R> {
    input: R,
    digest: Context,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    fn new(input: R) -> Self {
        Self { input, digest: Context::new(&SHA256), line: Vec::new() }
    }

    /// Reads the next line. There always is one: the last is told by its content.
    fn advance(&mut self) -> Result<(), Fault> {
        self.digest.update(&self.line);
        self.line.clear();
        self.input.read_until(b'\n', &mut self.line)?;
        if self.line.ends_with(b"\n") { Ok(()) } else { Err(Fault::Invalid(ALTERED)) }
    }

    /// Whether this line ends an edition of `count` objects, and the file with it.
    fn end_here(mut self, count: usize) -> io::Result<bool> {
        Ok(self.line == end(count, self.digest).as_bytes() && self.input.fill_buf()?.is_empty())
    }
}

fn stored(line: Line<'_>, own: &SealingKey) -> Option<StoredObject> {
    let value = match (line.value, line.sealed) {
        (Some(value), None) => value.into_owned().into_bytes(),
        (None, Some(sealed)) => own.open(&line.key.to_string(), &unhex(&sealed)?)?,
        _ => return None,
    };
    let mut revision = Revision(line.revision);
    let location = match line.place {
        Place::File { path, line } => Location::file(path, line),
        Place::Key { store, key, revision: read_at } => {
            // Format 2 has the object's revision nowhere else.
            revision = revision.max(Revision(read_at));
            Location::Key { store: store.into(), key: key.into(), revision: read_at }
        }
    };
    Some(StoredObject { key: line.key, value: Bytes::from(value), location, revision, created: line.created })
}

fn place(location: &Location) -> Place {
    match location {
        Location::File { path, line } => Place::File { path: path.to_string(), line: *line },
        Location::Key { store, key, revision } => {
            Place::Key { store: store.to_string(), key: key.to_string(), revision: *revision }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let digits = digits?;
    (digits.len() % 2 == 0).then(|| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use biplane_core::resources::Secret;
    use biplane_core::resources::secret::EncryptionSecret;
    use biplane_core::scalars::{SecretString, Timestamp};

    use super::*;
    use crate::secrets::{Answer, Held};
    use crate::snapshot::SourceRecord;

    const STORE: &str = "file:///a b";

    fn object(kind: Kind, name: &str, value: &[u8]) -> StoredObject {
        StoredObject {
            key: ObjectKey::new(kind, "default", name),
            value: Bytes::copy_from_slice(value),
            location: Location::file("a.yaml", 3),
            revision: Revision::default(),
            created: Some(7),
        }
    }

    fn sources() -> Sources {
        let key = ObjectKey::new(Kind::Upstream, "default", "gone");
        let record = SourceRecord {
            identity: Some("a \"quoted\" name".to_owned()),
            revision: 12,
            read_at: Some(Timestamp(1_700_000_000)),
            held: [key].into(),
        };
        Sources::from([(STORE.to_owned(), record)])
    }

    fn kept() -> KeptSecret {
        let fields = [("key".to_owned(), Zeroizing::new(b"canary".to_vec()))].into();
        let mut secret = biplane_source::Secret::new(fields);
        secret.obtained = std::time::SystemTime::UNIX_EPOCH;
        let name = ResourceRef::new("default", "kept");
        let answer = Answer { question: "q".into(), secret: secret.into() };
        let key = EncryptionSecret { key: Some(SecretString::new("canary")) };
        let served = Arc::new(Secret { encryption: Some(key), ..Secret::default() });
        let held = Held { asked: "q".into(), served, stage: None };
        KeptSecret { name, answer: Some(answer), held: Some(held) }
    }

    fn found() -> KeptEndpoints {
        let port = std::num::NonZeroU16::new(8080).unwrap();
        let endpoint = biplane_core::resources::Endpoint::new([192, 0, 2, 1].into(), port);
        KeptEndpoints {
            question: "consul: web".into(),
            endpoints: [endpoint].into(),
            unnamed: Some(Timestamp(5)),
        }
    }

    fn is_store(name: &str, _: &Sources) -> bool {
        name == STORE
    }

    fn written(objects: &[StoredObject], key: &SealingKey) -> String {
        let mut out = Vec::new();
        write(&mut out, &sources(), objects.iter(), (&[kept()], &[found()]), STORE, key).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// The same lines with the trailer that belongs to them.
    fn signed(text: &str) -> String {
        let (body, _) = text.rsplit_once(END).unwrap();
        let mut digest = Context::new(&SHA256);
        digest.update(body.as_bytes());
        format!("{body}{}", end(body.lines().count() - 2, digest))
    }

    #[test]
    fn every_object_is_kept_whatever_its_bytes() {
        let key = SealingKey::random().unwrap();
        let mut objects = [
            object(Kind::Secret, "s", b"tls: {}"),
            object(Kind::Upstream, "u", "static: {}\n# \u{fc}".as_bytes()),
            object(Kind::Upstream, "not-text", &[0xff, 0xfe]),
        ];
        objects[1].location = Location::Key { store: "consul://a".into(), key: "k".into(), revision: 4 };
        objects[1].revision = Revision(4);
        let expected = LastRun {
            objects: objects.to_vec(),
            secrets: vec![kept()],
            endpoints: vec![found()],
            sources: sources(),
        };
        assert!(!written(&objects, &key).contains("canary"), "nothing secret is in the clear");
        assert_eq!(read(written(&objects, &key).as_bytes(), is_store, &key).unwrap(), expected);
        assert_eq!(read(written(&[], &key).as_bytes(), is_store, &key).unwrap().objects, []);
    }

    #[test]
    fn edition_of_format_2_is_read_and_knows_nothing_of_sources() {
        let key = SealingKey::random().unwrap();
        let mut object = object(Kind::Upstream, "u", b"{}");
        object.location = Location::Key { store: "consul://a".into(), key: "k".into(), revision: 4 };
        object.revision = Revision(4);
        let text = written(std::slice::from_ref(&object), &key);
        let (start, rest) = text.split_once(",\"sources\":").unwrap();
        let (_, lines) = rest.split_once('\n').unwrap();
        let old = format!("{start}}}\n{lines}")
            .replace("snapshot 5", "snapshot 2")
            .replace(",\"revision\":4,\"created\"", ",\"created\"");
        assert!(!old.contains("sources") && old.matches("revision").count() == 1, "{old}");
        let read = read(signed(&old).as_bytes(), is_store, &key).unwrap();
        assert_eq!((read.objects, read.sources), (vec![object], Sources::default()));
    }

    #[test]
    fn sealed_value_that_does_not_open_makes_the_edition_invalid() {
        let key = SealingKey::random().unwrap();
        let text =
            written(&[object(Kind::Secret, "s", b"tls: {}"), object(Kind::Upstream, "u", b"{}")], &key);
        assert_eq!(signed(&text), text);
        let moved = signed(&text.replacen("\"s\"", "\"t\"", 1));
        assert_ne!(moved, text);
        let result = read(moved.as_bytes(), is_store, &key);
        assert!(matches!(result, Err(Fault::Invalid("a value in it does not open"))), "{result:?}");
    }

    #[test]
    fn edition_opens_for_its_own_store_and_key_only() {
        let (key, other) = (SealingKey::random().unwrap(), SealingKey::random().unwrap());
        let text = written(&[], &key);
        assert!(opens(text.as_bytes(), is_store, &key));
        assert!(!opens(text.as_bytes(), is_store, &other));
        assert!(!opens(text.as_bytes(), |name, _| name == "file:///b", &key));
        assert!(read(text.as_bytes(), is_store, &other).is_err());
    }

    #[test]
    fn edition_goes_out_object_by_object() {
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let object = object(Kind::Upstream, "u", &[b'x'; 1000]);
        let mut taken = 0;
        let objects = std::iter::repeat_n(&object, 1000).inspect(|_| taken += 1);
        let result = write(
            &mut Full(10_000),
            &Sources::default(),
            objects,
            (&[], &[]),
            STORE,
            &SealingKey::random().unwrap(),
        );
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(taken <= 10, "{taken} objects were read ahead of the disk");
    }
}
