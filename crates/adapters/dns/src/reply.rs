//! What one answer says about one name. Pure.
//!
//! Invariant: nothing is said to be absent unless the answer says so; whatever is no clear answer is a failure.

use std::fmt;
use std::time::Duration;

use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

/// How many aliases one answer may lead through.
const ALIASES_MAX: usize = 16;

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The name has these records, until then.
    Records(Vec<RData>, Duration),
    /// It has none, for so long, if that is said.
    Nothing(Option<Duration>),
    /// It is another name's alias, and the records of that one are not in the answer.
    Alias(Name, Duration),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// The server says that it cannot, or will not.
    Refused(ResponseCode),
    /// It names others that might.
    Referral,
    /// It says nothing in time.
    TimedOut,
    /// The way there does not work, or what comes back makes no sense.
    Broken(String),
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(ResponseCode::ServFail) => f.write_str("answers SERVFAIL"),
            Self::Refused(ResponseCode::Refused) => f.write_str("answers REFUSED"),
            Self::Refused(code) => write!(f, "answers with an error: {code}"),
            Self::Referral => f.write_str("refers to other servers and does not ask them itself"),
            Self::TimedOut => f.write_str("gives no answer in time"),
            Self::Broken(why) => write!(f, "cannot be asked: {why}"),
        }
    }
}

/// Reads what came back.
pub(crate) fn read(
    outcome: Result<&Message, NetError>,
    name: &Name,
    kind: RecordType,
) -> Result<Reply, Unanswered> {
    match outcome {
        Ok(message) => message_says(message, name, kind),
        Err(NetError::Dns(DnsError::NoRecordsFound(nothing))) => absence(&nothing),
        Err(NetError::Dns(DnsError::ResponseCode(code))) => Err(Unanswered::Refused(code)),
        Err(NetError::Timeout) => Err(Unanswered::TimedOut),
        Err(other) => Err(Unanswered::Broken(other.to_string())),
    }
}

/// An answer without any record for the question.
fn absence(nothing: &NoRecords) -> Result<Reply, Unanswered> {
    match nothing.response_code {
        ResponseCode::NoError if nothing.ns.is_some() && nothing.soa.is_none() => Err(Unanswered::Referral),
        ResponseCode::NXDomain | ResponseCode::NoError => {
            Ok(Reply::Nothing(nothing.negative_ttl.map(seconds)))
        }
        code => Err(Unanswered::Refused(code)),
    }
}

fn message_says(message: &Message, name: &Name, kind: RecordType) -> Result<Reply, Unanswered> {
    let code = message.metadata.response_code;
    if code == ResponseCode::NXDomain {
        // Perhaps behind an alias: that which it stands for does not exist.
        return Ok(Reply::Nothing(negative_ttl(message)));
    }
    if code != ResponseCode::NoError {
        return Err(Unanswered::Refused(code));
    }
    let (end, mut ttl) = end_of_aliases(&message.answers, name)?;
    let records = message.answers.iter().filter(|record| record.name == end && record.record_type() == kind);
    let mut found = Vec::new();
    for record in records {
        ttl = ttl.min(record.ttl);
        found.push(record.data.clone());
    }
    if !found.is_empty() {
        return Ok(Reply::Records(found, seconds(ttl)));
    }
    // Who follows aliases itself says with an SOA record that there is nothing at their end.
    match negative_ttl(message) {
        None if end != *name => Ok(Reply::Alias(end, seconds(ttl))),
        negative => Ok(Reply::Nothing(negative)),
    }
}

/// The name that an alias stands for, as far as the answer tells, and how long that holds.
fn end_of_aliases(answers: &[Record], name: &Name) -> Result<(Name, u32), Unanswered> {
    let (mut end, mut ttl) = (name.clone(), u32::MAX);
    for _ in 0..ALIASES_MAX {
        let alias = answers.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if record.name == end => Some((&target.0, record.ttl)),
            _ => None,
        });
        let Some((target, until)) = alias else { return Ok((end, ttl)) };
        ttl = ttl.min(until);
        end = target.clone();
    }
    Err(Unanswered::Broken("its aliases do not come to an end".to_owned()))
}

fn negative_ttl(message: &Message) -> Option<Duration> {
    message.authorities.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some(seconds(record.ttl.min(soa.minimum))),
        _ => None,
    })
}

fn seconds(ttl: u32) -> Duration {
    Duration::from_secs(u64::from(ttl))
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::op::OpCode;
    use hickory_resolver::proto::rr::rdata::{A, CNAME, SOA};

    use super::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).expect("a name")
    }

    fn address(owner: &str, last: u8, ttl: u32) -> Record {
        Record::from_rdata(name(owner), ttl, RData::A(A::new(127, 0, 0, last)))
    }

    fn alias(owner: &str, target: &str, ttl: u32) -> Record {
        Record::from_rdata(name(owner), ttl, RData::CNAME(CNAME(name(target))))
    }

    fn said(code: ResponseCode, answers: Vec<Record>, negative: Option<u32>) -> Result<Reply, Unanswered> {
        let mut message = Message::response(1, OpCode::Query);
        message.metadata.response_code = code;
        message.answers = answers;
        message.authorities.extend(negative.map(|minimum| {
            let soa = SOA::new(name("test."), name("a.test."), 1, 1, 1, 1, minimum);
            Record::from_rdata(name("test."), 600, RData::SOA(soa))
        }));
        read(Ok(&message), &name("web.test."), RecordType::A)
    }

    #[test]
    fn records_hold_for_the_shortest_of_their_times_and_those_of_other_names_do_not_count() {
        let answers =
            vec![address("web.test.", 1, 30), address("web.test.", 2, 20), address("other.test.", 3, 1)];
        let expected = [1, 2].map(|last| RData::A(A::new(127, 0, 0, last))).to_vec();
        let reply = said(ResponseCode::NoError, answers, None);
        assert_eq!(reply, Ok(Reply::Records(expected, Duration::from_secs(20))));
    }

    #[test]
    fn an_alias_is_followed_as_far_as_the_answer_goes() {
        let to_end = vec![alias("web.test.", "b.test.", 5), address("b.test.", 1, 30)];
        let records = Reply::Records(vec![RData::A(A::new(127, 0, 0, 1))], Duration::from_secs(5));
        assert_eq!(said(ResponseCode::NoError, to_end, None), Ok(records));
        let open = vec![alias("web.test.", "b.test.", 5)];
        let onwards = Reply::Alias(name("b.test."), Duration::from_secs(5));
        assert_eq!(said(ResponseCode::NoError, open.clone(), None), Ok(onwards));
        let nothing = Ok(Reply::Nothing(Some(Duration::from_secs(7))));
        assert_eq!(said(ResponseCode::NoError, open.clone(), Some(7)), nothing);
        assert_eq!(said(ResponseCode::NXDomain, open, Some(7)), nothing);
    }

    #[test]
    fn aliases_that_run_in_a_circle_are_no_answer() {
        let circle = vec![alias("web.test.", "b.test.", 5), alias("b.test.", "web.test.", 5)];
        assert!(matches!(said(ResponseCode::NoError, circle, None), Err(Unanswered::Broken(_))));
    }

    #[test]
    fn an_unknown_error_is_not_an_absence() {
        let code = ResponseCode::Unknown(3000);
        assert_eq!(said(code, Vec::new(), Some(5)), Err(Unanswered::Refused(code)));
    }
}
