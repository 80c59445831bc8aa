//! Who has to show a certificate, and which services share a chain.

use biplane_core::key::ObjectKey;
use envoy_types::pb::envoy::config::core::v3::transport_socket::ConfigType;
use envoy_types::pb::envoy::config::listener::v3::{Filter, FilterChain};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext;
use prost::Message;
use serde_json::{Value, json};

use super::{Content, SslConfig, TlsService, chains};
use crate::route::testing::{Objects, parsed, reference, service_key};

/// The chains of a service with these TLS settings.
fn chains_of(ssl: &Value, objects: &Objects) -> Content {
    let ssl: SslConfig = parsed(ssl.clone());
    let service = service_key("vs");
    chains(&[TlsService { service: &service, ssl: &ssl }], &[Filter::default()], objects)
}

fn context(chain: &FilterChain) -> DownstreamTlsContext {
    let socket = chain.transport_socket.as_ref().expect("a chain of TLS");
    let Some(ConfigType::TypedConfig(config)) = &socket.config_type else { panic!("{socket:?}") };
    DownstreamTlsContext::decode(config.value.as_slice()).expect("an encoded context")
}

/// Whether clients have to show a certificate, and by which Envoy secrets the chain works.
fn demands(content: &Content) -> (bool, Vec<&str>) {
    let [chain] = content.filter_chains.as_slice() else { panic!("one service has one chain") };
    let required = context(chain).require_client_certificate.is_some_and(|required| required.value);
    (required, content.references.iter().map(|name| &*name.name).collect())
}

const BOTH: [&str; 2] = ["default/s/certificate", "default/s/validation"];

#[test]
fn secret_that_goes_missing_lets_nobody_in_without_a_certificate() {
    let ssl = json!({ "secretRef": reference("s") });
    let there = Objects::default().secret("s", &["certChain", "privateKey", "rootCa"]);
    assert_eq!(demands(&chains_of(&ssl, &there)), (true, BOTH.to_vec()));
    assert_eq!(demands(&chains_of(&ssl, &Objects::default())), (true, BOTH.to_vec()));
}

#[test]
fn secret_without_a_root_asks_clients_for_nothing() {
    let ssl = json!({ "secretRef": reference("s") });
    let there = Objects::default().secret("s", &["certChain", "privateKey"]);
    assert_eq!(demands(&chains_of(&ssl, &there)), (false, BOTH[..1].to_vec()));
}

#[test]
fn one_way_tls_asks_clients_for_nothing_also_while_the_secret_is_missing() {
    let ssl = json!({ "secretRef": reference("s"), "oneWayTls": true });
    let there = Objects::default().secret("s", &["certChain", "privateKey", "rootCa"]);
    assert_eq!(demands(&chains_of(&ssl, &there)), (false, BOTH[..1].to_vec()));
    assert_eq!(demands(&chains_of(&ssl, &Objects::default())), (false, BOTH[..1].to_vec()));
}

/// The services of these TLS settings, the oldest first.
fn services(all: &[Value]) -> Vec<(ObjectKey, SslConfig)> {
    let service = |(index, ssl): (usize, &Value)| (service_key(&format!("vs-{index}")), parsed(ssl.clone()));
    all.iter().enumerate().map(service).collect()
}

/// The server names of each chain.
fn server_names_of(all: &[(ObjectKey, SslConfig)]) -> Vec<Vec<String>> {
    server_names(all, &Objects::default())
}

fn server_names(all: &[(ObjectKey, SslConfig)], objects: &Objects) -> Vec<Vec<String>> {
    let inputs: Vec<_> = all.iter().map(|(service, ssl)| TlsService { service, ssl }).collect();
    let content = chains(&inputs, &[Filter::default()], objects);
    let names = |chain: FilterChain| chain.filter_chain_match.unwrap_or_default().server_names;
    content.filter_chains.into_iter().map(names).collect()
}

#[test]
fn services_whose_settings_differ_only_in_server_names_share_a_chain() {
    let of = |secret: &str, name: &str| json!({ "secretRef": reference(secret), "sniDomains": [name] });
    let all = services(&[of("a", "a1"), of("b", "b1"), of("a", "a2"), of("b", "b2"), of("a", "b1")]);
    assert_eq!(server_names_of(&all), [["a1", "a2"], ["b1", "b2"]]);
}

/// Compared each with each, they would be fifty million comparisons.
#[test]
fn every_one_of_many_settings_gets_its_chain_without_a_search() {
    let names = || (0..10_000).map(|index| format!("host-{index}"));
    let of = |name: String| json!({ "secretRef": reference(&name), "sniDomains": [name] });
    let all = services(&names().map(of).collect::<Vec<_>>());
    assert!(server_names_of(&all).into_iter().flatten().eq(names()));
}

#[test]
fn service_whose_secret_is_not_known_yet_has_no_chain_and_says_so() {
    for ssl in
        [json!({ "secretRef": reference("s") }), json!({ "secretRef": reference("s"), "oneWayTls": true })]
    {
        let content = chains_of(&ssl, &Objects::default().unknown_secret("s"));
        assert!(content.filter_chains.is_empty() && content.references.is_empty());
        let lacks: Vec<_> = content.lacks.iter().map(|name| &*name.name).collect();
        assert_eq!(lacks, ["default/s/certificate", "default/s/validation"]);
        let [report] = content.reports.as_slice() else { panic!("{:?}", content.reports) };
        assert_eq!(
            report.to_string(),
            "warning: VirtualService default/vs: sslConfig.secretRef: secret default/s is not known yet: nothing is \
             served by TLS until it is (hint: it comes as soon as its source answers)"
        );
    }
}

#[test]
fn names_of_a_service_whose_secret_is_not_known_yet_go_to_nobody_else() {
    let of = |secret: &str, name: &str| json!({ "secretRef": reference(secret), "sniDomains": [name] });
    let all = services(&[of("unknown", "a"), of("known", "a"), of("known", "b")]);
    let objects = Objects::default().unknown_secret("unknown").secret("known", &["certChain", "privateKey"]);
    assert_eq!(server_names(&all, &objects), [["b"]]);
}
