//! Secrets in key-value engines: one place, read once or watched.
//!
//! What "not found" means is told apart here, because solo-kit's mistake, to take any trouble for an absence, emptied
//! gateways: an engine that is there and has nothing at the path is an absence, everything else a failure.

mod fields;
mod read;
mod watch;

use biplane_core::key::ResourceRef;
use biplane_core::resources::secret::VaultKv;
use biplane_source::SourceError;

use crate::mounts::KvVersion;
use crate::options::VaultOptions;
pub(crate) use read::{Reading, read};
pub(crate) use watch::follow;

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) mount: String,
    pub(crate) path: String,
    /// What was said about the engine, if anything.
    pub(crate) version: Option<KvVersion>,
    /// Whether text is given as JSON too: a whole object, and not values.
    pub(crate) is_object: bool,
}

impl Place {
    /// The place that a reference names.
    pub(crate) fn of(kv: &VaultKv, options: &VaultOptions) -> Result<Self, SourceError> {
        let version = match kv.version {
            None => None,
            Some(1) => Some(KvVersion::One),
            Some(2) => Some(KvVersion::Two),
            Some(other) => {
                return Err(SourceError::invalid(format!(
                    "there is no version {other} of key-value engines"
                ))
                .hint("version: 1 or 2, or none to have Vault asked"));
            }
        };
        let mount = kv.mount.as_deref().unwrap_or(&options.kv_mount).trim_matches('/').to_owned();
        let path = kv.path.trim_matches('/').to_owned();
        if mount.is_empty() || path.is_empty() {
            return Err(SourceError::invalid(
                "a place in a key-value engine has a mount and a path below it",
            )
            .hint("kv: { mount: secret, path: team/web }"));
        }
        Ok(Self { mount, path, version, is_object: false })
    }

    /// Where Gloo puts an object of its own.
    pub(crate) fn of_object(name: &ResourceRef, options: &VaultOptions) -> Result<Self, SourceError> {
        let Some(root) = &options.gloo_root else {
            return Err(SourceError::invalid(format!(
                "the source {} holds no objects of Gloo",
                options.name
            ))
            .hint("layout=gloo in its URL, and glooRoot= if it is not \"gloo\""));
        };
        let path = format!("{root}/gloo.solo.io/v1/Secret/{}/{}", name.namespace, name.name);
        Ok(Self { mount: options.kv_mount.clone(), path, version: None, is_object: true })
    }

    /// As people write it.
    pub(crate) fn shown(&self) -> String {
        format!("{}/{}", self.mount, self.path)
    }
}
