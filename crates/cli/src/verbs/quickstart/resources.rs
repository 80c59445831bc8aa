//! The demo's resources: those of `examples/quickstart`, with this run's ports in place of theirs.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::exit::Failure;

/// What the demo asks for.
pub(super) const PATH: &str = "/hello";

/// The files of the example; the tests of the examples run the same ones.
const FILES: [(&str, &str); 3] = [
    ("gateway.yaml", include_str!("../../../../../examples/quickstart/resources/gateway.yaml")),
    ("upstream.yaml", include_str!("../../../../../examples/quickstart/resources/upstream.yaml")),
    (
        "virtual-service.yaml",
        include_str!("../../../../../examples/quickstart/resources/virtual-service.yaml"),
    ),
];

/// The ports in the example's files.
const GATEWAY: &str = "bindPort: 8080";
const UPSTREAM: &str = "port: 8081";

/// Writes the resources below `directory` and says where.
pub(super) fn write(directory: &Path, gateway: u16, upstream: SocketAddr) -> Result<PathBuf, Failure> {
    let folder = directory.join("resources");
    fs::create_dir(&folder).map_err(|error| fail(&folder, &error))?;
    for (name, text) in FILES {
        let path = folder.join(name);
        fs::write(&path, with_ports(text, gateway, upstream.port())).map_err(|error| fail(&path, &error))?;
    }
    Ok(folder)
}

fn with_ports(text: &str, gateway: u16, upstream: u16) -> String {
    text.replace(GATEWAY, &format!("bindPort: {gateway}")).replace(UPSTREAM, &format!("port: {upstream}"))
}

fn fail(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ports_of_the_example_are_replaced() {
        let all: String = FILES.iter().map(|(_, text)| with_ports(text, 1111, 2222)).collect();
        assert_eq!(all.matches("bindPort: 1111").count(), 1);
        assert_eq!(all.matches(" port: 2222").count(), 1);
        assert!(!all.contains("8080") && !all.contains("8081"), "{all}");
    }
}
