//! The objects of a case, and a `Lookup` over them.

use std::collections::BTreeMap;
use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;

use biplane_core::age::Age;
use biplane_core::decode::decode;
use biplane_core::document::{IdentifyHint, identify, split};
use biplane_core::key::ResourceRef;
use biplane_core::location::Location;
use biplane_core::report::Report;
use biplane_core::resources::endpoint::{Health, Locality};
use biplane_core::resources::route::{RouteTable, RouteTableSelector};
use biplane_core::resources::settings::InvalidConfigPolicy;
use biplane_core::resources::{
    Endpoint, Gateway, Object, RouteOption, Secret, Settings, Spec, Upstream, UpstreamGroup,
    VirtualHostOption, VirtualService,
};
use biplane_translator::Lookup;

use crate::cases::Case;

/// The objects of a case, the oldest first.
pub(crate) struct Objects(Vec<Object>);

/// Reads the objects of a case. What decoding refuses is missing and reported.
pub(crate) fn read(case: &Case) -> (Objects, Vec<Report>) {
    let text = case.text();
    let name = case.name();
    let file = name.rsplit('/').next().expect("a path has a last part");
    let (mut objects, mut reports) = (Vec::new(), Vec::new());
    for slice in split(&text) {
        let document = &text[slice.range];
        let key = identify(document, &IdentifyHint::default())
            .unwrap_or_else(|why| panic!("{name}:{}: {why}", slice.first_line));
        let decoded = decode(document, &key, &Location::file(file, slice.first_line));
        objects.extend(decoded.object.map(made));
        reports.extend(decoded.reports);
    }
    objects.sort_by_key(|object| Age::new(object.metadata.creation_timestamp, None, object.key.clone()));
    (Objects(objects), reports)
}

/// Names that only Biplane gives are refused where somebody writes them; a case writes `made:NAME`.
fn made(mut object: Object) -> Object {
    if let Some(name) = object.key.name.strip_prefix("made:") {
        object.key.name = name.to_owned();
    }
    object
}

impl Objects {
    /// The objects of one kind: `pick` takes the fields of that kind out of an object.
    pub(crate) fn all<'a, T: 'a>(
        &'a self,
        pick: impl Fn(&'a Spec) -> Option<&'a Arc<T>> + 'a,
    ) -> impl Iterator<Item = (&'a Object, &'a Arc<T>)> {
        self.0.iter().filter_map(move |object| Some((object, pick(&object.spec)?)))
    }

    fn one<'a, T: 'a>(
        &'a self,
        name: &ResourceRef,
        pick: impl Fn(&'a Spec) -> Option<&'a Arc<T>> + 'a,
    ) -> Option<Arc<T>> {
        self.all(pick).find(|(object, _)| object.key.reference() == *name).map(|(_, spec)| spec.clone())
    }
}

/// A function that takes the fields of one kind out of an object.
macro_rules! pick {
    ($function:ident, $kind:ident) => {
        pub(crate) fn $function(spec: &Spec) -> Option<&Arc<$kind>> {
            if let Spec::$kind(spec) = spec { Some(spec) } else { None }
        }
    };
}

pick!(gateway, Gateway);
pick!(virtual_service, VirtualService);
pick!(route_table, RouteTable);
pick!(upstream, Upstream);
pick!(upstream_group, UpstreamGroup);
pick!(route_option, RouteOption);
pick!(virtual_host_option, VirtualHostOption);
pick!(secret, Secret);
pick!(settings, Settings);

/// Endpoints as a source finds them: in two places, of all healths, with a tag, of double weight.
fn found() -> Vec<Endpoint> {
    let at = |number: u8, health, zone: &str| Endpoint {
        health,
        locality: Locality { region: "eu".to_owned(), zone: zone.to_owned() },
        ..Endpoint::new([192, 0, 2, number].into(), NonZeroU16::new(8080).expect("not zero"))
    };
    let tagged = BTreeMap::from([("tag_blue".to_owned(), "1".to_owned())]);
    vec![
        Endpoint { metadata: tagged, ..at(1, Health::Healthy, "a") },
        Endpoint { weight: NonZeroU32::new(2).expect("not zero"), ..at(2, Health::Unknown, "b") },
        at(3, Health::Unhealthy, "a"),
        at(4, Health::Draining, "a"),
        // The same place twice, as while one registration follows another: the usable one counts.
        at(5, Health::Draining, "b"),
        Endpoint { id: "new".to_owned(), ..at(5, Health::Healthy, "b") },
    ]
}

impl Lookup for Objects {
    fn has_upstream(&self, name: &ResourceRef) -> bool {
        self.one(name, upstream).is_some()
    }

    /// The same for all but those of which nothing is known.
    fn endpoints(&self, name: &ResourceRef) -> Option<Arc<[Endpoint]>> {
        (name.name != "unknown").then(|| found().into())
    }

    fn upstream_group(&self, name: &ResourceRef) -> Option<Arc<UpstreamGroup>> {
        self.one(name, upstream_group)
    }

    fn route_table(&self, name: &ResourceRef) -> Option<Arc<RouteTable>> {
        self.one(name, route_table)
    }

    fn route_tables(
        &self,
        selector: &RouteTableSelector,
        namespace: &str,
    ) -> Vec<(ResourceRef, Arc<RouteTable>)> {
        let searched = |of: &str| match selector.namespaces.as_slice() {
            [] => of == namespace,
            namespaces => namespaces.iter().any(|name| name == of || name == "*"),
        };
        let mut tables: Vec<_> = self
            .all(route_table)
            .filter(|(object, _)| {
                searched(&object.key.namespace) && selector.matches_labels(&object.metadata.labels)
            })
            .map(|(object, table)| (object.key.reference(), table.clone()))
            .collect();
        tables.sort_by(|(a, _), (b, _)| a.cmp(b));
        tables
    }

    fn route_option(&self, name: &ResourceRef) -> Option<Arc<RouteOption>> {
        self.one(name, route_option)
    }

    fn virtual_host_option(&self, name: &ResourceRef) -> Option<Arc<VirtualHostOption>> {
        self.one(name, virtual_host_option)
    }

    fn secret(&self, name: &ResourceRef) -> Option<Arc<Secret>> {
        self.one(name, secret)
    }

    fn secret_values(&self, name: &ResourceRef) -> Option<Arc<Secret>> {
        self.secret(name)
    }

    fn invalid_config_policy(&self) -> InvalidConfigPolicy {
        let mut all = self.all(settings);
        let settings = all.find_map(|(_, settings)| settings.gloo.as_ref()?.invalid_config_policy.clone());
        settings.unwrap_or_default()
    }
}
