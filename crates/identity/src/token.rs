//! Tokens that an issuer has signed: JSON Web Tokens, verified with the issuer's keys.
//!
//! Invariant: the claims of a token are looked at only after its signature, and its algorithm is one that the key
//! allows, never one that the token asks for.

use biplane_core::scalars::Timestamp;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode, decode_header};
use serde_json::{Map, Value};

use crate::config::IssuerConfig;
use crate::keys::KeySets;
use crate::refusal::{Refusal, shown};

/// The longest token that is read.
const LONGEST: usize = 16 * 1024;

/// How far clocks may differ unless the settings say so, in seconds.
const LEEWAY: i64 = 30;

/// An issuer, and what its tokens must say.
#[derive(Clone, Debug)]
pub(crate) struct Issuer {
    name: String,
    audience: Vec<String>,
    /// What they must say about who issued them.
    iss: Option<String>,
    leeway: i64,
    unlimited: bool,
}

/// What a token says that was verified.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Claims {
    values: Map<String, Value>,
    /// From when on it is not good any more, clocks that differ allowed for.
    pub(crate) until: Option<Timestamp>,
    /// How logs call its holder.
    pub(crate) who: String,
}

impl Issuer {
    pub(crate) fn new(name: &str, config: &IssuerConfig) -> Self {
        let leeway = config.leeway.map(|leeway| i64::try_from(leeway.0.as_secs()).unwrap_or(i64::MAX));
        Self {
            name: name.to_owned(),
            audience: config.audience.all().to_vec(),
            iss: config.issuer.clone(),
            leeway: leeway.unwrap_or(LEEWAY),
            unlimited: config.unlimited,
        }
    }

    /// What a token says, if this issuer has signed it and it is good now.
    pub(crate) fn verify(&self, token: &str, keys: &KeySets, now: Timestamp) -> Result<Claims, Refusal> {
        let refused = |why: &str| Refusal::Token(format!("{why} ({})", self.name));
        if token.len() > LONGEST {
            return Err(refused("it is too long"));
        }
        let header =
            decode_header(token).map_err(|_| refused("it is no JSON Web Token that is known here"))?;
        let keys = keys.get(&self.name).ok_or_else(|| Refusal::KeysUnread { issuer: self.name.clone() })?;
        let key = keys.find(header.kid.as_deref(), header.alg).ok_or_else(|| match &header.kid {
            Some(id) if !keys.knows(id) => Refusal::UnknownKey { issuer: self.name.clone() },
            _ => refused("its key is not for its algorithm"),
        })?;
        let mut validation = Validation::new(header.alg);
        validation.algorithms.clone_from(&key.algorithms);
        // Judged below, by a clock that the caller owns.
        (validation.validate_exp, validation.validate_nbf) = (false, false);
        validation.set_audience(&self.audience);
        validation.set_required_spec_claims(&["aud"]);
        if let Some(iss) = &self.iss {
            validation.set_issuer(&[iss]);
            validation.set_required_spec_claims(&["aud", "iss"]);
        }
        let verified = decode::<Map<String, Value>>(token, &key.verifier, &validation);
        let values = verified.map_err(|error| refused(&words(error.kind())))?.claims;
        self.in_time(values, now)
    }

    fn in_time(&self, values: Map<String, Value>, now: Timestamp) -> Result<Claims, Refusal> {
        let refused = |why: &str| Refusal::Token(format!("{why} ({})", self.name));
        let until = match moment(&values, "exp").map_err(refused)? {
            None if !self.unlimited => return Err(refused("it has no end (exp)")),
            until => until.map(|until| Timestamp(until.saturating_add(self.leeway))),
        };
        if until.is_some_and(|until| until <= now) {
            return Err(refused("it has expired"));
        }
        let from = moment(&values, "nbf").map_err(refused)?;
        if from.is_some_and(|from| from.saturating_sub(self.leeway) > now.0) {
            return Err(refused("it is not good yet"));
        }
        let subject = values.get("sub").and_then(Value::as_str).unwrap_or("no subject");
        Ok(Claims { who: format!("{}:{}", self.name, shown(subject)), until, values })
    }
}

impl Claims {
    /// The texts of a claim: one, or those of a list.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            _ => None,
        };
        match self.values.get(name) {
            Some(Value::Array(values)) => values.iter().filter_map(text).collect(),
            Some(value) => text(value).into_iter().collect(),
            None => Vec::new(),
        }
    }
}

/// A claim that is a time, to the second; one that is there and is none is wrong.
fn moment(values: &Map<String, Value>, name: &str) -> Result<Option<i64>, &'static str> {
    #[expect(clippy::cast_possible_truncation, reason = "a time beyond the range of i64 ends at its edge")]
    let whole = |number: f64| number as i64;
    match values.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let seconds = value.as_i64().or_else(|| value.as_f64().map(whole));
            seconds.map(Some).ok_or("one of its times is no number")
        }
    }
}

fn words(error: &ErrorKind) -> String {
    match error {
        ErrorKind::InvalidSignature => "its signature is wrong".to_owned(),
        ErrorKind::InvalidIssuer => "somebody else has issued it (iss)".to_owned(),
        ErrorKind::InvalidAudience => "it is meant for somebody else (aud)".to_owned(),
        ErrorKind::MissingRequiredClaim(claim) => format!("it does not say {}", shown(claim)),
        ErrorKind::InvalidAlgorithm => "its key is not for its algorithm".to_owned(),
        _ => "it is malformed".to_owned(),
    }
}
