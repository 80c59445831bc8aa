//! The list of all settings: one line each gives the name in the file, the variable, and the default.

use super::Layer;

/// One setting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// Its name in `biplane.yaml`.
    pub(super) name: &'static str,
    /// Its environment variable.
    pub(super) variable: &'static str,
    /// Its value when nobody sets it.
    pub(super) default: Option<&'static str>,
    /// Whether it may have several values: a list in the file, words apart elsewhere.
    pub(super) many: bool,
    /// Whether the file may have a map for it. It is kept as JSON.
    pub(super) tree: bool,
}

/// All settings.
pub(super) const KEYS: &[Key] = &[
    key("store", "BIPLANE_STORE", Some("file:///etc/biplane/resources")),
    Key { many: true, ..key("secrets", "BIPLANE_SECRETS", None) },
    Key { many: true, ..key("discovery", "BIPLANE_DISCOVERY", None) },
    Key { many: true, tree: true, ..key("tags", "BIPLANE_TAGS", None) },
    Key { many: true, ..key("discoverUpstreams", "BIPLANE_DISCOVER_UPSTREAMS", None) },
    key("xds", "BIPLANE_XDS", Some("127.0.0.1:9977")),
    key("xdsTlsCert", "BIPLANE_XDS_TLS_CERT", None),
    key("xdsTlsKey", "BIPLANE_XDS_TLS_KEY", None),
    key("xdsTlsClientCa", "BIPLANE_XDS_TLS_CLIENT_CA", None),
    Key { tree: true, ..key("xdsTlsSecret", "BIPLANE_XDS_TLS_SECRET", None) },
    Key { tree: true, ..key("identity", "BIPLANE_IDENTITY", None) },
    key("xdsTrustNodeMetadata", "BIPLANE_XDS_TRUST_NODE_METADATA", Some("off")),
    key("xdsPlaintext", "BIPLANE_XDS_PLAINTEXT", Some("off")),
    key("xdsMaxConnections", "BIPLANE_XDS_MAX_CONNECTIONS", Some("25000")),
    key("xdsMaxStreams", "BIPLANE_XDS_MAX_STREAMS", Some("20000")),
    key("xdsMaxStreamsPerIdentity", "BIPLANE_XDS_MAX_STREAMS_PER_IDENTITY", Some("10000")),
    key("admin", "BIPLANE_ADMIN", Some("127.0.0.1:9978")),
    key("stateDir", "BIPLANE_STATE_DIR", None),
    key("snapshotKeyFile", "BIPLANE_SNAPSHOT_KEY_FILE", None),
    key("readyFile", "BIPLANE_READY_FILE", None),
    key("holdDeletions", "BIPLANE_HOLD_DELETIONS", Some("30s")),
    key("drain", "BIPLANE_DRAIN", Some("5s")),
    key("resync", "BIPLANE_RESYNC", Some("5m")),
    key("guard", "BIPLANE_GUARD", Some("on")),
    key("guardPercent", "BIPLANE_GUARD_PERCENT", Some("30")),
    key("guardMin", "BIPLANE_GUARD_MIN", Some("5")),
    key("leader", "BIPLANE_LEADER", Some("on")),
    key("adminSocket", "BIPLANE_ADMIN_SOCKET", None),
    key("adminTokensFile", "BIPLANE_ADMIN_TOKENS_FILE", None),
    key("adminTlsCert", "BIPLANE_ADMIN_TLS_CERT", None),
    key("adminTlsKey", "BIPLANE_ADMIN_TLS_KEY", None),
    key("adminTlsClientCa", "BIPLANE_ADMIN_TLS_CLIENT_CA", None),
    key("adminAnonymousWrite", "BIPLANE_ADMIN_ANONYMOUS_WRITE", Some("off")),
    key("adminWritableDirectory", "BIPLANE_ADMIN_WRITABLE_DIRECTORY", None),
    key("api", "BIPLANE_API", None),
    key("apiTokenFile", "BIPLANE_API_TOKEN_FILE", None),
    key("apiCaFile", "BIPLANE_API_CA_FILE", None),
    key("apiCertFile", "BIPLANE_API_CERT_FILE", None),
    key("apiKeyFile", "BIPLANE_API_KEY_FILE", None),
    key("log", "BIPLANE_LOG", Some("info")),
    key("logFormat", "BIPLANE_LOG_FORMAT", Some("human")),
];

const fn key(name: &'static str, variable: &'static str, default: Option<&'static str>) -> Key {
    Key { name, variable, default, many: false, tree: false }
}

/// The layer below all others.
pub(super) fn defaults() -> Layer {
    let mut layer = Layer::new("defaults");
    for key in KEYS {
        if let Some(default) = key.default {
            layer.set(key.name, default, "default");
        }
    }
    layer
}

/// The candidate that was probably meant: at most one slip for a short name, two for a long one.
pub(super) fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let fold = |text: &str| text.replace(['_', '-'], "").to_lowercase();
    let written = fold(written);
    let most = (written.len() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&written, &fold(candidate)), candidate))
        .filter(|(slips, _)| *slips <= most)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_forgives_a_slip_and_another_spelling() {
        let names = || KEYS.iter().map(|key| key.name);
        assert_eq!(nearest("state_dir", names()), Some("stateDir"));
        assert_eq!(nearest("stor", names()), Some("store"));
        assert_eq!(nearest("listeners", names()), None);
    }
}
