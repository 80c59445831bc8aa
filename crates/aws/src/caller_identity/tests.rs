//! What is signed, and how it looks. The signatures were made with botocore, for the same requests.

use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::DEFAULT_REGION;

/// 2015-08-30T12:36:00Z
const THEN: u64 = 1_440_938_160;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn plain() -> CallerIdentity<'static> {
    CallerIdentity { region: DEFAULT_REGION, endpoint: None, server_id: None }
}

fn signed(identity: CallerIdentity<'_>, token: Option<&str>) -> Result<SignedCallerIdentity, Error> {
    let credentials = Credentials::new("AKIDEXAMPLE", SECRET, token);
    identity.sign(&credentials, UNIX_EPOCH + Duration::from_secs(THEN))
}

fn decoded(base64: &str) -> String {
    String::from_utf8(STANDARD.decode(base64).expect("base64")).expect("text")
}

fn authorization(region: &str, headers: &str, signature: &str) -> String {
    let scope = format!("AKIDEXAMPLE/20150830/{region}/sts/aws4_request");
    format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={headers}, Signature={signature}")
}

#[test]
fn the_login_of_a_vault_with_a_server_id_is_whole_and_signed_with_it() {
    let identity = CallerIdentity { server_id: Some("vault.example.com"), ..plain() };
    let signed = signed(identity, None).expect("signed");
    assert_eq!(signed.iam_http_request_method, "POST");
    assert_eq!(decoded(&signed.iam_request_url), "https://sts.amazonaws.com/");
    assert_eq!(decoded(&signed.iam_request_body), "Action=GetCallerIdentity&Version=2011-06-15");
    let authorization = authorization(
        "us-east-1",
        "content-length;content-type;host;x-amz-date;x-vault-aws-iam-server-id",
        "ce09df5789ee77754fa3b56c2c79d6e2a99fa8b01df29dc910c3abf6fb73eb98",
    );
    let headers = format!(
        r#"{{"Authorization":["{authorization}"],"Content-Length":["43"],"Content-Type":["application/x-www-form-urlencoded; charset=utf-8"],"Host":["sts.amazonaws.com"],"X-Amz-Date":["20150830T123600Z"],"X-Vault-AWS-IAM-Server-ID":["vault.example.com"]}}"#
    );
    assert_eq!(decoded(&signed.iam_request_headers), headers);
}

#[test]
fn another_region_is_asked_at_its_own_sts_and_a_token_goes_with_the_signature() {
    let identity = CallerIdentity { region: "eu-central-1", ..plain() };
    let signed = signed(identity, Some("t0k3n")).expect("signed");
    assert_eq!(decoded(&signed.iam_request_url), "https://sts.eu-central-1.amazonaws.com/");
    let headers = decoded(&signed.iam_request_headers);
    let authorization = authorization(
        "eu-central-1",
        "content-length;content-type;host;x-amz-date;x-amz-security-token",
        "09eaa537f632ec8d1b0abe85cbc02825095cf405e703a6c1be71e43e99f0e815",
    );
    assert!(headers.contains(&authorization), "{headers}");
    assert!(headers.contains(r#""X-Amz-Security-Token":["t0k3n"]"#), "{headers}");
    let signature = "09eaa537f632ec8d1b0abe85cbc02825095cf405e703a6c1be71e43e99f0e815";
    assert_eq!(signed.secrets, [signature, "t0k3n"]);
}

#[test]
fn an_endpoint_of_ones_own_keeps_its_port() {
    let identity = CallerIdentity { endpoint: Some("http://127.0.0.1:5000"), ..plain() };
    let signed = signed(identity, None).expect("signed");
    assert_eq!(decoded(&signed.iam_request_url), "http://127.0.0.1:5000/");
    let headers = decoded(&signed.iam_request_headers);
    let signature = "05b9755b69956030ea4d5df40cc5bda51802bacb532cef77ac5d4c9e7423b61e";
    assert!(headers.contains(signature) && headers.contains(r#""Host":["127.0.0.1:5000"]"#), "{headers}");
}

#[test]
fn hosts_are_those_of_the_region_and_of_the_partition() {
    let url = |region, endpoint| CallerIdentity { region, endpoint, server_id: None }.url().expect("a URL");
    assert_eq!(url("us-gov-west-1", None), "https://sts.us-gov-west-1.amazonaws.com/");
    assert_eq!(url("cn-north-1", None), "https://sts.cn-north-1.amazonaws.com.cn/");
    assert_eq!(url("eu-west-1", Some("https://sts.internal/")), "https://sts.internal/");
    assert_eq!(host_of("https://sts.internal:443/").expect("a host"), "sts.internal");
}

#[test]
fn what_cannot_be_signed_says_what_is_wrong_with_it() {
    let error = |identity| signed(identity, None).expect_err("refused");
    for region in ["", "eu-central-1.evil.example/", "EU"] {
        assert_eq!(error(CallerIdentity { region, ..plain() }), Error::Region(region.into()));
    }
    for endpoint in
        ["sts.amazonaws.com", "ftp://sts", "https://sts/path", "https://a@sts", "https://sts/?q=1"]
    {
        let error = error(CallerIdentity { endpoint: Some(endpoint), ..plain() });
        assert!(matches!(error, Error::Endpoint(_, "STS")), "{endpoint}: {error}");
    }
    let error = error(CallerIdentity { server_id: Some("two\nlines"), ..plain() });
    assert_eq!(error, Error::ServerId("two\nlines".into()));
}

#[test]
fn debug_shows_nothing_that_could_be_sent() {
    let signed = signed(plain(), Some("t0k3n")).expect("signed");
    assert_eq!(format!("{signed:?}"), "SignedCallerIdentity { .. }");
    let json = serde_json::to_value(&signed).expect("JSON");
    assert_eq!(json["iam_request_headers"], signed.iam_request_headers);
    assert_eq!(json.as_object().expect("an object").len(), 4, "what Vault expects, and nothing else");
}
