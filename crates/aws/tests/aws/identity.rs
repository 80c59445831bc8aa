//! A signed question, sent by somebody else as Vault sends it: does STS say who asked?

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use biplane_aws::{CallerIdentity, Credentials, DEFAULT_REGION, SignedCallerIdentity};
use biplane_testkit::moto::{ACCOUNT, AwsKeys, element};
use biplane_testkit::{Moto, Request, Response, TempDir};
use serde_json::{Value, json};

/// What Vault does: the URL's path at its own STS, with the headers, the host among them, and the body.
async fn replay(moto: &Moto, signed: &SignedCallerIdentity, change: impl FnOnce(&mut Value)) -> Response {
    let decoded = |text: &str| String::from_utf8(STANDARD.decode(text).expect("base64")).expect("text");
    assert_eq!(decoded(&signed.iam_request_url), format!("{}/", moto.url()));
    let mut headers: Value = serde_json::from_str(&decoded(&signed.iam_request_headers)).expect("JSON");
    change(&mut headers);
    let host = headers["Host"][0].as_str().expect("a host").to_owned();
    let mut request = Request::post(&host, "/", decoded(&signed.iam_request_body));
    for (name, values) in headers.as_object().expect("an object").iter().filter(|(name, _)| *name != "Host") {
        request = request.header(name, values[0].as_str().expect("a value"));
    }
    request.send_to(moto.address()).await.expect("an answer")
}

fn sign(moto: &Moto, keys: &AwsKeys) -> SignedCallerIdentity {
    let credentials =
        Credentials::new(&keys.access_key_id, &keys.secret_access_key, keys.session_token.as_deref());
    let (url, server_id) = (moto.url(), Some("vault.example.com"));
    let identity = CallerIdentity { region: DEFAULT_REGION, endpoint: Some(&url), server_id };
    identity.sign(&credentials, SystemTime::now()).expect("signed")
}

#[tokio::test]
async fn sts_says_who_signed_and_refuses_what_was_signed_or_changed_by_somebody_else() {
    let directory = TempDir::new("aws");
    let moto = Moto::start(&directory).await;
    // Who one is may be asked by everybody.
    let nothing = json!({ "Effect": "Deny", "Action": "*", "Resource": "*" });
    let policy = json!({ "Version": "2012-10-17", "Statement": [nothing] });
    let user = moto.user("ann", &policy).await.expect("made");
    let role = moto.role_session("web").await.expect("made");
    moto.check_access(true).await.expect("access is checked");

    let answer = replay(&moto, &sign(&moto, &user), |_| ()).await;
    let arn = element(&answer.text(), "Arn").expect("an identity");
    assert_eq!(arn, format!("arn:aws:iam::{ACCOUNT}:user/ann"));
    let answer = replay(&moto, &sign(&moto, &role), |_| ()).await;
    let arn = element(&answer.text(), "Arn").expect("an identity");
    assert_eq!(arn, format!("arn:aws:sts::{ACCOUNT}:assumed-role/web/session"));

    let at_another_vault = |headers: &mut Value| {
        headers["X-Vault-AWS-IAM-Server-ID"] = json!(["another.example.com"]);
    };
    let answer = replay(&moto, &sign(&moto, &user), at_another_vault).await;
    assert_refused(&answer, "SignatureDoesNotMatch");
    let wrong = AwsKeys { secret_access_key: "wrong".into(), ..user.clone() };
    assert_refused(&replay(&moto, &sign(&moto, &wrong), |_| ()).await, "SignatureDoesNotMatch");
    let unknown = AwsKeys { access_key_id: "AKIDUNKNOWN".into(), ..user };
    assert_refused(&replay(&moto, &sign(&moto, &unknown), |_| ()).await, "InvalidClientTokenId");
}

fn assert_refused(answer: &Response, code: &str) {
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert_eq!(element(&answer.text(), "Code").expect("a code"), code);
}
