//! Gloo's own keys in Consul: `<group>/<version>/<Kind>/<namespace>/<name>` below its root key, which is `gloo`
//! by default. The value is the object with its metadata beside its fields, and without a kind: only the key
//! says what it is.

use biplane_core::key::{Kind, ObjectKey};
use biplane_core::location::Location;

use super::{named, parts};
use crate::object::{Fault, FaultKind};

/// What Gloo computes and keeps beside what its users wrote: read by Gloo only.
const OUTPUT: [&str; 1] = ["gloo.solo.io/v1/Proxy"];

/// The part of a key below the root.
pub(super) fn format(key: &ObjectKey) -> String {
    format!("{}/{}", format_folder(key.kind, &key.namespace), key.name)
}

/// The same without the name.
pub(super) fn format_folder(kind: Kind, namespace: &str) -> String {
    format!("{}/{kind}/{namespace}", kind.api_version())
}

/// The object that the part of a key below the root names; `None`: Gloo's own output.
pub(super) fn parse(text: &str) -> Result<Option<ObjectKey>, String> {
    let [group, version, kind, namespace, name] = parts(text)
        .ok_or_else(|| format!("key {text:?} is not <group>/<version>/<Kind>/<namespace>/<name>"))?;
    let resource = format!("{group}/{version}/{kind}");
    if OUTPUT.contains(&resource.as_str()) {
        return Ok(None);
    }
    let kind: Kind = kind.parse().map_err(|unknown| format!("key {text:?}: {unknown}"))?;
    let expected = format!("{}/{kind}", kind.api_version());
    if resource != expected {
        return Err(format!("key {text:?}: {resource} is not read, only {expected} is"));
    }
    named(text, kind, namespace, name).map(Some)
}

/// The fault of a key that names no object that Biplane reads.
pub(super) fn misplaced(location: Location, message: String) -> Fault {
    Fault::new(FaultKind::Unidentified, location, message)
        .hint("`biplane import gloo` reports everything that is not taken over, and why")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_as_glooctl_writes_them() {
        let key = ObjectKey::new(Kind::VirtualService, "gloo-system", "default");
        assert_eq!(format(&key), "gateway.solo.io/v1/VirtualService/gloo-system/default");
        let key = ObjectKey::new(Kind::Upstream, "gloo-system", "petstore");
        assert_eq!(format(&key), "gloo.solo.io/v1/Upstream/gloo-system/petstore");
    }

    #[test]
    fn what_gloo_computes_is_neither_object_nor_mistake() {
        assert_eq!(parse("gloo.solo.io/v1/Proxy/gloo-system/gateway-proxy"), Ok(None));
    }

    #[test]
    fn what_is_not_read_is_named() {
        for (text, named) in [
            ("gateway.solo.io.v2/v2/Gateway/gloo-system/gateway-proxy", "gateway.solo.io.v2/v2/Gateway"),
            ("gateway.solo.io/v1/Upstream/gloo-system/a", "gloo.solo.io/v1/Upstream"),
            ("enterprise.gloo.solo.io/v1/AuthConfig/gloo-system/a", "AuthConfig"),
            ("gloo.solo.io/v1/Upstream/a", "<group>/<version>/<Kind>/<namespace>/<name>"),
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.contains(named), "{message}");
        }
    }
}
