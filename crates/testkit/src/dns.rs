//! An authoritative DNS server on loopback, by UDP and TCP. It answers for `test.` from what a test puts into it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

pub use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::op::{Message, OpCode};
pub use hickory_resolver::proto::rr::RecordType;
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, NS, SOA, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

use crate::ports::free_port;

/// What fits into an answer by UDP, as the server sees it.
const UDP_MAX: usize = 512;

const NO_PANIC: &str = "nobody panics while holding this lock";

/// A running server. It ends with the runtime of its test.
#[derive(Clone, Debug)]
pub struct DnsServer {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    _tasks: Arc<JoinSet<()>>,
}

#[derive(Debug, Default)]
struct Zone {
    records: BTreeMap<(Name, RecordType), Vec<RData>>,
    ttl: u32,
    mood: Mood,
    /// What it says to questions about these names, whatever it knows.
    moods: BTreeMap<Name, Mood>,
    asked: BTreeMap<(Name, RecordType), usize>,
    by_tcp: usize,
}

/// How it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// From what it knows.
    #[default]
    Well,
    /// Not at all.
    Silent,
    /// With this error.
    Error(ResponseCode),
    /// With the names of others.
    Referring,
}

impl DnsServer {
    /// A server that knows nothing.
    pub async fn start() -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let udp = UdpSocket::bind(address).await.expect("the port is ours");
        let tcp = TcpListener::bind(address).await.expect("the port is ours");
        let zone = Arc::<Mutex<Zone>>::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_udp(udp, Arc::clone(&zone)));
        tasks.spawn(serve_tcp(tcp, Arc::clone(&zone)));
        Self { address, zone, _tasks: Arc::new(tasks) }
    }

    /// Where it listens, by UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A source of endpoints with these parameters.
    pub fn url(&self, parameters: &str) -> String {
        format!("dns://{}?{parameters}", self.address)
    }

    /// From now on the name has these addresses and no others.
    pub fn addresses(&self, name: &str, addresses: &[IpAddr]) {
        let of = |v4: bool| addresses.iter().filter(move |address| address.is_ipv4() == v4);
        let data = |address: &IpAddr| match *address {
            IpAddr::V4(address) => RData::A(A(address)),
            IpAddr::V6(address) => RData::AAAA(AAAA(address)),
        };
        self.set(name, RecordType::A, of(true).map(data).collect());
        self.set(name, RecordType::AAAA, of(false).map(data).collect());
    }

    /// From now on the name has these services: priority, weight, port, target.
    pub fn services(&self, name: &str, services: &[(u16, u16, u16, &str)]) {
        let data = services.iter().map(|(priority, weight, port, target)| {
            RData::SRV(SRV::new(*priority, *weight, *port, complete(target)))
        });
        self.set(name, RecordType::SRV, data.collect());
    }

    /// From now on the name stands for another.
    pub fn alias(&self, name: &str, target: &str) {
        self.set(name, RecordType::CNAME, vec![RData::CNAME(CNAME(complete(target)))]);
    }

    fn set(&self, name: &str, kind: RecordType, data: Vec<RData>) {
        let mut zone = self.zone.lock().expect(NO_PANIC);
        let key = (complete(name), kind);
        if data.is_empty() {
            zone.records.remove(&key);
        } else {
            zone.records.insert(key, data);
        }
    }

    /// How long its answers hold.
    pub fn ttl(&self, seconds: u32) {
        self.zone.lock().expect(NO_PANIC).ttl = seconds;
    }

    /// From now on it answers so.
    pub fn mood(&self, mood: Mood) {
        self.zone.lock().expect(NO_PANIC).mood = mood;
    }

    /// From now on it answers so when it is asked about this name.
    pub fn mood_about(&self, name: &str, mood: Mood) {
        self.zone.lock().expect(NO_PANIC).moods.insert(complete(name), mood);
    }

    /// How often it was asked for this.
    pub fn asked(&self, name: &str, kind: RecordType) -> usize {
        let zone = self.zone.lock().expect(NO_PANIC);
        zone.asked.get(&(complete(name), kind)).copied().unwrap_or_default()
    }

    /// How many questions came by TCP.
    pub fn by_tcp(&self) -> usize {
        self.zone.lock().expect(NO_PANIC).by_tcp
    }
}

