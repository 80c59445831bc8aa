//! A process of its own that asks for credentials: where they are found depends on variables, and those of a test's
//! process are shared with other tests.

use std::path::Path;
use std::process::Command;

use biplane_aws::{Account, DEFAULT_REGION, Settings};
use biplane_testkit::TempDir;
use serde_json::{Value, json};

/// Names the file for the answer.
const ANSWER: &str = "BIPLANE_TEST_ANSWER";

/// Not a rule: the process that [`ask`] starts. It logs everything there is.
#[tokio::test]
async fn the_process_that_asks() {
    let Some(file) = std::env::var_os(ANSWER) else { return };
    tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::TRACE).init();
    let account = Account::load(Settings::default()).await;
    let answer = match account.credentials().await {
        Ok(found) => json!({
            "id": found.access_key_id(),
            "secret": found.secret_access_key(),
            "token": found.session_token(),
            "expires": found.expires().is_some(),
            "region": account.region(),
            "sts": account.sts_endpoint(),
            "login": account.caller_identity(DEFAULT_REGION, None).await.expect("signed"),
        }),
        Err(error) => json!({ "error": error.to_string() }),
    };
    std::fs::write(file, answer.to_string()).expect("the temporary directory is writable");
}

/// What a process with these variables, and no others of AWS's, finds; and all that it logs.
pub(crate) fn ask(directory: &TempDir, variables: &[(&str, &str)]) -> (Value, String) {
    let file = directory.join("answer.json");
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", "asking::the_process_that_asks", "--nocapture"]).env(ANSWER, &file);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    let home = directory.path();
    let output = command.env("HOME", home).envs(variables.iter().copied()).output().expect("it starts");
    let log = [output.stdout, output.stderr].map(|stream| String::from_utf8_lossy(&stream).into_owned());
    (read(&file, &log.concat()), log.concat())
}

fn read(file: &Path, log: &str) -> Value {
    let text = std::fs::read_to_string(file).unwrap_or_else(|_| panic!("no answer:\n{log}"));
    serde_json::from_str(&text).expect("JSON")
}
