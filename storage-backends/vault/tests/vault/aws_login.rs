//! The login of AWS. What Vault gets from us is taken by STS: by moto's, which a fake of Vault's method asks.
//!
//! Where credentials are found hangs on variables, and a process has them once for all of its tests: each test here
//! runs itself again in a process of its own, where the files of AWS's tools are in a directory of its own.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use biplane_core::resources::secret::VaultAws;
use biplane_source::{Cause, Phase, SecretRequest, SecretSource as _, SourceError};
use biplane_store_vault::{Auth, StsRegion, VaultSecrets};
use biplane_testkit::moto::{ACCOUNT, AwsKeys};
use biplane_testkit::{Moto, TempDir, throughout};
use serde_json::json;

use crate::aws_method::{Caller, Method};
use crate::fake::{Engine, Fake};
use crate::harness::{assert_silent, connect, failed, options, replace, state, told, value};

/// Names the directory with the files of AWS's tools.
const FILES: &str = "BIPLANE_TEST_AWS_FILES";

const SERVER_ID: &str = "vault.example.com";

/// The variables of a process that finds credentials in the files of a directory, and nowhere else.
pub(crate) fn in_files_only(command: &mut Command, directory: &TempDir) {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env(FILES, directory.path());
    command.env("AWS_CONFIG_FILE", directory.join("config"));
    command.env("AWS_SHARED_CREDENTIALS_FILE", directory.join("credentials"));
    command.env("AWS_EC2_METADATA_DISABLED", "true");
}

/// Runs a test of this file again, in such a process.
fn run_alone(test: &str) {
    let directory = TempDir::new("aws-files");
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", &format!("aws_login::{test}"), "--nocapture"]);
    in_files_only(&mut command, &directory);
    let output = command.output().expect("it starts");
    let said = [output.stdout, output.stderr].map(|stream| String::from_utf8_lossy(&stream).into_owned());
    let said = said.concat();
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{test} ended with {}:\n{said}",
        output.status
    );
}

/// AWS as such a process sees it: an STS that checks signatures, and somebody who has an access key.
pub(crate) struct Aws {
    files: PathBuf,
    moto: Moto,
    pub(crate) user: AwsKeys,
    /// Those of a role, for some time.
    pub(crate) sessions: [AwsKeys; 2],
}

impl Aws {
    /// `None` where tests run together.
    pub(crate) async fn start(directory: &TempDir) -> Option<Self> {
        let files = PathBuf::from(std::env::var_os(FILES)?);
        let moto = Moto::start(directory).await;
        // Who one is may be asked by everybody.
        let nothing = json!({ "Effect": "Deny", "Action": "*", "Resource": "*" });
        let policy = json!({ "Version": "2012-10-17", "Statement": [nothing] });
        let user = moto.user("ann", &policy).await.expect("made");
        let session = async |role| moto.role_session(role).await.expect("made");
        let sessions = [session("web").await, session("app").await];
        moto.check_access(true).await.expect("access is checked");
        let aws = Self { files, moto, user, sessions };
        aws.configure("");
        Some(aws)
    }

    /// The profile, beside the endpoint.
    fn configure(&self, lines: &str) {
        replace(
            &self.files.join("config"),
            &format!("[default]\nendpoint_url = {}\n{lines}", self.moto.url()),
        );
    }

    /// From now on these are the credentials.
    pub(crate) fn give(&self, keys: &AwsKeys) {
        let (id, secret) = (&keys.access_key_id, &keys.secret_access_key);
        let token = keys.session_token.as_ref().map(|token| format!("aws_session_token = {token}\n"));
        let file = format!(
            "[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n{}",
            token.unwrap_or_default()
        );
        replace(&self.files.join("credentials"), &file);
    }

    /// From now on there are none.
    fn take_away(&self) {
        fs::remove_file(self.files.join("credentials")).expect("they were there");
    }

    /// A method with a role `biplane` for everybody.
    pub(crate) fn method(&self) -> Method {
        let mut method = Method::new(self.moto.address());
        method.server_id = Some(SERVER_ID.to_owned());
        for who in [USER, SESSION, "assumed-role/app/session"] {
            method.bind("biplane", &arn(who));
        }
        method
    }
}

const USER: &str = "user/ann";
const SESSION: &str = "assumed-role/web/session";

