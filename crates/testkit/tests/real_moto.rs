//! The testkit's moto: what tests of AWS rely on.

use biplane_testkit::moto::{ACCOUNT, Moto, element};
use biplane_testkit::{Request, TempDir};
use serde_json::json;

#[tokio::test]
async fn users_roles_and_instances_can_be_made_and_strangers_are_refused_when_access_is_checked() {
    let directory = TempDir::new("moto");
    let moto = Moto::start(&directory).await;
    let allowed = json!({ "Effect": "Allow", "Action": "ec2:*", "Resource": "*" });
    let policy = json!({ "Version": "2012-10-17", "Statement": [allowed] });
    let user = moto.user("ann", &policy).await.expect("made");
    assert!(!user.secret_access_key.is_empty() && user.session_token.is_none());
    let session = moto.role_session("web").await.expect("made");
    assert!(session.session_token.is_some_and(|token| !token.is_empty()));
    let identity = [("Action", "GetCallerIdentity")];
    let answer = moto.call("sts", "2011-06-15", &identity).await.expect("an identity");
    assert_eq!(element(&answer, "Account").expect("an account"), ACCOUNT);
    let instances = [("Action", "DescribeInstances")];
    let none = moto.call("ec2", "2016-11-15", &instances).await.expect("a list");
    assert!(none.contains("<reservationSet/>"), "{none}");

    moto.check_access(true).await.expect("access is checked");
    let refused = moto.call("sts", "2011-06-15", &identity).await.expect_err("nobody knows that key");
    assert!(refused.to_string().contains("InvalidClientTokenId"), "{refused}");
    moto.check_access(false).await.expect("access is no longer checked");
    moto.call("sts", "2011-06-15", &identity).await.expect("an identity");
    let elsewhere = Request::get("localhost", "/moto-api/data.json").send_to(moto.address()).await;
    assert_eq!(elsewhere.expect("it listens there").status, 200);
}
