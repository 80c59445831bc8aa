//! OCSP responses that are stapled to certificates, and further certificates for the same names.

use biplane_testkit::{Authority, ClientTls, Identity, Keys, Request};

use crate::harness::resources::{route_answering, secret, stapled_secret, tls_service};
use crate::harness::{Site, Tree, status};

const NAME: &str = "a.example.com";
/// The last second of an OCSP response that is valid, and of one that is not.
const VALID: &str = "20990101000000Z";
const EXPIRED: &str = "20210101000000Z";

fn service(ssl: &str) -> String {
    let ssl = format!("secretRef: {{ name: first }}\n{ssl}");
    tls_service("a", NAME, &ssl, &route_answering("/", "a"))
}

fn request(authority: &Authority) -> Request {
    Request::get(NAME, "/").tls(ClientTls::trusting(authority.certificate()))
}

/// A request of a client that can check RSA only.
fn by_rsa(authority: &Authority) -> Request {
    Request::get(NAME, "/").tls(ClientTls { keys: Keys::Rsa, ..ClientTls::trusting(authority.certificate()) })
}

async fn shown(site: &Site, request: &Request, identity: &Identity) -> bool {
    site.ask(request).await.certificate == Some(identity.der())
}

#[tokio::test]
async fn clients_get_the_first_certificate_that_they_can_check() {
    let authority = Authority::new("Ours");
    let ecdsa = authority.issue(&[NAME]);
    let [rsa, next] = [0, 1].map(|_| authority.issue_rsa(&[NAME]));
    let beside = service("additionalSecretRefs: [{ name: second }]");
    let objects = |rsa: &Identity| [secret("first", &ecdsa), secret("second", rsa), beside.clone()];
    let site = Tree::with_tls(&objects(&rsa)).site().await;
    assert!(shown(&site, &request(&authority), &ecdsa).await);
    assert!(shown(&site, &by_rsa(&authority), &rsa).await);
    let before = site.counts().await;
    site.replace(&objects(&next));
    site.until(&by_rsa(&authority), |answer| answer.certificate == Some(next.der())).await;
    assert!(shown(&site, &request(&authority), &ecdsa).await);
    assert_eq!(site.counts().await, before);
}

#[tokio::test]
async fn further_certificate_that_is_missing_costs_nobody_the_first() {
    let authority = Authority::new("Ours");
    let (ecdsa, rsa) = (authority.issue(&[NAME]), authority.issue_rsa(&[NAME]));
    let beside = service("additionalSecretRefs: [{ name: second }]");
    let site = Tree::with_tls(&[secret("first", &ecdsa), beside]).site().await;
    assert!(shown(&site, &request(&authority), &ecdsa).await);
    assert!(by_rsa(&authority).send(site.port).await.is_err());
    status::until_report(&site.biplane, "VirtualService gloo-system/a", "second does not exist").await;
    site.files.write("second.yaml", &secret("second", &rsa));
    site.until(&by_rsa(&authority), |answer| answer.certificate == Some(rsa.der())).await;
    assert!(shown(&site, &request(&authority), &ecdsa).await);
}

#[tokio::test]
async fn staple_goes_with_its_certificate_and_changes_by_sds() {
    let authority = Authority::new("Ours");
    let identity = authority.issue(&[NAME]);
    let staples = [VALID, "20980101000000Z"].map(|until| identity.staple(until));
    let objects = |staple: &[u8]| {
        [stapled_secret("first", &identity, staple), service("ocspStaplePolicy: MUST_STAPLE")]
    };
    let site = Tree::with_tls(&objects(&staples[0])).site().await;
    assert_eq!(site.ask(&request(&authority)).await.staple.as_ref(), Some(&staples[0]));
    let before = site.counts().await;
    site.replace(&objects(&staples[1]));
    site.until(&request(&authority), |answer| answer.staple.as_ref() == Some(&staples[1])).await;
    assert_eq!(site.counts().await, before);
}

#[tokio::test]
async fn staple_of_the_certificate_before_does_not_hold_up_a_new_one() {
    let authority = Authority::new("Ours");
    let [first, second] = [0, 1].map(|_| authority.issue(&[NAME]));
    let staple = first.staple(VALID);
    let site = Tree::with_tls(&[stapled_secret("first", &first, &staple), service("")]).site().await;
    assert_eq!(site.ask(&request(&authority)).await.staple.as_ref(), Some(&staple));
    site.replace(&[stapled_secret("first", &second, &staple), service("")]);
    let answer = site.until(&request(&authority), |answer| answer.certificate == Some(second.der())).await;
    assert_eq!(answer.staple, None);
    status::until_report(&site.biplane, "Secret gloo-system/first", "for another certificate").await;
}

#[tokio::test]
async fn expired_staple_fails_handshakes_only_where_the_policy_is_strict() {
    let authority = Authority::new("Ours");
    let identity = authority.issue(&[NAME]);
    let secret = stapled_secret("first", &identity, &identity.staple(EXPIRED));
    let site = Tree::with_tls(&[secret.clone(), service("")]).site().await;
    assert_eq!(site.ask(&request(&authority)).await.staple, None);
    for policy in ["STRICT_STAPLING", "MUST_STAPLE"] {
        let site =
            Tree::with_tls(&[secret.clone(), service(&format!("ocspStaplePolicy: {policy}"))]).site().await;
        assert!(request(&authority).send(site.port).await.is_err(), "{policy}");
    }
}

#[tokio::test]
async fn without_a_staple_that_must_be_there_nothing_is_served_and_others_are() {
    let authority = Authority::new("Ours");
    let identity = authority.issue(&[NAME, "b.example.com"]);
    let ssl = "secretRef: { name: first }\nsniDomains: [b.example.com]";
    let other = tls_service("b", "b.example.com", ssl, &route_answering("/", "b"));
    let strict = service("ocspStaplePolicy: MUST_STAPLE\nsniDomains: [a.example.com]");
    let site = Tree::with_tls(&[secret("first", &identity), strict, other]).site().await;
    assert!(request(&authority).send(site.port).await.is_err());
    status::until_report(&site.biplane, "VirtualService gloo-system/a", "no OCSP response to staple").await;
    let of_other = Request { host: "b.example.com".into(), ..request(&authority) };
    assert_eq!(site.ask(&of_other).await.text(), "b");
}
