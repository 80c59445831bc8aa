//! Routes: what they match, what they do, and the tables that hold them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Deserialize;

use super::upstream::discovery::ConsulDestination;
use crate::key::ResourceRef;
use crate::options::{HeaderManipulation, OptionsConfigRefs, RouteOptions};

/// Routes that virtual services and other tables delegate to.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RouteTable {
    /// The routes.
    pub routes: Vec<Route>,
    /// Order among tables that one selector finds, the smallest first; default 0.
    pub weight: Option<i32>,
}

/// Matchers, one action, options. What most routes lack is boxed: there may be a hundred thousand of them.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Route {
    /// The route matches when one of these does; none: everything (prefix `/`).
    pub matchers: Vec<Matcher>,
    /// Takes headers, query parameters and methods of the delegating parent's matcher over.
    pub inheritable_matchers: Option<bool>,
    /// Takes the path of the delegating parent's matcher over.
    pub inheritable_path_matchers: Option<bool>,
    /// Sends the request to upstreams. Exactly one of the four actions.
    pub route_action: Option<RouteAction>,
    /// Sends the client elsewhere.
    pub redirect_action: Option<Box<RedirectAction>>,
    /// Answers at once.
    pub direct_response_action: Option<DirectResponseAction>,
    /// Hands over to route tables.
    pub delegate_action: Option<Box<DelegateAction>>,
    /// Options of this route; the fields of a parent route and of `optionsConfigRefs` fill what they leave open.
    pub options: Option<Box<RouteOptions>>,
    /// A name, shown in statistics and logs.
    pub name: Option<String>,
    /// `RouteOption` objects to take further options from.
    pub options_config_refs: Option<OptionsConfigRefs>,
}

/// What a request must look like. One of `prefix`, `exact`, `regex` and `connectMatcher`, and all of the rest.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Matcher {
    /// The path starts with this (`/foo` matches `/foobar`).
    pub prefix: Option<String>,
    /// The path is this.
    pub exact: Option<String>,
    /// The whole path matches this regex (RE2).
    pub regex: Option<String>,
    /// HTTP CONNECT requests.
    pub connect_matcher: Option<ConnectMatcher>,
    /// `false`: `prefix` and `exact` ignore case.
    pub case_sensitive: Option<bool>,
    /// Headers.
    pub headers: Vec<HeaderMatcher>,
    /// Query parameters.
    pub query_parameters: Vec<QueryParameterMatcher>,
    /// HTTP methods; none: all.
    pub methods: Vec<String>,
    /// Where the connection comes from. Not what a header says of it.
    pub client_ip: Option<Box<ClientIpMatcher>>,
}

/// Addresses of clients: the other end of the connection, or what the PROXY protocol says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ClientIpMatcher {
    /// Addresses and networks: `192.0.2.1`, `10.0.0.0/8`, `2001:db8::/32`; at least one.
    pub ranges: Vec<String>,
    /// Matches clients from anywhere else.
    pub invert_match: bool,
}

impl ClientIpMatcher {
    /// An address or a network as its first address and the length of its prefix in bits; `None`: it is neither.
    pub fn range(text: &str) -> Option<(IpAddr, u8)> {
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(most), |bits| bits.parse().ok())?;
        (bits <= most).then_some((address, bits))
    }
}

/// Matches HTTP CONNECT. It has no fields.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ConnectMatcher {}

/// A header to match; an empty value matches any value.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct HeaderMatcher {
    /// The header's name; Envoy's pseudo headers (`:method`) too.
    pub name: String,
    /// The value, or a regex where `regex` is set.
    pub value: String,
    /// The value is a regex (RE2) over the whole header value.
    pub regex: bool,
    /// Matches when the rest does not.
    pub invert_match: bool,
}

/// A query parameter to match; an empty value matches any value.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct QueryParameterMatcher {
    /// The parameter's name.
    pub name: String,
    /// The value, or a regex where `regex` is set.
    pub value: String,
    /// The value is a regex (RE2) over the whole parameter value.
    pub regex: bool,
}

/// Where requests go: exactly one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RouteAction {
    /// One upstream.
    pub single: Option<Destination>,
    /// Several upstreams by weight.
    pub multi: Option<MultiDestination>,
    /// An `UpstreamGroup`.
    pub upstream_group: Option<ResourceRef>,
    /// The upstream that this request header names, as `<name>_<namespace>`.
    pub cluster_header: Option<String>,
}

/// One upstream.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Destination {
    /// The upstream. Exactly one of `upstream` and `consul`.
    pub upstream: Option<ResourceRef>,
    /// A service in Consul's catalog, without an upstream of its own.
    pub consul: Option<Box<ConsulDestination>>,
    /// Only endpoints with these metadata values.
    pub subset: Option<Subset>,
}

/// Endpoints by metadata.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Subset {
    /// Keys and values that an endpoint must carry.
    pub values: BTreeMap<String, String>,
}