/// Who somebody is to AWS.
fn arn(who: &str) -> String {
    let service = if who.starts_with("user/") { "iam" } else { "sts" };
    format!("arn:aws:{service}::{ACCOUNT}:{who}")
}

pub(crate) fn auth() -> Auth {
    Auth::Aws {
        mount: "aws".into(),
        role: Some("biplane".into()),
        region: StsRegion::Named("us-east-1".into()),
        server_id: Some(SERVER_ID.into()),
    }
}

/// What the engine of the fake has for who is logged in.
pub(crate) fn request() -> SecretRequest {
    SecretRequest::Aws(VaultAws { role: "biplane".into(), ..VaultAws::default() })
}

/// A question that only who is logged in has answered.
async fn ask(source: &VaultSecrets) {
    assert_eq!(value(&source.read(&request()).await, "secretKey"), "secret-canary");
}

fn arns(callers: &[Caller]) -> Vec<&str> {
    callers.iter().map(|caller| caller.arn.as_str()).collect()
}

#[tokio::test]
async fn sts_takes_what_a_login_hands_to_vault() {
    let directory = TempDir::new("aws-login");
    let Some(aws) = Aws::start(&directory).await else {
        return run_alone("sts_takes_what_a_login_hands_to_vault");
    };
    aws.give(&aws.user);
    let fake = Fake::with_method(Engine::default(), aws.method()).await;
    let source = connect(options(fake.address(), auth()));
    ask(&source).await;
    let callers = fake.callers();
    assert_eq!(arns(&callers), [arn(USER)]);
    assert_eq!(callers[0].role, "biplane");
    assert!(callers[0].scope.ends_with("/us-east-1/sts/aws4_request"), "{callers:?}");
    assert_eq!(source.state().borrow().details["auth"], "aws at auth/aws");
}

#[tokio::test]
async fn each_login_takes_the_credentials_that_there_are_then() {
    let directory = TempDir::new("aws-login");
    let Some(aws) = Aws::start(&directory).await else {
        return run_alone("each_login_takes_the_credentials_that_there_are_then");
    };
    let [first, second] = &aws.sessions;
    aws.give(&aws.user);
    let fake = Fake::with_method(Engine::default(), aws.method()).await;
    let source = connect(options(fake.address(), auth()));
    ask(&source).await;
    // The token is refused with 403, and replaced within the question.
    aws.give(first);
    fake.revoke();
    ask(&source).await;
    // A session that has ended is no good, until there is another one.
    fake.change_method(|method| method.ended = Some(first.access_key_id.clone()));
    fake.revoke();
    let error = source.read(&request()).await.expect_err("nobody can log in");
    assert!(error.message.contains("ExpiredToken"), "{error:?}");
    aws.give(second);
    state(&source, "another login", |_| source.counters().logins == 3).await;
    ask(&source).await;
    assert_eq!(arns(&fake.callers()), [arn(USER), arn(SESSION), arn("assumed-role/app/session")]);
}

#[tokio::test]
async fn tokens_of_aws_are_replaced_before_they_end() {
    let directory = TempDir::new("aws-login");
    let Some(aws) = Aws::start(&directory).await else {
        return run_alone("tokens_of_aws_are_replaced_before_they_end");
    };
    aws.give(&aws.sessions[0]);
    let fake = Fake::with_method(Engine { token: 2, ..Engine::default() }, aws.method()).await;
    let source = connect(options(fake.address(), auth()));
    throughout("being logged in", Duration::from_secs(6), async || {
        ask(&source).await;
        Ok(())
    })
    .await;
    let counters = source.counters();
    assert!(counters.logins >= 3 && counters.login_failures == 0, "{counters:?}");
}

