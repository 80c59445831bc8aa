//! The resource kinds as users write them: Gloo's v1 field names, one file a kind.
//!
//! These types are what decoding yields. They are plain data: a value of one of them has the right
//! shape, and decoding has looked at what a shape cannot say (one action a route, a
//! regex that Envoy accepts). References in them always carry a namespace.

pub mod endpoint;
pub mod gateway;
pub mod metadata;
pub mod route;
pub mod secret;
pub mod settings;
pub mod tls;
pub mod upstream;
pub mod virtual_service;

use std::sync::Arc;

use crate::key::{Kind, ObjectKey};
pub use crate::options::{RouteOption, RouteOptions, VirtualHostOption, VirtualHostOptions};
pub use endpoint::Endpoint;
pub use gateway::Gateway;
pub use metadata::Metadata;
pub use route::{Route, RouteTable};
pub use secret::Secret;
pub use settings::Settings;
pub use upstream::{Upstream, UpstreamGroup};
pub use virtual_service::VirtualService;

/// One decoded object: who it is and what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Kind, namespace and name.
    pub key: ObjectKey,
    /// Labels, annotations, creation time.
    pub metadata: Arc<Metadata>,
    /// The fields of its kind.
    pub spec: Spec,
}

/// The fields of an object, by kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Spec {
    /// See [`Gateway`].
    Gateway(Arc<Gateway>),
    /// See [`VirtualService`].
    VirtualService(Arc<VirtualService>),
    /// See [`RouteTable`].
    RouteTable(Arc<RouteTable>),
    /// See [`Upstream`].
    Upstream(Arc<Upstream>),
    /// See [`UpstreamGroup`].
    UpstreamGroup(Arc<UpstreamGroup>),
    /// See [`RouteOption`].
    RouteOption(Arc<RouteOption>),
    /// See [`VirtualHostOption`].
    VirtualHostOption(Arc<VirtualHostOption>),
    /// See [`Secret`].
    Secret(Arc<Secret>),
    /// See [`Settings`].
    Settings(Arc<Settings>),
}

impl Spec {
    /// The kind of these fields.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Gateway(_) => Kind::Gateway,
            Self::VirtualService(_) => Kind::VirtualService,
            Self::RouteTable(_) => Kind::RouteTable,
            Self::Upstream(_) => Kind::Upstream,
            Self::UpstreamGroup(_) => Kind::UpstreamGroup,
            Self::RouteOption(_) => Kind::RouteOption,
            Self::VirtualHostOption(_) => Kind::VirtualHostOption,
            Self::Secret(_) => Kind::Secret,
            Self::Settings(_) => Kind::Settings,
        }
    }

    /// The fields of a secret, if it is one.
    pub const fn secret(&self) -> Option<&Arc<Secret>> {
        if let Self::Secret(secret) = self { Some(secret) } else { None }
    }
}
