//! Owns which certificate authorities are trusted, and the TLS settings that follow.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, pem::PemObject};

use crate::{Error, ErrorKind};

/// The certificate authorities that may vouch for a server.
///
/// Clones share one loaded store and one cache of TLS sessions, so give every worker's client a clone. Loading happens at
/// the first TLS connection, or at [`TlsRoots::load`].
#[derive(Clone)]
pub struct TlsRoots {
    source: Source,
    extra: Arc<[CertificateDer<'static>]>,
    loaded: Arc<OnceLock<Arc<ClientConfig>>>,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    System,
    Embedded,
    ExtraOnly,
}

// === impl TlsRoots ===

impl TlsRoots {
    /// The system's certificate bundle (`SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured); the embedded one if it has none.
    pub fn system() -> Self {
        Self::new(Source::System)
    }

    /// Mozilla's roots as embedded in the program.
    pub fn embedded() -> Self {
        Self::new(Source::Embedded)
    }

    /// No authority but those added with [`TlsRoots::with_pem`].
    pub fn none() -> Self {
        Self::new(Source::ExtraOnly)
    }

    fn new(source: Source) -> Self {
        Self { source, extra: Arc::new([]), loaded: Arc::default() }
    }

    /// Trusts, besides, every certificate in `pem`. `origin` names it in errors: a file name or configuration key.
    pub fn with_pem(self, pem: &[u8], origin: &str) -> Result<Self, Error> {
        let refuse = |reason: String| Error::new(ErrorKind::InvalidCertificates, origin, reason);
        let mut probe = RootCertStore::empty();
        let mut extra = self.extra.to_vec();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| refuse(format!("not readable as PEM: {error}")))?;
            probe
                .add(certificate.clone())
                .map_err(|error| refuse(format!("not usable as an authority: {error}")))?;
            extra.push(certificate);
        }
        if probe.is_empty() {
            return Err(refuse("holds no certificate; expected PEM blocks labelled CERTIFICATE".to_owned()));
        }
        Ok(Self { source: self.source, extra: extra.into(), loaded: Arc::default() })
    }

    /// Reads the certificates now, so that the first TLS connection need not.
    pub fn load(&self) {
        self.client_config();
    }

    pub(crate) fn client_config(&self) -> Arc<ClientConfig> {
        Arc::clone(self.loaded.get_or_init(|| Arc::new(self.build())))
    }

    fn build(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        let system_found = matches!(self.source, Source::System) && add_system(&mut roots);
        if matches!(self.source, Source::Embedded) || (matches!(self.source, Source::System) && !system_found)
        {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        roots.add_parsable_certificates(self.extra.iter().cloned());

        let provider = Arc::new(ring::default_provider());
        #[expect(
            clippy::expect_used,
            reason = "ring's provider supports both protocol versions of this build"
        )]
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider supports the default protocol versions");
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config
    }
}

impl Default for TlsRoots {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for TlsRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsRoots")
            .field("source", &self.source)
            .field("extra", &self.extra.len())
            .field("loaded", &self.loaded.get().is_some())
            .finish()
    }
}

/// Adds the system's bundle; false when it yields no usable certificate.
fn add_system(roots: &mut RootCertStore) -> bool {
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let reason = found.errors.first().map_or_else(|| "none found".to_owned(), ToString::to_string);
        tracing::warn!(reason, "no certificates from the system, using the embedded ones");
    }
    added > 0
}
