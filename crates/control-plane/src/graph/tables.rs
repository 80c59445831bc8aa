//! The graph's inputs: one keyed table a kind, holding decoded objects.
//!
//! Invariant: a table holds an object exactly while the last [`Edit`] for its key was a put.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use biplane_core::age::Age;
use biplane_core::key::{Kind, ObjectKey, ResourceRef};
use biplane_core::resources::secret::{
    ApiKeySecret, AwsSecret, AzureSecret, CredentialsSecret, EncryptionSecret, External, GenericSecret,
    HeaderSecret, OauthSecret, SecretForm, TlsSecret,
};
use biplane_core::resources::{
    Endpoint, Gateway, Metadata, Object, RouteOption, RouteTable, Secret, Settings, Spec, Upstream,
    UpstreamGroup, VirtualHostOption, VirtualService,
};
use biplane_core::scalars::SecretString;

/// One change of an input.
#[derive(Clone, Debug)]
pub enum Edit {
    /// The object is there, new or changed. The number is the store's create revision, where it has one.
    Put(Box<Object>, Option<u64>),
    /// The object is gone.
    Delete(ObjectKey),
    /// These endpoints were found for an upstream that has them looked up. They go with the upstream.
    Endpoints(ObjectKey, Arc<[Endpoint]>),
}

impl Edit {
    /// The object that this is about.
    pub const fn key(&self) -> &ObjectKey {
        match self {
            Self::Put(object, _) => &object.key,
            Self::Delete(key) | Self::Endpoints(key, _) => key,
        }
    }
}

/// An object in a table.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry<T> {
    pub(crate) spec: Arc<T>,
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) age: Age,
}

/// All tables. Ordered maps where a translation lists a range, hash maps where it only looks up.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) gateways: BTreeMap<ResourceRef, Entry<Gateway>>,
    pub(crate) services: HashMap<ResourceRef, Entry<VirtualService>>,
    /// Route tables.
    pub(crate) delegated: BTreeMap<ResourceRef, Entry<RouteTable>>,
    pub(crate) upstreams: HashMap<ResourceRef, Entry<Upstream>>,
    /// Endpoints of upstreams that have them looked up.
    pub(crate) endpoints: HashMap<ResourceRef, Arc<[Endpoint]>>,
    pub(crate) groups: HashMap<ResourceRef, Entry<UpstreamGroup>>,
    pub(crate) route_options: HashMap<ResourceRef, Entry<RouteOption>>,
    pub(crate) host_options: HashMap<ResourceRef, Entry<VirtualHostOption>>,
    pub(crate) secrets: HashMap<ResourceRef, Entry<Secret>>,
    pub(crate) settings: BTreeMap<ResourceRef, Entry<Settings>>,
    /// Secrets whose values are kept elsewhere are given some, and endpoints that are looked up are taken to be known.
    pub(crate) assume: bool,
}

/// What an edit did to a table, as far as dependents care.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Effect {
    /// The object was there and is gone, or the other way round.
    pub(crate) existence: bool,
    /// Its fields, labels or age differ.
    pub(crate) content: bool,
    /// A secret: which parts it has differs.
    pub(crate) parts: bool,
    /// The labels before and after, for selectors.
    pub(crate) labels: [Option<Arc<Metadata>>; 2],
}

impl Tables {
    /// Tables in which secrets whose values are kept elsewhere have assumed ones.
    pub(crate) fn assuming_secrets() -> Self {
        Self { assume: true, ..Self::default() }
    }

    /// Carries out one edit.
    pub(crate) fn apply(&mut self, edit: &Edit) -> Effect {
        let name = edit.key().reference();
        match edit {
            Edit::Delete(key) => self.delete(key.kind, &name),
            Edit::Put(object, revision) => self.put(name, object, *revision),
            Edit::Endpoints(_, endpoints) => self.found(name, endpoints),
        }
    }

