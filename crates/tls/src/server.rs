//! The certificates that a server has now.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, UnixTime};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::files::Stamps;
use crate::material::{Clients, Loaded, Pem, TlsError, TlsFiles};
use crate::watched::Watched;

/// A server's TLS. A cheap handle: clones are the same.
#[derive(Clone, Debug)]
pub struct ServerTls {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Whose it is, for the log.
    what: &'static str,
    files: Option<TlsFiles>,
    clients: Clients,
    alpn: &'static [&'static str],
    state: Mutex<State>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    /// How the files looked when they were read last, whatever came of it.
    stamps: Stamps,
    loaded: Option<Arc<Loaded>>,
}

impl ServerTls {
    /// TLS from files, which must work.
    pub fn open(
        what: &'static str,
        files: TlsFiles,
        clients: Clients,
        alpn: &'static [&'static str],
    ) -> Result<Self, TlsError> {
        let stamps = Stamps::of(files.paths());
        let loaded = Loaded::new(&files.read()?, clients, alpn)?;
        let state = State { stamps, loaded: Some(Arc::new(loaded)) };
        Ok(Self::new(what, Some(files), clients, alpn, state))
    }

    /// TLS that has no certificate until there is one ([`Self::replace`]).
    pub fn awaited(what: &'static str, clients: Clients, alpn: &'static [&'static str]) -> Self {
        Self::new(what, None, clients, alpn, State::default())
    }

    fn new(
        what: &'static str,
        files: Option<TlsFiles>,
        clients: Clients,
        alpn: &'static [&'static str],
        state: State,
    ) -> Self {
        let (state, changes) = (Mutex::new(state), watch::Sender::new(0));
        Self { inner: Arc::new(Inner { what, files, clients, alpn, state, changes }) }
    }

    /// What the next handshake is made with; none: there is no certificate yet. Files that have changed are read
    /// first, so that this is never older than they are.
    pub fn current(&self) -> Option<Arc<ServerConfig>> {
        self.refresh();
        self.lock().loaded.as_ref().map(|loaded| loaded.config.clone())
    }

    /// Reads the files if they have changed. What does not work is said, and changes nothing.
    pub fn refresh(&self) {
        let Some(files) = &self.inner.files else { return };
        let mut state = self.lock();
        let stamps = Stamps::of(files.paths());
        if stamps == state.stamps {
            return;
        }
        state.stamps = stamps;
        let loaded = files.read().and_then(|pem| Loaded::new(&pem, self.inner.clients, self.inner.alpn));
        match loaded {
            Ok(loaded) => self.take(&mut state, loaded),
            Err(error) => {
                let what = self.inner.what;
                warn!(what, %error, "new certificates are not used; the last that worked stay");
            }
        }
    }

    /// Takes what came from elsewhere, if it works. What does not changes nothing.
    pub fn replace(&self, pem: &Pem) -> Result<(), TlsError> {
        let loaded = Loaded::new(pem, self.inner.clients, self.inner.alpn)?;
        self.take(&mut self.lock(), loaded);
        Ok(())
    }

    fn take(&self, state: &mut State, loaded: Loaded) {
        state.loaded = Some(Arc::new(loaded));
        self.inner.changes.send_modify(|count| *count += 1);
        info!(what = self.inner.what, "new certificates are in use");
    }

    /// Whether a certificate that a client has shown would be taken now.
    pub fn verify(&self, shown: &[CertificateDer<'_>], now: UnixTime) -> Result<(), rustls::Error> {
        let loaded = self.lock().loaded.clone();
        let verifier = loaded.as_ref().and_then(|loaded| loaded.verifier.as_ref());
        let (Some(verifier), Some((first, others))) = (verifier, shown.split_first()) else {
            return Err(rustls::Error::NoCertificatesPresented);
        };
        verifier.verify_client_cert(first, others, now).map(drop)
    }

    /// Changes with the certificates.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }

    /// Reads the files as soon as they change, until shutdown.
    pub async fn watch(self, shutdown: CancellationToken) {
        let Some(files) = &self.inner.files else { return shutdown.cancelled().await };
        let mut watched = Watched::new(self.inner.what, files.paths());
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = watched.changed() => self.refresh(),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use tempfile::TempDir;

    use super::*;

    type Authority = CertifiedIssuer<'static, KeyPair>;

    fn authority() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().expect("randomness")).expect("signed")
    }

    fn issue(authority: &Authority) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().expect("randomness");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        (params.signed_by(&key, authority).expect("signed"), key)
    }

    struct Site {
        directory: TempDir,
        files: TlsFiles,
    }

    impl Site {
        fn new(authority: &Authority) -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            let at = |name: &str| directory.path().join(name);
            let files = TlsFiles { cert: at("cert.pem"), key: at("key.pem"), client_ca: Some(at("ca.pem")) };
            let site = Self { directory, files };
            let (certificate, key) = issue(authority);
            site.write("cert.pem", &certificate.pem());
            site.write("key.pem", &key.serialize_pem());
            site.write("ca.pem", &authority.pem());
            site
        }

        /// By a new file in its place, as those do that take care.
        fn write(&self, name: &str, text: &str) {
            let new = self.directory.path().join("new");
            std::fs::write(&new, text).expect("written");
            std::fs::rename(new, self.directory.path().join(name)).expect("renamed");
        }

        fn open(&self) -> ServerTls {
            ServerTls::open("test", self.files.clone(), Clients::MustShow, &["h2"]).expect("TLS")
        }
    }

    #[test]
    fn half_of_a_new_pair_changes_nothing_and_the_whole_of_it_does() {
        let authority = authority();
        let site = Site::new(&authority);
        let tls = site.open();
        let first = tls.current().expect("a certificate");
        let (certificate, key) = issue(&authority);
        site.write("cert.pem", &certificate.pem());
        assert!(Arc::ptr_eq(&first, &tls.current().expect("still")), "its key is another's");
        assert!(!tls.changes().has_changed().expect("open"));
        let changes = tls.changes();
        site.write("key.pem", &key.serialize_pem());
        assert!(!Arc::ptr_eq(&first, &tls.current().expect("the new one")));
        assert!(changes.has_changed().expect("open"));
    }

    #[test]
    fn files_that_are_gone_or_are_something_else_change_nothing() {
        let site = Site::new(&authority());
        let tls = site.open();
        let first = tls.current().expect("a certificate");
        std::fs::remove_file(&site.files.key).expect("removed");
        assert!(Arc::ptr_eq(&first, &tls.current().expect("still")));
        site.write("ca.pem", "-----BEGIN CERTIFICATE-----\nx\n");
        assert!(Arc::ptr_eq(&first, &tls.current().expect("still")));
    }

    #[test]
    fn a_client_of_an_authority_that_is_no_longer_trusted_is_refused() {
        let (old, new) = (authority(), authority());
        let site = Site::new(&old);
        let tls = site.open();
        let shown = [issue(&old).0.der().clone()];
        tls.verify(&shown, UnixTime::now()).expect("trusted");
        assert!(tls.verify(&[], UnixTime::now()).is_err());
        site.write("ca.pem", &new.pem());
        tls.refresh();
        tls.verify(&shown, UnixTime::now()).expect_err("no longer");
    }

    #[test]
    fn an_error_names_the_file_and_quotes_nothing_of_it() {
        let site = Site::new(&authority());
        site.write("key.pem", "canary");
        let opened = ServerTls::open("test", site.files.clone(), Clients::MustShow, &["h2"]);
        let error = opened.expect_err("no key").to_string();
        assert!(error.contains("key.pem") && !error.contains("canary"), "{error}");
    }

    #[test]
    fn what_is_awaited_has_no_certificate_until_it_comes() {
        let tls = ServerTls::awaited("test", Clients::MayShow, &["h2"]);
        assert!(tls.current().is_none());
        let (certificate, key) = issue(&authority());
        let part = |text: String| ("secret".to_owned(), text.into_bytes());
        let pem =
            |key: &str| Pem { cert: part(certificate.pem()), key: part(key.to_owned()), client_ca: None };
        tls.replace(&pem(&key.serialize_pem())).expect("they belong together");
        let shown = tls.current().expect("a certificate");
        let error = tls.replace(&pem("canary")).expect_err("no key").to_string();
        assert!(!error.contains("canary"), "{error}");
        assert!(Arc::ptr_eq(&shown, &tls.current().expect("the one before")));
    }

    #[tokio::test]
    async fn a_change_is_noticed_though_nobody_connects() {
        let authority = authority();
        let site = Site::new(&authority);
        let (tls, shutdown) = (site.open(), CancellationToken::new());
        let mut changes = tls.changes();
        let watching = tokio::spawn(tls.clone().watch(shutdown.clone()));
        tokio::task::yield_now().await;
        let (certificate, key) = issue(&authority);
        site.write("cert.pem", &certificate.pem());
        site.write("key.pem", &key.serialize_pem());
        let noticed = tokio::time::timeout(std::time::Duration::from_secs(20), changes.changed()).await;
        noticed.expect("in time").expect("open");
        shutdown.cancel();
        watching.await.expect("no panic");
        assert!(Path::new(&site.files.cert).exists());
    }
}
