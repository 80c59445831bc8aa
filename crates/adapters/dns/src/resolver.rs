//! Looks one name up: candidates of the search list, aliases, servers one after the other.
//!
//! Invariant: an absence is believed only if a server says it of every candidate. A server that fails is passed over, and
//! only if all fail is there no answer.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use biplane_source::{Cause, SourceError};
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle as _, FirstAnswer as _};
use hickory_resolver::proto::op::{DnsRequestOptions, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::system_conf::parse_resolv_conf;
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::counters::{Counters, count};
use crate::options::{DnsOptions, Servers};
use crate::reply::{Reply, Unanswered, read};

/// How many questions are under way at a time: a server serves others too.
const QUERIES_MAX: usize = 16;

/// How many answers may lead on to another name.
const ALIASES_MAX: usize = 8;

/// Whom to ask, and everything that is needed for it.
#[derive(Debug)]
pub(crate) struct Resolver {
    options: DnsOptions,
    counters: Arc<Counters>,
    queries: Semaphore,
    /// The servers, with the text of the file that they are from.
    known: Mutex<Option<(Vec<u8>, Arc<Group>)>>,
}

/// Servers that know the same.
struct Group {
    servers: Vec<Server>,
    search: Vec<Name>,
    /// A name with so many dots is taken as it is first.
    dots: usize,
    /// The server that has answered last.
    first: AtomicUsize,
}

struct Server {
    label: String,
    pool: NameServerPool<TokioRuntimeProvider>,
}

/// Records of one kind, and how long they hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) records: Vec<RData>,
    /// `None`: nobody says.
    pub(crate) ttl: Option<Duration>,
}

impl Resolver {
    pub(crate) fn new(options: DnsOptions, counters: Arc<Counters>) -> Self {
        Self { options, counters, queries: Semaphore::new(QUERIES_MAX), known: Mutex::default() }
    }

    /// The records of all these kinds: those of the first candidate that has any.
    pub(crate) async fn search(&self, name: &str, kinds: &[RecordType]) -> Result<Found, SourceError> {
        let group = self.group().await?;
        let mut nothing = Found::default();
        for candidate in group.candidates(name)? {
            let mut all = Found::default();
            for kind in kinds {
                all.add(self.look_up_at(&group, &candidate, *kind).await?);
            }
            if !all.records.is_empty() {
                return Ok(all);
            }
            nothing.add(all);
        }
        Ok(nothing)
    }

    /// The records of a name that is complete.
    pub(crate) async fn look_up(&self, name: &Name, kind: RecordType) -> Result<Found, SourceError> {
        let group = self.group().await?;
        self.look_up_at(&group, name, kind).await
    }

    async fn look_up_at(&self, group: &Group, name: &Name, kind: RecordType) -> Result<Found, SourceError> {
        let (mut name, mut ttl) = (name.clone(), None);
        for _ in 0..ALIASES_MAX {
            match self.ask(group, &name, kind).await? {
                Reply::Records(records, until) => {
                    return Ok(Found { records, ttl: shorter(ttl, Some(until)) });
                }
                Reply::Nothing(until) => return Ok(Found { records: Vec::new(), ttl: shorter(ttl, until) }),
                Reply::Alias(target, until) => (name, ttl) = (target, shorter(ttl, Some(until))),
            }
        }
        Err(SourceError::invalid(format!("{name} leads from alias to alias and to no end")))
    }

    /// The answer of the first server that has one.
    async fn ask(&self, group: &Group, name: &Name, kind: RecordType) -> Result<Reply, SourceError> {
        let (count_of, first) = (group.servers.len(), group.first.load(Ordering::Relaxed));
        let mut failure = None;
        for index in (0..count_of).map(|step| (first + step) % count_of) {
            let server = &group.servers[index];
            match self.ask_server(server, name, kind).await {
                Ok(reply) => {
                    group.first.store(index, Ordering::Relaxed);
                    return Ok(reply);
                }
                Err(why) => failure = Some(error(server, name, kind, &why)),
            }
        }
        Err(failure.unwrap_or_else(|| SourceError::invalid("no DNS server is named")))
    }

    async fn ask_server(&self, server: &Server, name: &Name, kind: RecordType) -> Result<Reply, Unanswered> {
        let _turn = self.queries.acquire().await.expect("it is never closed");
        count(&self.counters.queries);
        let mut options = DnsRequestOptions::default();
        options.use_edns = true;
        let answer = server.pool.lookup(Query::query(name.clone(), kind), options).first_answer();
        match timeout(self.options.timeout, answer).await {
            Err(_) => Err(Unanswered::TimedOut),
            Ok(Ok(response)) => read(Ok(&response), name, kind),
            Ok(Err(error)) => read(Err(error), name, kind),
        }
    }

    /// The servers, which may be others than before.
    async fn group(&self) -> Result<Arc<Group>, SourceError> {
        let text = match &self.options.servers {
            Servers::These(_) => Vec::new(),
            Servers::File(path) => tokio::fs::read(path).await.map_err(|error| {
                let path = path.display();
                SourceError::new(format!("the DNS servers of this machine are not known: {path}: {error}"))
                    .hint("name one: dns://127.0.0.1:8600")
            })?,
        };
        // It is replaced in one step: a poisoned lock is still usable.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, group)) = known.as_ref()
            && *of == text
        {
            return Ok(Arc::clone(group));
        }
        let group = Arc::new(self.build(&text)?);
        *known = Some((text, Arc::clone(&group)));
        Ok(group)
    }