    fn put(&mut self, name: ResourceRef, object: &Object, revision: Option<u64>) -> Effect {
        let metadata = object.metadata.clone();
        let age = Age::new(metadata.creation_timestamp, revision, object.key.clone());
        let age = age.made(metadata.is_made());
        match &object.spec {
            Spec::Gateway(spec) => put(|entry| self.gateways.insert(name, entry), spec, metadata, age),
            Spec::VirtualService(spec) => put(|entry| self.services.insert(name, entry), spec, metadata, age),
            Spec::RouteTable(spec) => put(|entry| self.delegated.insert(name, entry), spec, metadata, age),
            Spec::Upstream(spec) => {
                if spec.discovery().is_none() {
                    self.endpoints.remove(&name);
                }
                put(|entry| self.upstreams.insert(name, entry), spec, metadata, age)
            }
            Spec::UpstreamGroup(spec) => put(|entry| self.groups.insert(name, entry), spec, metadata, age),
            Spec::RouteOption(spec) => {
                put(|entry| self.route_options.insert(name, entry), spec, metadata, age)
            }
            Spec::VirtualHostOption(spec) => {
                put(|entry| self.host_options.insert(name, entry), spec, metadata, age)
            }
            Spec::Secret(spec) => {
                let assumed = self.assume.then(|| assumed(spec)).flatten();
                let spec = assumed.as_ref().unwrap_or(spec);
                let parts = self.secrets.get(&name).is_none_or(|before| parts(&before.spec) != parts(spec));
                Effect { parts, ..put(|entry| self.secrets.insert(name, entry), spec, metadata, age) }
            }
            Spec::Settings(spec) => put(|entry| self.settings.insert(name, entry), spec, metadata, age),
        }
    }

    fn found(&mut self, name: ResourceRef, endpoints: &Arc<[Endpoint]>) -> Effect {
        let before = self.endpoints.insert(name, endpoints.clone());
        Effect { content: before.as_ref() != Some(endpoints), ..Effect::default() }
    }

    fn delete(&mut self, kind: Kind, name: &ResourceRef) -> Effect {
        match kind {
            Kind::Gateway => gone(self.gateways.remove(name)),
            Kind::VirtualService => gone(self.services.remove(name)),
            Kind::RouteTable => gone(self.delegated.remove(name)),
            Kind::Upstream => {
                self.endpoints.remove(name);
                gone(self.upstreams.remove(name))
            }
            Kind::UpstreamGroup => gone(self.groups.remove(name)),
            Kind::RouteOption => gone(self.route_options.remove(name)),
            Kind::VirtualHostOption => gone(self.host_options.remove(name)),
            Kind::Secret => gone(self.secrets.remove(name)),
            Kind::Settings => gone(self.settings.remove(name)),
        }
    }

    /// How many objects there are of each kind.
    pub(crate) fn counts(&self) -> BTreeMap<Kind, usize> {
        BTreeMap::from([
            (Kind::Gateway, self.gateways.len()),
            (Kind::VirtualService, self.services.len()),
            (Kind::RouteTable, self.delegated.len()),
            (Kind::Upstream, self.upstreams.len()),
            (Kind::UpstreamGroup, self.groups.len()),
            (Kind::RouteOption, self.route_options.len()),
            (Kind::VirtualHostOption, self.host_options.len()),
            (Kind::Secret, self.secrets.len()),
            (Kind::Settings, self.settings.len()),
        ])
    }
}

/// Puts an object into its table, of whichever kind of map.
fn put<T: PartialEq>(
    insert: impl FnOnce(Entry<T>) -> Option<Entry<T>>,
    spec: &Arc<T>,
    metadata: Arc<Metadata>,
    age: Age,
) -> Effect {
    let entry = Entry { spec: spec.clone(), metadata, age };
    changed(insert(entry.clone()), &entry)
}

fn changed<T: PartialEq>(before: Option<Entry<T>>, after: &Entry<T>) -> Effect {
    let content = before.as_ref() != Some(after);
    Effect {
        existence: before.is_none(),
        parts: false,
        content,
        labels: [before.map(|e| e.metadata), Some(after.metadata.clone())],
    }
}