fn complete(name: &str) -> Name {
    let mut name = Name::from_ascii(name).expect("a name");
    name.set_fqdn(true);
    name
}

async fn serve_udp(socket: UdpSocket, zone: Arc<Mutex<Zone>>) {
    let mut buffer = [0; 4096];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        let Some(answer) = zone.lock().expect(NO_PANIC).answer(&buffer[..length]) else { continue };
        let whole = answer.to_vec().expect("it can be written");
        let sent = if whole.len() > UDP_MAX { answer.truncate().to_vec().expect("it fits") } else { whole };
        // Who asked may have gone.
        drop(socket.send_to(&sent, from).await);
    }
}

async fn serve_tcp(listener: TcpListener, zone: Arc<Mutex<Zone>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve_connection(stream, Arc::clone(&zone)));
    }
}

async fn serve_connection(mut stream: TcpStream, zone: Arc<Mutex<Zone>>) {
    while let Ok(length) = stream.read_u16().await {
        let mut question = vec![0; usize::from(length)];
        if stream.read_exact(&mut question).await.is_err() {
            return;
        }
        let answer = {
            let mut zone = zone.lock().expect(NO_PANIC);
            zone.by_tcp += 1;
            zone.answer(&question)
        };
        let Some(answer) = answer else { continue };
        let answer = answer.to_vec().expect("it can be written");
        let length = u16::try_from(answer.len()).expect("a test's answer is small");
        let framed: Vec<u8> = length.to_be_bytes().into_iter().chain(answer).collect();
        if stream.write_all(&framed).await.is_err() {
            return;
        }
    }
}

impl Zone {
    fn answer(&mut self, question: &[u8]) -> Option<Message> {
        let request = Message::from_vec(question).expect("a resolver asks well");
        let query = request.queries.first().expect("a question").clone();
        let key = (query.name().to_lowercase(), query.query_type());
        *self.asked.entry(key.clone()).or_default() += 1;
        let mut answer = Message::response(request.metadata.id, OpCode::Query);
        answer.metadata.authoritative = true;
        answer.add_query(query);
        match self.moods.get(&key.0).copied().unwrap_or(self.mood) {
            Mood::Silent => return None,
            Mood::Error(code) => answer.metadata.response_code = code,
            Mood::Referring => drop(answer.add_authority(self.record(&complete("test"), referral()))),
            Mood::Well => self.fill(&mut answer, &key),
        }
        Some(answer)
    }

    fn fill(&self, answer: &mut Message, (name, kind): &(Name, RecordType)) {
        let of = |kind: RecordType| self.records.get(&(name.clone(), kind)).into_iter().flatten();
        let found: Vec<_> = of(*kind).chain(of(RecordType::CNAME)).collect();
        if found.is_empty() {
            let exists = self.records.keys().any(|(known, _)| known == name);
            let code = if exists { ResponseCode::NoError } else { ResponseCode::NXDomain };
            answer.metadata.response_code = code;
            answer.add_authority(self.record(&complete("test"), authority(self.ttl)));
        }
        answer.add_answers(found.into_iter().map(|data| self.record(name, data.clone())));
    }

    fn record(&self, name: &Name, data: RData) -> Record {
        Record::from_rdata(name.clone(), self.ttl, data)
    }
}

fn authority(minimum: u32) -> RData {
    RData::SOA(SOA::new(complete("ns.test"), complete("admin.test"), 1, 60, 60, 60, minimum))
}

fn referral() -> RData {
    RData::NS(NS(complete("ns.test")))
}
