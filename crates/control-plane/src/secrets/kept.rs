//! What of a secret goes on disk, sealed: what its source gave, so that a restart serves it whatever is down, and
//! what was served, where that is something else.

mod values;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use biplane_core::key::ResourceRef;
use biplane_core::resources::Secret;
use biplane_source as source;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

pub use super::rotation::Stage;
use super::wipe::wipe;

/// One secret as the snapshot on disk keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptSecret {
    /// The secret.
    pub name: ResourceRef,
    /// What its source gave; none: nothing, or it holds its values itself.
    pub answer: Option<Answer>,
    /// What was served, where that does not follow from the answer or from the object: its place has not
    /// answered yet, roots rotate, or the newest values are of no use.
    pub held: Option<Held>,
}

/// What a source gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What was asked, and of whom: after a change of either the values are those of something else.
    pub question: String,
    /// The answer.
    pub secret: Arc<source::Secret>,
}

/// What was served.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// What the object asked for meanwhile, in its own words: of another object it is not to be served.
    pub asked: String,
    /// The secret as it was served, with all roots of a rotation.
    pub served: Arc<Secret>,
    /// How far its rotation was; none: there was none.
    pub stage: Option<Stage>,
}

/// The part that is sealed, as text. An answer is as format 4 had it.
#[derive(Serialize, Deserialize)]
struct Sealed {
    #[serde(flatten)]
    answer: Option<SealedAnswer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    held: Option<SealedHeld>,
}

#[derive(Serialize, Deserialize)]
struct SealedAnswer {
    question: String,
    fields: BTreeMap<String, String>,
    version: Option<u64>,
    obtained: u64,
    renews: Option<u64>,
    expires: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct SealedHeld {
    asked: String,
    served: Value,
    stage: Option<Stage>,
}

impl KeptSecret {
    /// The text to seal.
    pub(crate) fn to_text(&self) -> Zeroizing<Vec<u8>> {
        let mut sealed = Sealed {
            answer: self.answer.as_ref().map(Answer::seal),
            held: self.held.as_ref().map(Held::seal),
        };
        let text = Zeroizing::new(serde_json::to_vec(&sealed).expect("plain data"));
        sealed.answer.into_iter().for_each(SealedAnswer::wipe);
        sealed.held.iter_mut().for_each(|held| wipe(&mut held.served));
        text
    }

    /// The secret that was sealed so.
    pub(crate) fn from_text(name: ResourceRef, text: &[u8]) -> Option<Self> {
        let sealed: Sealed = serde_json::from_slice(text).ok()?;
        if sealed.answer.is_none() && sealed.held.is_none() {
            return None;
        }
        let answer = sealed.answer.map(|answer| Answer::open(answer).ok_or(())).transpose().ok()?;
        let held = sealed.held.map(|held| Held::open(held).ok_or(())).transpose().ok()?;
        Some(Self { name, answer, held })
    }

    /// What is known now goes before what is left of the last run.
    pub(super) fn update(&mut self, newer: Self) {
        self.answer = newer.answer.or_else(|| self.answer.take());
        self.held = newer.held.or_else(|| self.held.take());
    }

    /// Whether nothing is left of it.
    pub(super) const fn is_used_up(&self) -> bool {
        self.answer.is_none() && self.held.is_none()
    }
}

impl Answer {
    fn seal(&self) -> SealedAnswer {
        let seconds =
            |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |t| t.as_secs());
        let secret = &self.secret;
        let fields = secret.fields.iter().map(|(name, value)| (name.clone(), STANDARD.encode(&**value)));
        SealedAnswer {
            question: self.question.clone(),
            fields: fields.collect(),
            version: secret.version,
            obtained: seconds(secret.obtained),
            renews: secret.renews.map(seconds),
            expires: secret.expires.map(seconds),
        }
    }

    fn open(sealed: SealedAnswer) -> Option<Self> {
        let time = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let decode = |(name, value): (&String, &String)| {
            Some((name.clone(), Zeroizing::new(STANDARD.decode(value).ok()?)))
        };
        let fields: Option<_> = sealed.fields.iter().map(decode).collect();
        let secret = source::Secret {
            fields: fields?,
            version: sealed.version,
            obtained: time(sealed.obtained),
            renews: sealed.renews.map(time),
            expires: sealed.expires.map(time),
        };
        let question = sealed.question.clone();
        sealed.wipe();
        Some(Self { question, secret: Arc::new(secret) })
    }
}

impl SealedAnswer {
    fn wipe(self) {
        for value in self.fields.into_values() {
            drop(Zeroizing::new(value));
        }
    }
}

impl Held {
    fn seal(&self) -> SealedHeld {
        SealedHeld { asked: self.asked.clone(), served: values::write(&self.served), stage: self.stage }
    }

    fn open(sealed: SealedHeld) -> Option<Self> {
        let served = Arc::new(values::read(sealed.served)?);
        Some(Self { asked: sealed.asked, served, stage: sealed.stage })
    }
}

#[cfg(test)]
mod tests {
    use biplane_core::resources::secret::TlsSecret;

    use super::*;

    fn name() -> ResourceRef {
        ResourceRef::new("default", "web")
    }

    fn answer() -> Answer {
        let fields = BTreeMap::from([("key".to_owned(), Zeroizing::new(vec![0, 0xff, b'a']))]);
        let time = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let (version, renews) = (Some(3), Some(time(20)));
        let secret = source::Secret { fields, version, obtained: time(10), renews, expires: None };
        Answer { question: "q".into(), secret: Arc::new(secret) }
    }

    fn held() -> Held {
        let tls = TlsSecret { root_ca: Some("r".to_owned()), ..TlsSecret::default() };
        let served = Arc::new(Secret { tls: Some(tls), ..Secret::default() });
        Held { asked: "a".into(), served, stage: Some(Stage::Spreading) }
    }

    #[test]
    fn a_kept_secret_reads_back_as_it_was() {
        for (answer, held) in [(Some(answer()), None), (None, Some(held())), (Some(answer()), Some(held()))] {
            let kept = KeptSecret { name: name(), answer, held };
            assert_eq!(KeptSecret::from_text(name(), &kept.to_text()), Some(kept));
        }
        for damaged in
            [&b"{}"[..], b"{\"question\":\"q\"}", b"{\"held\":{\"asked\":\"a\",\"served\":{\"x\":1}}}"]
        {
            assert_eq!(KeptSecret::from_text(name(), damaged), None);
        }
    }

    #[test]
    fn an_answer_of_format_4_is_read() {
        let text =
            br#"{"question":"q","fields":{"key":"AP9h"},"version":3,"obtained":10,"renews":20,"expires":null,
            "old_roots":""}"#;
        let kept = KeptSecret { name: name(), answer: Some(answer()), held: None };
        assert_eq!(KeptSecret::from_text(name(), text), Some(kept));
    }
}
