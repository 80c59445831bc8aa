//! What the real Envoy says to the resources of a case.

use std::sync::LazyLock;

use biplane_testkit::{Authority, Identity};
use biplane_translator::EnvoyResource;
use biplane_translator::json::static_bootstrap;
use serde_json::{Value, json};

static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| Authority::new("goldens"));
static IDENTITY: LazyLock<Identity> = LazyLock::new(|| AUTHORITY.issue(&["localhost"]));

/// Why Envoy would refuse `resources`; `None`: it takes them.
pub(crate) fn refuses(resources: &[EnvoyResource]) -> Option<String> {
    let mut bootstrap = static_bootstrap(resources).expect("the translator writes what it can read");
    put_key_material_in(&mut bootstrap);
    biplane_testkit::envoy::validate(&bootstrap.to_string()).err().map(|why| why.to_string())
}

/// Cases have placeholders and files that do not exist where certificates belong: no keys in the repository.
fn put_key_material_in(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(put_key_material_in),
        Value::Object(fields) => {
            for (name, pem) in [
                ("certificate_chain", IDENTITY.certificate.as_str()),
                ("private_key", IDENTITY.key.as_str()),
                ("trusted_ca", AUTHORITY.certificate()),
            ] {
                if let Some(source) = fields.get_mut(name) {
                    *source = json!({ "inline_string": pem });
                }
            }
            // Envoy parses it, and a real one would have to be signed for the certificate.
            fields.remove("ocsp_staple");
            fields.values_mut().for_each(put_key_material_in);
        }
        _ => {}
    }
}
