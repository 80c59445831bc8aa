//! What a URL says about a Vault, and what is refused in it.

use std::time::Duration;

use biplane_core::scalars::SecretString;

use super::*;

fn options(url: &str, variables: &[(&str, &str)]) -> Result<VaultOptions, SourceError> {
    VaultOptions::from_url(url, &|name| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    })
}

const HOME: [(&str, &str); 1] = [("HOME", "/home/me")];

#[test]
fn a_url_alone_takes_the_address_and_the_token_of_the_command_lines() {
    let local = options("vault:", &HOME).expect("good");
    assert_eq!(local.address.to_string(), "https://127.0.0.1:8200");
    assert_eq!(local.auth, Auth::TokenFile("/home/me/.vault-token".into()));
    let both =
        [("BAO_ADDR", "http://bao:8200"), ("VAULT_ADDR", "http://vault:8200"), ("VAULT_TOKEN", "s.x\n")];
    let set = options("vault:", &both).expect("good");
    assert_eq!(set.address.to_string(), "http://bao:8200");
    assert_eq!(set.auth, Auth::Token(SecretString::new("s.x")));
    assert_eq!((set.name.as_str(), &*set.kv_mount, set.required), ("vault", "secret", false));
}

#[test]
fn every_variable_is_honoured_and_that_of_openbao_first() {
    for prefix in ["VAULT", "BAO"] {
        let names =
            ["CACERT", "CAPATH", "CLIENT_CERT", "CLIENT_KEY", "TLS_SERVER_NAME", "NAMESPACE", "TOKEN"];
        let mut variables: Vec<(String, String)> =
            names.iter().map(|name| (format!("{prefix}_{name}"), name.to_lowercase())).collect();
        variables.push((format!("{prefix}_SKIP_VERIFY"), "true".to_owned()));
        variables.push((format!("{prefix}_CLIENT_TIMEOUT"), "7".to_owned()));
        variables.push((format!("{prefix}_ADDR"), "https://here".to_owned()));
        // What Vault's variables say does not count where OpenBao's are set.
        if prefix == "BAO" {
            variables.push(("VAULT_TOKEN".to_owned(), "another".to_owned()));
        }
        let read =
            |name: &str| variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let options = VaultOptions::from_url("vault:", &read).expect("good");
        let tls = Tls {
            ca_file: Some("cacert".into()),
            ca_path: Some("capath".into()),
            cert_file: Some("client_cert".into()),
            key_file: Some("client_key".into()),
            server_name: Some("tls_server_name".into()),
            verify: false,
        };
        let address = Address { tls: true, host: "here".into(), port: 443 };
        let auth = Auth::Token(SecretString::new("token"));
        let expected = VaultOptions {
            tls,
            namespace: Some("namespace".into()),
            timeout: Duration::from_secs(7),
            ..VaultOptions::new(address, auth)
        };
        assert_eq!(options, expected);
    }
}

#[test]
fn parameters_win_over_variables() {
    let url = "vaults://h:1?name=other&namespace=/team/&caFile=a%20b.pem&insecure=false&refresh=1m&timeout=3s\
        &maxRate=2&kvMount=/kv/&layout=gloo&required=true&tokenFile=t&tlsServerName=n";
    let variables = [
        ("BAO_TOKEN", "s.x"),
        ("BAO_NAMESPACE", "n"),
        ("BAO_SKIP_VERIFY", "1"),
        ("BAO_CLIENT_TIMEOUT", "9s"),
    ];
    let options = options(url, &variables).expect("good");
    assert_eq!(options.address.to_string(), "https://h:1");
    assert_eq!(options.auth, Auth::TokenFile("t".into()));
    assert_eq!((options.name.as_str(), options.namespace.as_deref()), ("other", Some("team")));
    assert_eq!((options.refresh, options.timeout), (Duration::from_mins(1), Duration::from_secs(3)));
    assert_eq!((options.max_rate.get(), &*options.kv_mount, options.required), (2, "kv", true));
    assert_eq!(options.gloo_root.as_deref(), Some("gloo"));
    assert!(options.tls.verify && options.tls.ca_file == Some("a b.pem".into()));
}

