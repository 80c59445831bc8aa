//! What is wanted, what is served, and what is said about it.

use std::time::Duration;

use biplane_core::location::Location;
use biplane_source::SourceError;
use biplane_store::{Revision, StoredObject};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use zeroize::Zeroizing;

use super::*;
use crate::ingest::examine;

mod counts;
mod restarts;
mod times;

const NAME: &str = "web";

fn name() -> ResourceRef {
    ResourceRef::new("default", NAME)
}

fn sources() -> Vec<SourceFacts> {
    let source =
        |name: &str, kind, has_objects| SourceFacts { name: name.into(), kind, required: false, has_objects };
    vec![source("vault", "vault", false), source("gloo", "vault", true), source("files", "files", false)]
}

fn put(yaml: &str) -> Edit {
    let object = StoredObject {
        key: name().key(Kind::Secret),
        value: format!("kind: Secret\nmetadata: {{name: {NAME}, namespace: default}}\n{yaml}").into(),
        location: Location::file("a.yaml", 1),
        revision: Revision::default(),
        created: None,
    };
    let decoded = examine(&object);
    Edit::Put(Box::new(decoded.object.unwrap_or_else(|| panic!("{:?}", decoded.reports))), None)
}

const IN_VAULT: &str = "vault: {source: vault, kv: {path: teams/web}}\n";