    fn build(&self, text: &[u8]) -> Result<Group, SourceError> {
        let (config, mut options) = match &self.options.servers {
            Servers::These(addresses) => {
                let servers = addresses.iter().map(|address| server(*address)).collect();
                (ResolverConfig::from_name_servers(servers), ResolverOpts::default())
            }
            Servers::File(path) => parse_resolv_conf(text).map_err(|error| {
                SourceError::invalid(format!("{} cannot be used: {error}", path.display()))
                    .hint("it has lines like `nameserver 10.0.0.2`; or name a server: dns://10.0.0.2")
            })?,
        };
        options.timeout = self.options.timeout;
        let dots = options.ndots;
        let tls = || TlsConfig::new().map_err(|error| SourceError::invalid(error.to_string()));
        let (_, search, servers) = config.into_parts();
        let servers = servers.into_iter().map(|server| {
            let label = label(&server);
            let context = Arc::new(PoolContext::new(options.clone(), tls()?));
            let pool = NameServerPool::from_config([server], context, TokioRuntimeProvider::default());
            Ok(Server { label, pool })
        });
        let servers = servers.collect::<Result<_, SourceError>>()?;
        Ok(Group { servers, search, dots, first: AtomicUsize::new(0) })
    }
}

impl Group {
    /// The complete names that a name may stand for, in the order in which they are tried.
    fn candidates(&self, text: &str) -> Result<Vec<Name>, SourceError> {
        let wrong = |why: String| SourceError::invalid(format!("{text:?} cannot be looked up: {why}"));
        let name = Name::from_str_relaxed(text).map_err(|error| wrong(error.to_string()))?;
        let mut whole = name.clone();
        whole.set_fqdn(true);
        if name.is_fqdn() {
            return Ok(vec![whole]);
        }
        let mut all = Vec::new();
        for domain in &self.search {
            // What would be too long for a name stands for nothing.
            let Ok(mut candidate) = name.clone().append_domain(domain) else { continue };
            candidate.set_fqdn(true);
            all.push(candidate);
        }
        let dots = usize::from(name.num_labels()).saturating_sub(1);
        let at = if dots >= self.dots { 0 } else { all.len() };
        all.insert(at, whole);
        Ok(all)
    }
}

impl Found {
    fn add(&mut self, more: Self) {
        self.records.extend(more.records);
        self.ttl = shorter(self.ttl, more.ttl);
    }
}

/// The shorter of two times of which either may not be known.
pub(crate) fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.to_vec())
}

/// `10.0.0.2`, or with its port if that is unusual.
fn label(server: &NameServerConfig) -> String {
    match server.connections.first().map(|connection| connection.port) {
        None | Some(53) => server.ip.to_string(),
        Some(port) => SocketAddr::new(server.ip, port).to_string(),
    }
}

fn error(server: &Server, name: &Name, kind: RecordType, why: &Unanswered) -> SourceError {
    let hint = match why {
        Unanswered::Refused(ResponseCode::Refused) => "does it answer to this machine, and for this zone?",
        Unanswered::Refused(_) => "its log tells why; `dig` shows the same",
        Unanswered::Referral => "name a server that looks names up for others, or the one that has this zone",
        Unanswered::TimedOut | Unanswered::Broken(_) => "is it reachable from here, by UDP and by TCP?",
    };
    let cause = match why {
        Unanswered::Refused(ResponseCode::Refused) => Cause::Denied,
        Unanswered::Referral => Cause::Invalid,
        _ => Cause::Unavailable,
    };
    let message = format!("{kind} of {name}: the DNS server {} {why}", server.label);
    SourceError { cause, ..SourceError::new(message).hint(hint) }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<_> = self.servers.iter().map(|server| &server.label).collect();
        f.debug_struct("Group")
            .field("servers", &servers)
            .field("search", &self.search)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(resolv_conf: &str) -> Result<Group, SourceError> {
        Resolver::new(DnsOptions::default(), Arc::default()).build(resolv_conf.as_bytes())
    }

    fn candidates(resolv_conf: &str, name: &str) -> Vec<String> {
        let group = group(resolv_conf).expect("a usable file");
        group.candidates(name).expect("a name").iter().map(Name::to_ascii).collect()
    }

    #[test]
    fn a_name_is_looked_for_where_the_search_list_says() {
        let file = "nameserver 10.0.0.2\nsearch corp.test lab.test\n";
        assert_eq!(candidates(file, "web"), ["web.corp.test.", "web.lab.test.", "web."]);
        assert_eq!(candidates(file, "web.a"), ["web.a.", "web.a.corp.test.", "web.a.lab.test."]);
        assert_eq!(candidates(file, "web.a."), ["web.a."]);
        let dots = format!("{file}options ndots:2\n");
        assert_eq!(candidates(&dots, "web.a"), ["web.a.corp.test.", "web.a.lab.test.", "web.a."]);
    }

    #[test]
    fn names_of_services_and_of_other_alphabets_can_be_looked_up() {
        assert_eq!(candidates("nameserver 10.0.0.2\n", "_http._tcp.web.test"), ["_http._tcp.web.test."]);
        assert_eq!(candidates("nameserver 10.0.0.2\n", "bücher.test"), ["xn--bcher-kva.test."]);
    }

    #[test]
    fn every_server_of_the_file_is_asked_in_its_order() {
        let group = group("nameserver 10.0.0.2\nnameserver fd00::53\n").expect("a usable file");
        let labels: Vec<_> = group.servers.iter().map(|server| server.label.as_str()).collect();
        assert_eq!(labels, ["10.0.0.2", "fd00::53"]);
    }

    #[test]
    fn a_file_without_servers_is_told_with_a_hint() {
        let error = group("search corp.test\n").expect_err("no server");
        assert!(error.hint.is_some_and(|hint| hint.contains("nameserver 10.0.0.2")));
    }
}
