//! How a translation asks for other objects. Each call is a dependency that the caller records,
//! also when the answer is "there is none": a later object of that name must wake the asker.

use std::sync::Arc;

use biplane_core::key::ResourceRef;
use biplane_core::resources::route::{RouteTable, RouteTableSelector};
use biplane_core::resources::settings::InvalidConfigPolicy;
use biplane_core::resources::{Endpoint, RouteOption, Secret, UpstreamGroup, VirtualHostOption};

/// The objects around the one that is translated.
pub trait Lookup {
    /// Whether an upstream of this name exists. Routes need no more of it.
    fn has_upstream(&self, name: &ResourceRef) -> bool;

    /// The endpoints that were found for an upstream that has them looked up; `None`: they are not known yet. Asked for
    /// the upstream that is translated only.
    fn endpoints(&self, name: &ResourceRef) -> Option<Arc<[Endpoint]>>;

    /// An upstream group.
    fn upstream_group(&self, name: &ResourceRef) -> Option<Arc<UpstreamGroup>>;

    /// A route table.
    fn route_table(&self, name: &ResourceRef) -> Option<Arc<RouteTable>>;

    /// The route tables that a selector finds, sorted by namespace and name. `namespace` is that of
    /// the object that delegates: where the selector names none, only that one is searched.
    fn route_tables(
        &self,
        selector: &RouteTableSelector,
        namespace: &str,
    ) -> Vec<(ResourceRef, Arc<RouteTable>)>;

    /// Options that routes refer to.
    fn route_option(&self, name: &ResourceRef) -> Option<Arc<RouteOption>>;

    /// Options that virtual hosts refer to.
    fn virtual_host_option(&self, name: &ResourceRef) -> Option<Arc<VirtualHostOption>>;

    /// A secret, to look at what it has: whether it is known, which parts and names. Whoever asks is not woken by new
    /// values, and must hold none.
    fn secret(&self, name: &ResourceRef) -> Option<Arc<Secret>>;

    /// A secret whose values go into the answer: new ones wake whoever asks.
    fn secret_values(&self, name: &ResourceRef) -> Option<Arc<Secret>>;

    /// What a route to a missing destination answers.
    fn invalid_config_policy(&self) -> InvalidConfigPolicy;
}
