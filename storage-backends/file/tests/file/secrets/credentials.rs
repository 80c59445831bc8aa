//! The directory that systemd gives a service: flat, each credential a file, read as a whole or one by one.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use biplane_source::{SecretRequest, SecretSource as _};
use biplane_store_file::{FileSecretOptions, FileSecrets};

use super::harness::{Secrets, owned, values};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_are_read_as_one_secret_or_each_as_one() {
    let secrets = Secrets::new();
    secrets.write(&[("web-cert", "certificate"), ("web-key", "key"), ("api-token", "hunter2")]);
    fs::set_permissions(&secrets.root, fs::Permissions::from_mode(0o500)).expect("chmod");
    let directory = secrets.root.to_str().expect("text").to_owned();
    let environment = move |name: &str| (name == "CREDENTIALS_DIRECTORY").then(|| directory.clone());
    let options = FileSecretOptions::from_url("credentials:", &environment).expect("the variable is set");
    let source = FileSecrets::open(options);
    let read = async |path: &str| {
        let request = SecretRequest::Path(path.to_owned());
        values(&source.read(&request).await.expect("it can be read").expect("it is there"))
    };
    assert_eq!(source.name(), "credentials");
    let all = owned(&[("web-cert", "certificate"), ("web-key", "key"), ("api-token", "hunter2")]);
    assert_eq!(read("").await, all);
    assert_eq!(read("api-token").await, owned(&[("api-token", "hunter2")]));
    fs::set_permissions(&secrets.root, fs::Permissions::from_mode(0o700)).expect("chmod");
}
