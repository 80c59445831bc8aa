//! How a read is asked, and what its answer says beside the value.

use std::time::Duration;

use http::HeaderMap;

/// The longest that a server waits.
const WAIT_MAX: Duration = Duration::from_mins(10);

/// Who may answer a read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Consistency {
    /// The leader, which may for a moment not know that it is deposed.
    #[default]
    Default,
    /// The leader, after it has made sure that it leads.
    Consistent,
    /// Any server, however far behind.
    Stale,
}

/// How a read is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Who may answer.
    pub consistency: Consistency,
    /// Answer only when the index is above this, or when the time is up. Consul adds up to a sixteenth to the
    /// time; and a return is no proof of a change.
    pub wait: Option<(u64, Duration)>,
    /// Whether the agent may answer from its cache, where it has one for what is asked.
    pub cached: bool,
}

impl Query {
    /// What every acknowledged write is in.
    pub const fn consistent() -> Self {
        Self { consistency: Consistency::Consistent, wait: None, cached: false }
    }

    /// The same question in another way of answering.
    #[must_use]
    pub const fn consistency(self, consistency: Consistency) -> Self {
        Self { consistency, ..self }
    }

    /// Waits for an index above this one.
    pub const fn after(index: u64, wait: Duration) -> Self {
        Self { consistency: Consistency::Default, wait: Some((index, wait)), cached: false }
    }

    /// How long the server may hold the answer back.
    pub(crate) fn patience(&self) -> Duration {
        self.wait.map_or(Duration::ZERO, |(_, wait)| {
            let wait = wait.min(WAIT_MAX);
            wait + wait / 16
        })
    }

    /// As parameters of a query string.
    pub(crate) fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut parameters = Vec::new();
        match self.consistency {
            Consistency::Default => {}
            Consistency::Consistent => parameters.push(("consistent", String::new())),
            Consistency::Stale => parameters.push(("stale", String::new())),
        }
        if self.cached {
            parameters.push(("cached", String::new()));
        }
        if let Some((index, wait)) = self.wait {
            // Zero means "do not wait" and would make a hot loop of it.
            parameters.push(("index", index.max(1).to_string()));
            parameters.push(("wait", format!("{}ms", wait.min(WAIT_MAX).as_millis().max(1))));
        }
        parameters
    }
}

/// A value and what was said beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    /// What was asked for.
    pub value: T,
    /// What was said beside it.
    pub meta: QueryMeta,
}

impl<T> Answer<T> {
    /// The same answer with another value.
    pub(crate) fn map<U, E>(self, f: impl FnOnce(T) -> Result<U, E>) -> Result<Answer<U>, E> {
        Ok(Answer { value: f(self.value)?, meta: self.meta })
    }
}

/// The headers of an answer that say how far it may be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryMeta {
    /// What to wait after next; never zero. It may be lower than before: tombstones are forgotten, backups restored.
    pub index: u64,
    /// Whether the server that answered knows a leader.
    pub known_leader: bool,
    /// How long ago that server heard from the leader.
    pub last_contact: Duration,
    /// Whether the token may not see all of what was asked for. Consul does not say so to requests without one.
    pub filtered: bool,
    /// Whether the agent has answered from what it keeps itself. It never knows what was left out of that.
    pub kept: bool,
}

impl Default for QueryMeta {
    fn default() -> Self {
        Self { index: 1, known_leader: true, last_contact: Duration::ZERO, filtered: false, kept: false }
    }
}

impl QueryMeta {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let number = |name: &str| text(headers, name).and_then(|text| text.parse::<u64>().ok());
        Self {
            index: number("x-consul-index").unwrap_or(1).max(1),
            known_leader: text(headers, "x-consul-knownleader") != Some("false"),
            last_contact: Duration::from_millis(number("x-consul-lastcontact").unwrap_or(0)),
            filtered: text(headers, "x-consul-results-filtered-by-acls") == Some("true"),
            kept: text(headers, "x-consul-query-backend") == Some("streaming")
                || headers.contains_key("x-cache"),
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(index: &str) -> QueryMeta {
        let headers = [("x-consul-index", index)];
        let headers = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), value.parse().expect("a header's value"))
        });
        QueryMeta::of(&headers.collect())
    }

    #[test]
    fn an_index_that_is_zero_or_no_number_counts_as_one() {
        for (text, index) in [("7", 7), ("0", 1), ("", 1), ("-3", 1), ("x", 1)] {
            assert_eq!(meta(text).index, index, "{text:?}");
        }
        assert_eq!(QueryMeta::of(&HeaderMap::new()).index, 1);
    }

    #[test]
    fn a_blocking_query_never_asks_with_zero_nor_beyond_the_servers_limit() {
        let query = Query::after(0, Duration::from_hours(1));
        assert_eq!(query.parameters(), [("index", "1".to_owned()), ("wait", "600000ms".to_owned())]);
        assert_eq!(query.patience(), Duration::from_millis(637_500));
    }
}