#[test]
fn every_method_has_its_parameters_and_its_own_mount() {
    let auth = |url: &str, variables: &[(&str, &str)]| options(url, variables).map(|options| options.auth);
    assert_eq!(
        auth("vault://h?auth=approle&roleId=r&secretIdFile=s", &[]),
        Ok(Auth::AppRole {
            mount: "approle".into(),
            role_id: RoleId::Text("r".into()),
            secret_id_file: Some("s".into())
        })
    );
    assert_eq!(
        auth("vault://h?auth=nomad", &[("NOMAD_SECRETS_DIR", "/secrets"), ("VAULT_ROLE", "r")]),
        Ok(Auth::Jwt {
            mount: "jwt-nomad".into(),
            role: Some("r".into()),
            file: "/secrets/nomad_vault_default.jwt".into()
        })
    );
    assert_eq!(
        auth("vault://h?auth=jwt&authMount=oidc&jwtFile=j", &[]),
        Ok(Auth::Jwt { mount: "oidc".into(), role: None, file: "j".into() })
    );
    assert_eq!(
        auth("vault://h?auth=userpass&username=u&passwordFile=p", &[]),
        Ok(Auth::Userpass { mount: "userpass".into(), username: "u".into(), password_file: "p".into() })
    );
    let aws = |role: Option<&str>, region, server_id: Option<&str>| {
        let (role, server_id) = (role.map(str::to_owned), server_id.map(str::to_owned));
        Ok(Auth::Aws { mount: "aws".into(), role, region, server_id })
    };
    let us = || StsRegion::Named("us-east-1".into());
    assert_eq!(auth("vault://h?auth=aws", &[("AWS_REGION", "eu-west-1")]), aws(None, us(), None));
    assert_eq!(
        auth("vault://h?auth=aws&role=r&region=eu-west-1&iamServerId=v.example.com", &[]),
        aws(Some("r"), StsRegion::Named("eu-west-1".into()), Some("v.example.com"))
    );
    assert_eq!(
        auth("vault://h?auth=aws&region=auto", &[("BAO_ROLE", "r")]),
        aws(Some("r"), StsRegion::Found, None)
    );
    assert_eq!(
        auth("vaults://h?auth=cert&role=r", &[]),
        Ok(Auth::Cert { mount: "cert".into(), role: Some("r".into()) })
    );
}

#[test]
fn what_is_wrong_is_named_with_what_to_do() {
    let hint = |url: &str| {
        let error = options(url, &HOME).expect_err(url);
        format!("{error} | {}", error.hint.as_deref().unwrap_or_default())
    };
    for (url, words) in [
        ("vault://h?tokenfile=x", "did you mean tokenFile?"),
        ("vault://h?kvmount=x", "did you mean kvMount?"),
        ("vault://h?zzz=1", "the parameters are"),
        ("vault://h/secret", "kvMount="),
        ("vault://h?auth=kerberos", "auth= is one of"),
        ("vault://h?auth=approle", "roleId or roleIdFile"),
        ("vault://h?auth=approle&roleId=r&username=u", "username does not go with auth=approle"),
        ("vault://h?auth=jwt", "jwtFile=FILE"),
        ("vault://h?auth=aws&region=Frankfurt", "named like eu-central-1"),
        ("vault://h?auth=aws&iamServerId=a%0Ab", "iam_server_id_header_value"),
        ("vault://h?auth=jwt&jwtFile=j&region=eu-west-1", "region does not go with auth=jwt"),
        ("vault://h?auth=token", "BAO_TOKEN"),
        ("vault://h?refresh=soon", "refresh"),
        ("vault://h?maxRate=0", "at least 1"),
        ("vault://h?glooRoot=g", "layout=gloo"),
        ("vault://h?namespace=a%20b", "namespace"),
        ("vault://h?name", "name has no value"),
        ("http://h", "neither vault: nor vaults:"),
        ("vaults:?name=%zz", "two digits"),
    ] {
        assert!(hint(url).contains(words), "{url}: {}", hint(url));
    }
    let plain = options("vaults:", &[("VAULT_ADDR", "http://h:8200")]).expect_err("no TLS there");
    assert!(plain.message.contains("wants TLS"), "{plain}");
}

#[test]
fn a_credential_in_a_url_is_refused_without_being_repeated() {
    for url in [
        "vault://hunter2@h",
        "vault://h?token=hunter2",
        "vault://h?secretId=hunter2",
        "vault://h?password=hunter2",
        "vault://h?jwt=hunter2",
        "vault://h?hvs.hunter2",
        "hunter2",
    ] {
        let error = options(url, &HOME).expect_err(url);
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        assert!(error.hint.is_some(), "{error:?}");
    }
    let options = options("vault:", &[("BAO_TOKEN", "hunter2")]).expect("good");
    assert!(!format!("{options:?}").contains("hunter2"));
}