#[tokio::test]
async fn credentials_and_regions_that_come_late_are_waited_for_and_named() {
    let directory = TempDir::new("aws-login");
    let Some(aws) = Aws::start(&directory).await else {
        return run_alone("credentials_and_regions_that_come_late_are_waited_for_and_named");
    };
    let fake = Fake::with_method(Engine::default(), aws.method()).await;
    let Auth::Aws { mount, role, server_id, .. } = auth() else { unreachable!("it is that of AWS") };
    let source =
        connect(options(fake.address(), Auth::Aws { mount, role, region: StsRegion::Found, server_id }));
    let error = failed(&source).await;
    assert_eq!(error.cause, Cause::Invalid);
    assert_eq!(
        told(&error),
        "cannot log in by AWS: no AWS region was found in variables, profiles or the instance | set AWS_REGION"
    );
    aws.configure("region = eu-west-1\n");
    let is_told = |words: &'static str| move |error: &SourceError| told(error).contains(words);
    let error = eventually_told(&source, is_told("no AWS credentials")).await;
    assert!(told(&error).contains("| set AWS_ACCESS_KEY_ID"), "{error:?}");
    aws.give(&aws.user);
    state(&source, "a login", |state| state.phase == Phase::Complete).await;
    let callers = fake.callers();
    assert!(callers[0].scope.ends_with("/eu-west-1/sts/aws4_request"), "{callers:?}");
    // Without credentials a token goes on until it ends.
    aws.take_away();
    ask(&source).await;
}

async fn eventually_told(source: &VaultSecrets, is_it: impl Fn(&SourceError) -> bool) -> SourceError {
    let state = state(source, "that error", |state| state.last_error.as_ref().is_some_and(&is_it)).await;
    state.last_error.expect("it was looked at")
}

/// A change of what is logged in with, and one of the method; what Vault says then, and what is to be tried.
type Case = (fn(&mut Wanted), fn(&mut Method), &'static str, &'static str);

/// What a refused login was made with.
struct Wanted {
    mount: &'static str,
    role: Option<&'static str>,
    server_id: Option<&'static str>,
    secret: Option<&'static str>,
}

const CASES: [Case; 8] = [
    (
        |wanted| wanted.role = Some("nobody"),
        |_| (),
        "entry for role nobody not found",
        "`vault list auth/aws/roles`",
    ),
    (|wanted| wanted.role = None, |_| (), "entry for role ann not found", "role=NAME; without it"),
    (
        |_| (),
        |method| method.roles.values_mut().for_each(Vec::clear),
        "does not belong",
        "bound_iam_principal_arn",
    ),
    (
        |wanted| wanted.server_id = None,
        |_| (),
        "missing header",
        "iamServerId= is what auth/aws/config/client has",
    ),
    (|wanted| wanted.server_id = Some("another"), |_| (), "expected", "iam_server_id_header_value"),
    (
        |wanted| wanted.secret = Some("wrong-canary"),
        |_| (),
        "code 403 from STS",
        "`aws sts get-caller-identity`",
    ),
    (|_| (), |method| method.repeats = true, "it answered 400", "region= is what auth/aws/config/client has"),
    (|wanted| wanted.mount = "elsewhere", |_| (), "permission denied", "authMount= if another is"),
];

#[tokio::test]
async fn refused_logins_say_what_to_change_and_repeat_nothing_secret() {
    let directory = TempDir::new("aws-login");
    let Some(aws) = Aws::start(&directory).await else {
        return run_alone("refused_logins_say_what_to_change_and_repeat_nothing_secret");
    };
    for (change, change_method, says, hint) in CASES {
        let mut wanted =
            Wanted { mount: "aws", role: Some("biplane"), server_id: Some(SERVER_ID), secret: None };
        change(&mut wanted);
        let keys = if wanted.role.is_some() { &aws.sessions[0] } else { &aws.user };
        let secret = wanted.secret.map_or_else(|| keys.secret_access_key.clone(), str::to_owned);
        aws.give(&AwsKeys { secret_access_key: secret.clone(), ..keys.clone() });
        let mut method = aws.method();
        change_method(&mut method);
        let fake = Fake::with_method(Engine::default(), method).await;
        let auth = Auth::Aws {
            mount: wanted.mount.into(),
            role: wanted.role.map(str::to_owned),
            region: StsRegion::Named("us-east-1".into()),
            server_id: wanted.server_id.map(str::to_owned),
        };
        let error = failed(&connect(options(fake.address(), auth))).await;
        assert!(error.message.contains(says), "{says}: {error:?}");
        assert!(error.hint.as_ref().is_some_and(|text| text.contains(hint)), "{hint}: {error:?}");
        let proofs = [secret.as_str(), "AWS4-HMAC-SHA256"].into_iter().chain(keys.session_token.as_deref());
        for proof in proofs {
            assert_silent(&error, proof);
        }
    }
}
