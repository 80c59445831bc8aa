//! One caller: where from, who, and what it may do.

use std::fmt;
use std::net::SocketAddr;

use super::tokens::Role;

/// Where a request comes from, as the connection tells.
#[derive(Clone, Debug)]
pub(crate) enum Remote {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A process of this machine; the kernel says whose.
    Unix { uid: Option<u32> },
}

/// What a route needs, and what a caller may do: each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// Probes and the page's own files.
    Nothing,
    /// Status and metrics.
    Status,
    /// Resources and their history.
    Read,
    /// Changes.
    Write,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The token's name, `uid:1000`, or an address.
    pub(crate) name: String,
    /// What it may do.
    pub(crate) may: Need,
    /// Whether a token says who it is; no page of somebody else's can make a browser send one.
    pub(crate) by_token: bool,
}

/// The longest remark of a caller about itself.
const LONGEST_REMARK: usize = 128;

impl Remote {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Tcp(address) => address.ip().to_string(),
            Self::Unix { uid: Some(uid) } => format!("uid:{uid}"),
            Self::Unix { uid: None } => "uid:?".to_owned(),
        }
    }

    /// A page in a browser of this machine can reach loopback by a name of its own; it reaches no socket file.
    pub(crate) fn is_loopback(&self) -> bool {
        matches!(self, Self::Tcp(address) if address.ip().is_loopback())
    }
}

impl Caller {
    /// Who changes something, for the history: who we know it is, and behind it who it says it is.
    pub(crate) fn author(&self, remark: &str) -> String {
        let remark: String = remark.chars().filter(|c| !c.is_control()).take(LONGEST_REMARK).collect();
        match remark.trim() {
            "" => self.name.clone(),
            remark => format!("{} ({remark})", self.name),
        }
    }
}

impl From<Role> for Need {
    fn from(role: Role) -> Self {
        match role {
            Role::Read => Self::Read,
            Role::Write => Self::Write,
        }
    }
}

/// What is missing, in words.
impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "ask",
            Self::Status => "see the status",
            Self::Read => "read resources",
            Self::Write => "make changes",
        })
    }
}
