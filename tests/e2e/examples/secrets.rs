//! The examples whose secrets are in Vault: every command of their READMEs, in order.

use biplane_testkit::{Bao, TempDir};

use super::terminal::Terminal;

/// A server as the README starts it, and its commands so far.
async fn opened(example: &str) -> (Bao, Terminal) {
    let directory = TempDir::new(&format!("example-{example}"));
    let bao = Bao::builder().root_token("root").start(&directory).await;
    let mut readme = Terminal::open(example, ("127.0.0.1:8200", bao.address()), directory);
    readme.passes("bao server -dev");
    readme.passes("export BAO_ADDR");
    readme.export("BAO_ADDR", &bao.url());
    readme.export("BAO_TOKEN", "root");
    (bao, readme)
}

async fn all_start(readme: &mut Terminal) {
    readme.starts("python3 examples/upstream.py");
    readme.starts("biplane serve");
    readme.starts("biplane envoy bootstrap");
    readme.tls_runs().await;
}

#[tokio::test]
async fn vault_kv_readme_is_true() {
    let (_bao, mut readme) = opened("vault-kv").await;
    readme.runs("bao kv put", 0);
    readme.runs("bao policy write", 0);
    readme.runs("bao token create", 0);
    all_start(&mut readme).await;
    let answer = ["HTTP/2 200", &readme.upstream(0)].map(str::to_owned);
    let answer: Vec<_> = answer.iter().map(String::as_str).collect();
    readme.shows("curl", &answer).await;
    readme.shows("biplane get secrets", &["shop-certificate", "known", "vault", "shop.example.com"]).await;

    readme.runs("openssl req", 0);
    readme.runs("bao kv put", 0);
    readme.shows("curl", &answer).await;
    readme.runs("bao kv put", 0);
    readme.shows("biplane check", &["Secret default/shop-certificate", "no value privateKey"]).await;
    readme.shows("curl", &answer).await;
    readme.runs("bao operator seal", 0);
    readme.shows("biplane check", &["source vault: failed", "sealed"]).await;
    readme.shows("curl", &answer).await;
    readme.is_done();
}

#[tokio::test]
async fn vault_pki_readme_is_true() {
    let (_bao, mut readme) = opened("vault-pki").await;
    for command in [
        "bao secrets enable",
        "bao secrets tune",
        "bao write",
        "bao write",
        "bao policy write",
        "bao token create",
    ] {
        readme.runs(command, 0);
    }
    all_start(&mut readme).await;
    let upstream = readme.upstream(0);
    readme.shows("curl", &["HTTP/2 200", &upstream]).await;
    readme.shows("biplane get secrets", &["RENEWS", "CN=api.example.com", "CN=Example root"]).await;
    readme.runs("bao write", 0);
    readme.runs("bao write", 0);
    readme.runs("awk 1", 0);
    readme.shows("curl", &["HTTP/2 200", &upstream]).await;
    readme.is_done();
}