/// Several upstreams by weight.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct MultiDestination {
    /// The upstreams; at least one, and not all of weight 0.
    pub destinations: Vec<WeightedDestination>,
}

/// An upstream and its share.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct WeightedDestination {
    /// The upstream.
    pub destination: Destination,
    /// Its share of the sum of all weights.
    pub weight: Option<u32>,
    /// Options for requests that go to this destination.
    pub options: Option<WeightedDestinationOptions>,
}

/// Options for requests that go to one weighted destination.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct WeightedDestinationOptions {
    /// Headers to add and to remove.
    pub header_manipulation: Option<HeaderManipulation>,
}

/// Sends the client elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RedirectAction {
    /// The new host.
    pub host_redirect: Option<String>,
    /// The new path. One of the three path forms at most.
    pub path_redirect: Option<String>,
    /// Replaces the matched prefix.
    pub prefix_rewrite: Option<String>,
    /// Rewrites the path by a regex.
    pub regex_rewrite: Option<crate::options::RegexRewrite>,
    /// The status code; default `MOVED_PERMANENTLY`.
    pub response_code: Option<RedirectCode>,
    /// To https.
    pub https_redirect: Option<bool>,
    /// Drops the query.
    pub strip_query: Option<bool>,
    /// The new port.
    pub port_redirect: Option<u32>,
}

/// Status code of a redirect, by Envoy's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RedirectCode {
    /// 301
    #[default]
    #[serde(alias = "301")]
    MovedPermanently,
    /// 302
    #[serde(alias = "302")]
    Found,
    /// 303
    #[serde(alias = "303")]
    SeeOther,
    /// 307
    #[serde(alias = "307")]
    TemporaryRedirect,
    /// 308
    #[serde(alias = "308")]
    PermanentRedirect,
}

/// Answers at once.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct DirectResponseAction {
    /// The status code, 200 to 599.
    pub status: u32,
    /// The body.
    pub body: Option<String>,
}

/// Hands over to route tables: exactly one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct DelegateAction {
    /// One table.
    pub r#ref: Option<ResourceRef>,
    /// All tables that match.
    pub selector: Option<RouteTableSelector>,
    /// Gloo's old form of `ref`.
    pub name: Option<String>,
    /// Gloo's old form of `ref`.
    pub namespace: Option<String>,
}

/// Route tables by namespace and labels.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RouteTableSelector {
    /// Namespaces; none: that of the delegating object; `*`: all.
    pub namespaces: Vec<String>,
    /// Labels that a table must carry. Not together with `expressions`.
    pub labels: BTreeMap<String, String>,
    /// Conditions on labels.
    pub expressions: Vec<LabelExpression>,
}

/// A condition on labels.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct LabelExpression {
    /// The label.
    pub key: String,
    /// How it must relate to the values.
    pub operator: LabelOperator,
    /// The values.
    pub values: Vec<String>,
}

/// How a label must relate to values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
pub enum LabelOperator {
    /// Equals the one value.
    #[default]
    Equals,
    /// Equals the one value.
    DoubleEquals,
    /// Is there and differs from the one value, or is not there.
    NotEquals,
    /// Is one of the values.
    In,
    /// Is none of the values.
    NotIn,
    /// Is there.
    Exists,
    /// Is not there.
    DoesNotExist,
    /// Is a number above the one value.
    GreaterThan,
    /// Is a number below the one value.
    LessThan,
}

impl RouteTableSelector {
    /// Whether an object with `labels` matches the labels and the expressions (not the namespaces).
    pub fn matches_labels(&self, labels: &BTreeMap<String, String>) -> bool {
        self.labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.expressions.iter().all(|expression| expression.matches(labels))
    }
}

impl LabelExpression {
    /// Whether `labels` meet this condition.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let label = labels.get(&self.key);
        let first = self.values.first();
        let number = |text: Option<&String>| text.and_then(|text| text.parse::<i64>().ok());
        match self.operator {
            LabelOperator::Equals | LabelOperator::DoubleEquals => label.is_some() && label == first,
            LabelOperator::NotEquals => label != first,
            LabelOperator::In => label.is_some_and(|label| self.values.contains(label)),
            LabelOperator::NotIn => !label.is_some_and(|label| self.values.contains(label)),
            LabelOperator::Exists => label.is_some(),
            LabelOperator::DoesNotExist => label.is_none(),
            LabelOperator::GreaterThan => {
                matches!((number(label), number(first)), (Some(a), Some(b)) if a > b)
            }
            LabelOperator::LessThan => matches!((number(label), number(first)), (Some(a), Some(b)) if a < b),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Route;

    /// What a route is made of inline, each route has to carry, whether it is written or not.
    #[test]
    fn route_without_options_is_small() {
        assert!(size_of::<Route>() <= 384, "{} bytes", size_of::<Route>());
    }
}
