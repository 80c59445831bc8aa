//! Gloo's own file layout: one object a file, in `<plural>/<namespace>/<name>.yaml`, metadata beside the
//! fields, the kind told by the folder alone.

use biplane_core::decode::decode;
use biplane_core::document::{IdentifyHint, identify};
use biplane_core::key::Kind;
use biplane_core::location::Location;

const FILES: [(&str, &str); 3] = [
    (
        "gateways/gloo-system/gateway-proxy.yaml",
        "bindAddress: '::'\nbindPort: 8080\nhttpGateway: {}\nmetadata:\n  name: gateway-proxy\n  namespace: gloo-system\nproxyNames:\n- gateway-proxy\nuseProxyProto: false\n",
    ),
    (
        "upstreams/gloo-system/petstore.yaml",
        "metadata:\n  name: petstore\n  namespace: gloo-system\nstatic:\n  hosts:\n  - addr: petstore\n    port: 8080\n",
    ),
    (
        "virtualservices/gloo-system/default.yaml",
        "metadata:\n  name: default\n  namespace: gloo-system\nstatus:\n  reported_by: gateway\n  state: Accepted\nvirtualHost:\n  domains:\n  - '*'\n  name: gloo-system.default\n  routes:\n  - matchers:\n    - prefix: /\n    routeAction:\n      single:\n        upstream:\n          name: petstore\n          namespace: gloo-system\n",
    ),
];

fn hint(path: &str) -> IdentifyHint {
    let mut parts = path.split('/');
    IdentifyHint {
        kind: parts.next().and_then(Kind::from_plural),
        namespace: parts.next().map(str::to_owned),
        name: parts.next().and_then(|file| file.strip_suffix(".yaml")).map(str::to_owned),
    }
}

#[test]
fn gloos_file_layout_is_read_as_it_is() {
    for (path, text) in FILES {
        let key = identify(text, &hint(path)).unwrap();
        let decoded = decode(text, &key, &Location::file(path, 1));
        assert!(decoded.object.is_some(), "{:#?}", decoded.reports);
    }
}