/// Which parts of a secret there are. What they say is nobody's business but the secret's own.
#[derive(PartialEq)]
struct Parts<'a> {
    /// Whether it has each of the forms; none: it is not known.
    forms: [bool; 9],
    /// Of a certificate: its chain, key, roots and staple.
    tls: [bool; 4],
    names: Vec<&'a str>,
}

fn parts(secret: &Secret) -> Parts<'_> {
    let some = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let tls = secret.tls.as_ref().map_or([false; 4], |tls| {
        let private = tls.private_key.as_ref().is_some_and(|key| !key.is_empty());
        [some(&tls.cert_chain), private, some(&tls.root_ca), some(&tls.ocsp_staple)]
    });
    let header = secret.header.iter().flat_map(|header| header.headers.keys());
    let users = secret.credentials.iter().flat_map(|credentials| credentials.users.keys());
    let keys = secret.api_key.iter().flat_map(|api_key| api_key.keys.keys());
    let values = secret.generic.iter().flat_map(|generic| generic.values.keys());
    let names = header.chain(users).chain(keys).chain(values).map(String::as_str).collect();
    let forms = [
        secret.tls.is_some(),
        secret.header.is_some(),
        secret.credentials.is_some(),
        secret.api_key.is_some(),
        secret.aws.is_some(),
        secret.azure.is_some(),
        secret.oauth.is_some(),
        secret.encryption.is_some(),
        secret.generic.is_some(),
    ];
    Parts { forms, tls, names }
}

/// The secret with values, if they are kept elsewhere: of a certificate there are a chain and a key.
fn assumed(secret: &Secret) -> Option<Arc<Secret>> {
    let form = match secret.external()? {
        External::Vault(vault) if vault.aws.is_some() => SecretForm::Aws,
        External::Vault(vault) => vault.form.unwrap_or_default(),
        External::File(file) => file.form.unwrap_or_default(),
    };
    let text = || "kept elsewhere".to_owned();
    let value = || Some(SecretString::new(text()));
    let mut assumed = secret.clone();
    match form {
        SecretForm::Tls | SecretForm::Gloo => {
            let (cert_chain, private_key) = (Some(text()), value());
            let root_ca = secret.vault.as_ref().is_some_and(|vault| vault.pki.is_some()).then(text);
            assumed.tls = Some(TlsSecret { cert_chain, private_key, root_ca, ocsp_staple: None });
        }
        SecretForm::Header => {
            let headers = [("x-kept-elsewhere".to_owned(), SecretString::new(text()))].into();
            assumed.header = Some(HeaderSecret { headers });
        }
        SecretForm::Credentials => {
            let credentials = CredentialsSecret {
                username: Some("user".to_owned()),
                password: value(),
                ..Default::default()
            };
            assumed.credentials = Some(credentials);
        }
        SecretForm::ApiKey => {
            assumed.api_key = Some(ApiKeySecret { api_key: value(), ..ApiKeySecret::default() });
        }
        SecretForm::Aws => assumed.aws = Some(AwsSecret::default()),
        SecretForm::Azure => assumed.azure = Some(AzureSecret::default()),
        SecretForm::Oauth => assumed.oauth = Some(OauthSecret { client_secret: value() }),
        SecretForm::Encryption => assumed.encryption = Some(EncryptionSecret { key: value() }),
        SecretForm::Generic => assumed.generic = Some(GenericSecret::default()),
    }
    Some(Arc::new(assumed))
}

fn gone<T>(before: Option<Entry<T>>) -> Effect {
    let there = before.is_some();
    Effect { existence: there, parts: there, content: there, labels: [before.map(|e| e.metadata), None] }
}

/// Not derived: that would ask for `T: Clone`, and the fields are shared.
impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Self { spec: self.spec.clone(), metadata: self.metadata.clone(), age: self.age.clone() }
    }
}
