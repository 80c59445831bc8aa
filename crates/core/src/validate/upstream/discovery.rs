//! Upstreams whose endpoints are looked up: that the question can be asked, and makes sense.

use crate::path::Trail;
use crate::resources::upstream::Discovery;
use crate::resources::upstream::discovery::{
    AwsEc2Upstream, ConsulUpstream, DnsRecord, DnsUpstream, NomadUpstream, TagFilter,
};
use crate::scalars::Duration;
use crate::validate::{Validator, text};

/// How often a name may be looked up.
const SHORTEST_REFRESH: Duration = Duration(std::time::Duration::from_secs(1));

pub(super) fn discovery(v: &mut Validator<'_, '_>, discovery: Discovery<'_>, at: &Trail<'_>) {
    match discovery {
        Discovery::Consul(upstream) => consul(v, upstream, &at.field("consul")),
        Discovery::Nomad(upstream) => nomad(v, upstream, &at.field("nomad")),
        Discovery::AwsEc2(upstream) => ec2(v, upstream, &at.field("awsEc2")),
        Discovery::Dns(upstream) => dns(v, upstream, &at.field("dns")),
    }
}

fn consul(v: &mut Validator<'_, '_>, upstream: &ConsulUpstream, at: &Trail<'_>) {
    v.exactly_one(
        at,
        "what is looked for",
        &[
            ("serviceName", upstream.service_name.is_some()),
            ("preparedQuery", upstream.prepared_query.is_some()),
        ],
    );
    filled(v, upstream.service_name.as_deref(), &at.field("serviceName"));
    filled(v, upstream.prepared_query.as_deref(), &at.field("preparedQuery"));
    if upstream.prepared_query.is_some() && upstream.connect_enabled == Some(true) {
        let hint = "write serviceName, or leave connectEnabled out";
        v.error_hint(&at.field("connectEnabled"), "a prepared query does not lead into the mesh", hint);
    }
    if upstream.connect_service.is_some() && upstream.connect_enabled != Some(true) {
        v.warning_hint(
            &at.field("connectService"),
            "it has no effect outside the mesh",
            "write connectEnabled: true",
        );
    }
    ports_and_source(v, upstream.port, upstream.source.as_deref(), at);
}

fn nomad(v: &mut Validator<'_, '_>, upstream: &NomadUpstream, at: &Trail<'_>) {
    let name = at.field("serviceName");
    if upstream.service_name.is_empty() {
        v.missing(&name, "the service has no name", "write serviceName: as in the job's service block");
    }
    if upstream.namespace.as_deref() == Some("*") {
        let hint =
            "write one upstream for each namespace, and a UpstreamGroup or several destinations over them";
        v.error_hint(&at.field("namespace"), "an upstream is of one namespace", hint);
    }
    ports_and_source(v, upstream.port, upstream.source.as_deref(), at);
}

fn ec2(v: &mut Validator<'_, '_>, upstream: &AwsEc2Upstream, at: &Trail<'_>) {
    for (index, filter) in upstream.filters.iter().enumerate() {
        tag_filter(v, filter, &at.field("filters").index(index));
    }
    let filters = at.field("apiFilters");
    for (name, values) in &upstream.api_filters {
        let at = filters.field(name);
        if values.is_empty() {
            v.missing(
                &at,
                "the filter has no values",
                "write the values that one of which a machine must match",
            );
        }
    }
    if upstream.public_ip == Some(true) && upstream.ipv6 == Some(true) {
        let hint = "IPv6 addresses are public by themselves: leave publicIp out";
        v.error_hint(&at.field("ipv6"), "publicIp chooses another address", hint);
    }
    if upstream.role_arn.as_deref().is_some_and(|arn| !arn.starts_with("arn:")) {
        v.error_hint(&at.field("roleArn"), "not an ARN", "write it as arn:aws:iam::123456789012:role/name");
    }
    if upstream.external_id.is_some() && upstream.role_arn.is_none() {
        v.error_hint(&at.field("externalId"), "no role is assumed", "write roleArn, or leave externalId out");
    }
    ports_and_source(v, upstream.port, upstream.source.as_deref(), at);
}

fn tag_filter(v: &mut Validator<'_, '_>, filter: &TagFilter, at: &Trail<'_>) {
    v.exactly_one(at, "the filter", &[("key", filter.key.is_some()), ("kvPair", filter.kv_pair.is_some())]);
    filled(v, filter.key.as_deref(), &at.field("key"));
    filled(v, filter.kv_pair.as_ref().map(|pair| pair.key.as_str()), &at.field("kvPair").field("key"));
}

fn dns(v: &mut Validator<'_, '_>, upstream: &DnsUpstream, at: &Trail<'_>) {
    let name = at.field("name");
    if upstream.name.is_empty() {
        v.missing(&name, "there is no name to look up", "write name: app.example.com");
    } else if upstream.name.parse::<std::net::IpAddr>().is_ok() {
        v.error_hint(&name, "an address needs no look-up", "write it under static.hosts");
    } else if upstream.record != Some(DnsRecord::Srv)
        && let Err(why) = text::host(&upstream.name)
    {
        v.error(&name, format!("{:?}: {why}", upstream.name));
    }
    if upstream.record != Some(DnsRecord::Srv) && upstream.port.is_none() {
        v.missing(&at.field("port"), "address records hold no port", "write port: 80, or record: srv");
    }
    if upstream.refresh.is_some_and(|refresh| refresh < SHORTEST_REFRESH) {
        v.error(&at.field("refresh"), "must be 1s or longer");
    }
    ports_and_source(v, upstream.port, upstream.source.as_deref(), at);
}

fn filled(v: &mut Validator<'_, '_>, text: Option<&str>, at: &Trail<'_>) {
    if text.is_some_and(str::is_empty) {
        v.error(at, "it is empty");
    }
}

fn ports_and_source(v: &mut Validator<'_, '_>, port: Option<u32>, source: Option<&str>, at: &Trail<'_>) {
    v.within(&at.field("port"), port, 1, 65_535);
    if source.is_some_and(str::is_empty) {
        v.error_hint(&at.field("source"), "the source has no name", "leave it out for the first of its kind");
    }
}
