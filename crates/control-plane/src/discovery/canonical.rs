//! Queries as text that lasts: under it their answers are kept on disk, and the next version is to find them.

use biplane_source::Query;
use serde_json::{Map, Value};

use super::question::field;
use crate::lasting::said;

/// `{"consul":{"serviceName":"web"}}`
pub(super) fn text(query: &Query) -> String {
    let said = match query {
        Query::Consul(query) => said(query),
        Query::Nomad(query) => said(query),
        Query::AwsEc2(query) => said(query),
        Query::Dns(query) => said(query),
    };
    Value::Object(Map::from_iter([(field(query).to_owned(), said)])).to_string()
}

#[cfg(test)]
mod tests {
    use biplane_core::key::ResourceRef;
    use biplane_core::resources::upstream::discovery::{
        AwsEc2Upstream, Canaries, ConsulQueryOptions, ConsulUpstream, DnsRecord, DnsUpstream, NomadUpstream,
        TagFilter, TagPair,
    };

    use super::*;

    /// What is on disks by now: a text that changes loses the endpoints that are kept under it.
    #[test]
    fn questions_are_spelled_as_ever() {
        let owned = str::to_owned;
        let pair = TagPair { key: owned("app"), value: owned("web") };
        let queries = [
            Query::Consul(ConsulUpstream {
                service_name: Some(owned("web")),
                instance_tags: vec![owned("b"), owned("a")],
                connect_enabled: Some(false),
                query_options: Some(ConsulQueryOptions::default()),
                ..ConsulUpstream::default()
            }),
            Query::Nomad(NomadUpstream {
                service_name: owned("we\"b"),
                canaries: Some(Canaries::Exclude),
                port: Some(80),
                ..NomadUpstream::default()
            }),
            Query::AwsEc2(AwsEc2Upstream {
                secret_ref: Some(ResourceRef::new("default", "aws")),
                filters: vec![TagFilter { kv_pair: Some(pair), ..TagFilter::default() }],
                api_filters: [(owned("subnet-id"), vec![])].into(),
                ..AwsEc2Upstream::default()
            }),
            Query::Dns(DnsUpstream {
                name: owned("web.internal"),
                record: Some(DnsRecord::Srv),
                refresh: "90s".parse().ok(),
                ..DnsUpstream::default()
            }),
        ];
        let expected = [
            r#"{"consul":{"connectEnabled":false,"instanceTags":["b","a"],"queryOptions":{},"serviceName":"web"}}"#,
            r#"{"nomad":{"canaries":"exclude","port":80,"serviceName":"we\"b"}}"#,
            r#"{"awsEc2":{"apiFilters":{"subnet-id":[]},"filters":[{"kvPair":{"key":"app","value":"web"}}],"secretRef":{"name":"aws","namespace":"default"}}}"#,
            r#"{"dns":{"name":"web.internal","record":"srv","refresh":"90s"}}"#,
        ];
        assert_eq!(queries.each_ref().map(text), expected);
    }

    #[test]
    fn a_field_that_says_nothing_is_not_in_the_text() {
        let all = [
            Query::Consul(ConsulUpstream::default()),
            Query::Nomad(NomadUpstream::default()),
            Query::AwsEc2(AwsEc2Upstream::default()),
            Query::Dns(DnsUpstream::default()),
        ];
        let expected = [r#"{"consul":{}}"#, r#"{"nomad":{}}"#, r#"{"awsEc2":{}}"#, r#"{"dns":{}}"#];
        assert_eq!(all.each_ref().map(text), expected);
    }
}