/// A certificate of the year that begins so, as a source gives it.
fn pair(year: i32) -> source::Secret {
    let mut params = CertificateParams::new(["a.example".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(year, 1, 1), date_time_ymd(year + 90, 1, 1));
    let key = KeyPair::generate().unwrap();
    let chain = params.self_signed(&key).unwrap().pem();
    values(&[("tls.crt", &chain), ("tls.key", &key.serialize_pem())])
}

fn values(values: &[(&str, &str)]) -> source::Secret {
    let value =
        |(name, value): &(&str, &str)| ((*name).to_owned(), Zeroizing::new(value.as_bytes().to_vec()));
    source::Secret::new(values.iter().map(value).collect())
}

/// Secrets of which one is named, with the graph's part played by what was put there last.
struct World {
    secrets: Secrets,
    served: Option<Secret>,
    is_named: bool,
    now: Instant,
    wall: SystemTime,
}

impl World {
    fn new(left: Vec<KeptSecret>) -> Self {
        let secrets = Secrets::new(sources(), left);
        Self { secrets, served: None, is_named: false, now: Instant::now(), wall: SystemTime::now() }
    }

    fn of(yaml: &str) -> Self {
        let mut world = Self::new(Vec::new());
        world.edit(put(yaml));
        world.name(true);
        world
    }

    fn edit(&mut self, edit: Edit) {
        let is_named = self.is_named;
        let edit = self.secrets.resolve(edit, |_| is_named, self.now, self.wall);
        self.carry_out(Some(edit));
    }

    fn name(&mut self, is_named: bool) {
        self.is_named = is_named;
        let edit = self.secrets.named(&name(), is_named, self.now);
        self.carry_out(edit);
    }

    fn tell(&mut self, listing: Listing<Option<source::Secret>>) {
        let asked = self.secrets.wanted().get(&name()).expect("it is wanted").0.clone();
        let told = Told { name: name(), asked, listing };
        let edit = self.secrets.told(told, self.now, self.wall);
        self.carry_out(edit);
    }

    fn time(&mut self, confirmed: bool) {
        for edit in self.secrets.on_time(self.now, self.wall, |_| confirmed) {
            self.carry_out(Some(edit));
        }
    }

    fn carry_out(&mut self, edit: Option<Edit>) {
        match edit {
            None => {}
            Some(Edit::Delete(_) | Edit::Endpoints(..)) => self.served = None,
            Some(Edit::Put(object, _)) => match object.spec {
                Spec::Secret(secret) => self.served = Some((*secret).clone()),
                other => panic!("{other:?}"),
            },
        }
    }

    /// The same secrets in a process that starts with what this one has left on disk, and this object.
    fn restarted(&self, yaml: &str) -> Self {
        let read = |kept: &KeptSecret| KeptSecret::from_text(kept.name.clone(), &kept.to_text());
        let left = self.secrets.kept().iter().map(read).collect::<Option<_>>();
        let mut next = Self::new(left.expect("it reads back"));
        next.edit(put(yaml));
        next.name(true);
        next
    }

    /// Lets time pass until something is due; whatever is to be confirmed is.
    fn until_due(&mut self) {
        self.now = self.secrets.deadline(self.now).expect("something will be due");
        self.time(true);
    }

    /// Whether the graph has a secret with values.
    fn is_served(&self) -> bool {
        self.served.as_ref().is_some_and(Secret::is_known)
    }

    fn chain(&self) -> Option<String> {
        self.served.as_ref()?.tls.as_ref()?.cert_chain.clone()
    }

    /// How many roots are served.
    fn roots(&self) -> usize {
        let roots = self.served.as_ref().and_then(|secret| secret.tls.as_ref()?.root_ca.as_deref());
        roots.map_or(0, |roots| certificate::certificates(roots).unwrap().len())
    }

    fn said(&self) -> Vec<String> {
        self.secrets.reports(self.wall).iter().map(ToString::to_string).collect()
    }
}

/// The same values, written into the object.
fn inline(secret: &source::Secret) -> String {
    let field = |(name, ours): (&str, &str)| {
        let value = secret.fields.get(name)?;
        Some(format!("{ours}: {:?}", std::str::from_utf8(value).unwrap()))
    };
    let fields = [("tls.crt", "certChain"), ("tls.key", "privateKey"), ("ca.crt", "rootCa")];
    format!("tls: {{{}}}\n", fields.into_iter().filter_map(field).collect::<Vec<_>>().join(", "))
}

fn chain_of(secret: &source::Secret) -> String {
    String::from_utf8(secret.fields["tls.crt"].to_vec()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn only_what_is_named_is_asked_for() {
    let mut world = World::new(Vec::new());
    world.edit(put(IN_VAULT));
    assert!(world.secrets.wanted().is_empty() && !world.is_served());
    world.name(true);
    assert_eq!(world.secrets.wanted().len(), 1);
    assert_eq!(world.secrets.awaited().len(), 1);
    world.name(false);
    assert!(world.secrets.wanted().is_empty());
}

#[tokio::test(start_paused = true)]
async fn object_that_comes_after_what_names_it_is_asked_for_at_once() {
    let mut world = World::new(Vec::new());
    world.secrets = Secrets::new(sources().drain(..1).collect(), Vec::new());
    world.name(true);
    assert!(world.secrets.wanted().is_empty(), "no source holds objects");
    world.edit(put(IN_VAULT));
    assert_eq!(world.secrets.wanted().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn values_are_served_beside_the_reference_that_they_came_by() {
    let mut world = World::of(IN_VAULT);
    let pair = pair(2000);
    world.tell(Listing::Complete(Some(pair.clone())));
    assert_eq!(world.chain(), Some(chain_of(&pair)));
    assert!(world.served.as_ref().unwrap().vault.is_some());
    assert!(world.secrets.awaited().is_empty());
}

#[tokio::test(start_paused = true)]
async fn failure_takes_nothing_away_and_is_said() {
    let mut world = World::of(IN_VAULT);
    world.tell(Listing::Complete(Some(pair(2000))));
    world.tell(Listing::Failed(SourceError::new("it is sealed").hint("unseal it")));
    assert!(world.is_served());
    let said = world.said();
    assert!(said[0].contains("it is sealed; what was known before stays in use"), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn absent_after_it_was_served_stays_unless_the_object_says_otherwise() {
    let mut world = World::of(IN_VAULT);
    world.tell(Listing::Complete(Some(pair(2000))));
    world.tell(Listing::Complete(None));
    assert!(
        world.is_served() && world.said()[0].contains("is not there; what was known"),
        "{:?}",
        world.said()
    );

    let mut world = World::of("vault: {source: vault, kv: {path: teams/web}, onDelete: remove}\n");
    world.tell(Listing::Complete(Some(pair(2000))));
    world.tell(Listing::Complete(None));
    assert!(world.served.is_none(), "known absent");
    world.tell(Listing::Complete(Some(pair(2000))));
    assert!(world.is_served());
}

#[tokio::test(start_paused = true)]
async fn absent_from_the_start_is_known_absent_and_not_unknown() {
    let mut world = World::of(IN_VAULT);
    assert!(world.served.is_some(), "unknown: the object is there, without values");
    world.tell(Listing::Complete(None));
    assert!(world.served.is_none());
}

#[tokio::test(start_paused = true)]
async fn pair_that_does_not_work_never_replaces_one_that_does() {
    let good = pair(2000);
    let mut mismatched = pair(2000);
    mismatched.fields.insert("tls.key".to_owned(), pair(2000).fields["tls.key"].clone());
    for (bad, word) in [
        (mismatched, "does not belong"),
        (pair(1901), "expired"),
        (pair(2900), "not valid before"),
        (values(&[("tls.crt", "x"), ("tls.key", "canary")]), "certChain"),
        (values(&[("other", "canary")]), "no value certChain"),
    ] {
        let mut world = World::of(IN_VAULT);
        world.tell(Listing::Complete(Some(good.clone())));
        world.tell(Listing::Complete(Some(bad)));
        assert_eq!(world.chain(), Some(chain_of(&good)), "{word}");
        let said = world.said().join("\n");
        assert!(said.contains(word) && !said.contains("canary"), "{said}");
        world.tell(Listing::Complete(Some(good.clone())));
        assert_eq!(world.said(), Vec::<String>::new(), "{word}");
    }
}

#[tokio::test(start_paused = true)]
async fn roots_that_are_lost_where_they_are_kept_still_verify_clients() {
    let good = issued(&authority("first"));
    let mut without = issued(&authority("first"));
    without.fields.remove("ca.crt");
    let mut world = World::of(IN_VAULT);
    world.tell(Listing::Complete(Some(good.clone())));
    world.tell(Listing::Complete(Some(without.clone())));
    assert_eq!(world.chain(), Some(chain_of(&good)));
    assert!(world.said().join("\n").contains("no rootCa any more"), "{:?}", world.said());
    // Who points the object to another place means it.
    world.edit(put("vault: {source: vault, kv: {path: elsewhere}}\n"));
    world.tell(Listing::Complete(Some(without.clone())));
    assert_eq!((world.chain(), world.said()), (Some(chain_of(&without)), Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn reference_to_another_place_keeps_what_is_served_until_that_has_answered() {
    let mut world = World::of(IN_VAULT);
    let (first, second) = (pair(2000), pair(2000));
    world.tell(Listing::Complete(Some(first.clone())));
    let old = world.secrets.wanted().get(&name()).unwrap().0.clone();
    world.edit(put("vault: {source: vault, kv: {path: elsewhere}}\n"));
    assert_eq!(world.chain(), Some(chain_of(&first)));
    let late = Told { name: name(), asked: old, listing: Listing::Complete(None) };
    assert!(
        world.secrets.told(late, world.now, SystemTime::now()).is_none(),
        "an answer to the older question"
    );
    world.tell(Listing::Complete(Some(second.clone())));
    assert_eq!(world.chain(), Some(chain_of(&second)));
}

#[tokio::test(start_paused = true)]
async fn source_that_nobody_set_up_is_named_with_those_that_there_are() {
    let world = World::of("vault: {source: valt, kv: {path: a}}\n");
    let said = world.said();
    assert!(said[0].contains("vault") && said[0].contains("\"valt\""), "{said:?}");
    assert!(world.secrets.wanted().is_empty());
}

#[tokio::test(start_paused = true)]
async fn secret_without_an_object_is_looked_for_where_objects_are_kept() {
    let mut world = World::new(Vec::new());
    world.name(true);
    let wanted = world.secrets.wanted().get(&name()).unwrap().0.clone();
    assert_eq!(
        (&*wanted.place.source, &wanted.place.request),
        ("gloo", &source::SecretRequest::Object(name()))
    );
    world.tell(Listing::Complete(Some(values(&[("header", r#"{"headers":{"x-a":"1"}}"#)]))));
    assert!(world.is_served());
    // An object of that name goes before it, and when that goes the other is back.
    world.edit(put("header: {headers: {x-b: '2'}}\n"));
    assert!(world.served.as_ref().unwrap().header.as_ref().unwrap().headers.contains_key("x-b"));
    world.edit(Edit::Delete(name().key(Kind::Secret)));
    assert_eq!(world.secrets.wanted().len(), 1);
    world.name(false);
    assert!(world.served.is_none_or(|secret| !secret.is_known()) && world.secrets.wanted().is_empty());
}

/// A root, and certificates of it.
fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn issued(authority: &CertifiedIssuer<'static, KeyPair>) -> source::Secret {
    let params = CertificateParams::new(["a.example".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let chain = params.signed_by(&key, authority).unwrap().pem();
    values(&[("tls.crt", &chain), ("tls.key", &key.serialize_pem()), ("ca.crt", &authority.pem())])
}

#[tokio::test(start_paused = true)]
async fn other_fields_of_the_same_values_are_looked_at_as_new_values_are() {
    let mut world = World::of(IN_VAULT);
    let (mut both, other) = (pair(2000), pair(2000));
    both.fields.insert("other.key".to_owned(), other.fields["tls.key"].clone());
    world.tell(Listing::Complete(Some(both.clone())));
    world.edit(put("vault: {source: vault, kv: {path: teams/web}, fields: {privateKey: other.key}}\n"));
    assert_eq!(world.chain(), Some(chain_of(&both)));
    let key = world.served.as_ref().unwrap().tls.as_ref().unwrap().private_key.as_ref().unwrap();
    assert_eq!(key.expose().as_bytes(), &**both.fields["tls.key"]);
    // What is wrong is still wrong when the source says the same again.
    world.tell(Listing::Complete(Some(both)));
    assert!(world.said()[0].contains("does not belong"), "{:?}", world.said());
}
