//! Sessions: what holds a lock, and lets go of it when its owner is gone.

use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde_json::json;

use crate::answer::json as decode;
use crate::client::{Client, Request};
use crate::error::Error;
use crate::escape::component;
use crate::query::{Answer, Query};

/// What a lock does when its session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionBehavior {
    /// The key stays, unlocked.
    Release,
    /// The key goes.
    Delete,
}

/// A session to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// For people.
    pub name: String,
    /// How long it lives without renewal. Consul takes 10 seconds to a day, and may let it live twice as long.
    pub ttl: Duration,
    /// What its locks do at its end.
    pub behavior: SessionBehavior,
    /// How long nobody may take a lock that it lost: time for its owner to notice.
    pub lock_delay: Duration,
}

/// A session as Consul knows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Session {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// For people.
    #[serde(default)]
    pub name: String,
    /// The node that it lives on, and dies with.
    #[serde(default)]
    pub node: String,
}

#[derive(Deserialize)]
struct Created {
    #[serde(rename = "ID")]
    id: String,
}

impl Client {
    /// Makes a session on the agent's node and says its id.
    pub async fn session_create(&self, session: &NewSession) -> Result<String, Error> {
        let behavior = match session.behavior {
            SessionBehavior::Release => "release",
            SessionBehavior::Delete => "delete",
        };
        let body = json!({
            "Name": session.name,
            "TTL": format!("{}ms", session.ttl.as_millis()),
            "Behavior": behavior,
            "LockDelay": format!("{}ms", session.lock_delay.as_millis()),
        });
        let raw = self.send(Request::new(Method::PUT, "session/create").body(body.to_string())).await?;
        let created: Created = decode(&raw.success(self.address())?.value, self.address())?;
        Ok(created.id)
    }

    /// Renews a session; `false`: it has ended.
    pub async fn session_renew(&self, id: &str) -> Result<bool, Error> {
        let raw = self.send(Request::new(Method::PUT, format!("session/renew/{}", component(id)))).await?;
        if raw.status == 404 {
            return Ok(false);
        }
        raw.success(self.address()).map(|_| true)
    }

    /// Ends a session, if it has not.
    pub async fn session_destroy(&self, id: &str) -> Result<(), Error> {
        let raw = self.send(Request::new(Method::PUT, format!("session/destroy/{}", component(id)))).await?;
        raw.success(self.address()).map(drop)
    }

    /// What Consul knows of a session; `None`: it has ended.
    pub async fn session_info(&self, id: &str, query: &Query) -> Result<Answer<Option<Session>>, Error> {
        let raw = self.send(Request::get(format!("session/info/{}", component(id)), query)).await?;
        raw.success(self.address())?.map(|body| {
            let found: Vec<Session> = decode(&body, self.address())?;
            Ok(found.into_iter().next())
        })
    }
}
