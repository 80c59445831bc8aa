//! Which values make which secret.

use biplane_core::resources::secret::{OnDelete, VaultKv};
use biplane_source::SecretRequest;
use zeroize::Zeroizing;

use super::*;

fn place(form: SecretForm, fields: &[(&str, &str)]) -> Place {
    Place {
        source: "vault".into(),
        request: SecretRequest::Kv(VaultKv::default()),
        form,
        fields: fields.iter().map(|(ours, theirs)| ((*ours).to_owned(), (*theirs).to_owned())).collect(),
        on_delete: OnDelete::Keep,
        refresh: None,
    }
}

fn composed(place: &Place, values: &[(&str, &str)]) -> Result<Secret, Unfit> {
    let value =
        |(name, value): &(&str, &str)| ((*name).to_owned(), Zeroizing::new(value.as_bytes().to_vec()));
    let secret = source::Secret::new(values.iter().map(value).collect());
    compose(&ResourceRef::new("default", "s"), place, &secret)
}

#[test]
fn usual_names_of_a_certificate_are_found() {
    for (chain, key) in
        [("certChain", "privateKey"), ("tls.crt", "tls.key"), ("fullchain.pem", "privkey.pem")]
    {
        let tls =
            composed(&place(SecretForm::Tls, &[]), &[(chain, "c"), (key, "k"), ("note", "x")]).unwrap().tls;
        let tls = tls.unwrap();
        assert_eq!((tls.cert_chain.as_deref(), tls.private_key.unwrap().expose()), (Some("c"), "k"));
    }
}

#[test]
fn names_of_ones_own_count_and_are_missed_by_name() {
    let place = place(SecretForm::Tls, &[("certChain", "web.pem"), ("privateKey", "web.key")]);
    let tls =
        composed(&place, &[("web.pem", "c"), ("web.key", "k"), ("tls.crt", "other")]).unwrap().tls.unwrap();
    assert_eq!(tls.cert_chain.as_deref(), Some("c"));
    let unfit = composed(&place, &[("web.pem", "c"), ("tls.key", "canary")]).unwrap_err();
    assert_eq!(unfit, "there is no value web.key; there is tls.key, web.pem");
}

#[test]
fn half_a_pair_is_no_secret() {
    let place = place(SecretForm::Tls, &[]);
    assert!(composed(&place, &[("tls.crt", "c")]).unwrap_err().contains("no value privateKey"));
    assert!(composed(&place, &[("tls.key", "k")]).unwrap_err().contains("no value certChain"));
    assert!(composed(&place, &[]).unwrap_err().contains("there is nothing"));
    assert!(composed(&place, &[("ca.crt", "r")]).unwrap().tls.unwrap().root_ca.is_some());
}

#[test]
fn staple_is_base64_whether_it_is_kept_so_or_not() {
    let staple = |value: &str| {
        let values = [("tls.crt", "c"), ("tls.key", "k"), ("ocsp", value)];
        composed(&place(SecretForm::Tls, &[]), &values).unwrap().tls.unwrap().ocsp_staple.unwrap()
    };
    assert_eq!((staple("MAMKAQA="), staple("0\u{3}*")), ("MAMKAQA=".to_owned(), STANDARD.encode("0\u{3}*")));
}

#[test]
fn other_forms_take_their_values() {
    let header = composed(&place(SecretForm::Header, &[]), &[("x-a", "1"), ("x-b", "2")]).unwrap().header;
    assert_eq!(header.unwrap().headers.keys().collect::<Vec<_>>(), ["x-a", "x-b"]);
    let header =
        composed(&place(SecretForm::Header, &[("x-a", "token")]), &[("token", "1"), ("b", "2")]).unwrap();
    assert_eq!(header.header.unwrap().headers["x-a"].expose(), "1");
    let users = [("username", "u"), ("password", "p"), ("other", "q")];
    let credentials = composed(&place(SecretForm::Credentials, &[]), &users).unwrap().credentials.unwrap();
    assert_eq!((credentials.username.as_deref(), credentials.users.len()), (Some("u"), 1));
    let aws = [("access_key", "a"), ("secret_key", "s"), ("security_token", "t")];
    let aws = composed(&place(SecretForm::Aws, &[]), &aws).unwrap().aws.unwrap();
    assert_eq!((aws.access_key.as_deref(), aws.session_token.unwrap().expose()), (Some("a"), "t"));
    let oauth = composed(&place(SecretForm::Oauth, &[]), &[("client_secret", "c")]).unwrap().oauth.unwrap();
    assert_eq!(oauth.client_secret.unwrap().expose(), "c");
    let generic = composed(&place(SecretForm::Generic, &[]), &[("hmac", "h")]).unwrap().generic.unwrap();
    assert_eq!(generic.values["hmac"].expose(), "h");
}

#[test]
fn values_beside_those_that_are_named_let_nobody_in() {
    let values = [("edge", "k"), ("shop", "q"), ("note", "x")];
    let fields = [("apiKey", "edge"), ("store", "shop")];
    let api_key = composed(&place(SecretForm::ApiKey, &fields), &values).unwrap().api_key.unwrap();
    assert_eq!(api_key.api_key.unwrap().expose(), "k");
    assert_eq!(api_key.keys.keys().collect::<Vec<_>>(), ["store"]);
    let fields = [("username", "edge"), ("password", "shop")];
    let credentials = composed(&place(SecretForm::Credentials, &fields), &values).unwrap().credentials;
    assert!(credentials.unwrap().users.is_empty());
    let unfit = composed(&place(SecretForm::ApiKey, &[("store", "gone")]), &values).unwrap_err();
    assert!(unfit.contains("no value gone"), "{unfit}");
}

#[test]
fn object_that_gloo_stored_is_read_as_a_whole() {
    let place = place(SecretForm::Gloo, &[]);
    let metadata = r#"{"name":"s","namespace":"default"}"#;
    let header = r#"{"headers":{"x-token":"canary"}}"#;
    let secret = composed(&place, &[("metadata", metadata), ("header", header)]).unwrap();
    assert_eq!(secret.header.unwrap().headers["x-token"].expose(), "canary");
    let unfit = composed(&place, &[("metadata", metadata), ("header", r#"{"heders":{"a":"canary"}}"#)]);
    let unfit = unfit.unwrap_err();
    assert!(unfit.contains("heders") && !unfit.contains("canary"), "{unfit}");
}

#[test]
fn key_that_stands_in_the_chain_is_left_out_of_it() {
    let block = |label: &str| format!("-----BEGIN {label}-----\nQUJD\n-----END {label}-----\n");
    let text = format!("{}{}", block("CERTIFICATE"), block("PRIVATE KEY"));
    let tls = composed(&place(SecretForm::Tls, &[]), &[("tls.crt", &text), ("tls.key", &text)]).unwrap().tls;
    assert_eq!(tls.unwrap().cert_chain, Some(block("CERTIFICATE")));
}
