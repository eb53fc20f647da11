//! Owns which certificate authorities are trusted, who we are to servers, and the TLS settings that follow.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    sign::{CertifiedKey, SingleCertAndKey},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use crate::{Error, ErrorKind};

/// The certificate authorities that may vouch for a server.
///
/// Clones share one loaded store and one cache of TLS sessions, so give every worker's client a clone. Loading happens at
/// the first TLS connection, or at [`TlsRoots::load`].
#[derive(Clone)]
pub struct TlsRoots {
    source: Source,
    extra: Arc<[CertificateDer<'static>]>,
    /// Who we are to servers that ask.
    identity: Option<Arc<CertifiedKey>>,
    loaded: Arc<[OnceLock<Arc<ClientConfig>>; 3]>,
}

/// What is offered in the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alpn {
    Http1,
    Both,
    Http2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
        Self { source, extra: Arc::new([]), identity: None, loaded: Arc::default() }
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
        Ok(Self { extra: extra.into(), loaded: Arc::default(), ..self })
    }

    /// Shows servers that ask for it the certificate chain in `certificates`, whose key is in `key`, both PEM. `origin`
    /// names them in errors, which show nothing of the key.
    ///
    /// # Errors
    /// If they cannot be read, or the key is not that of the first certificate.
    pub fn with_identity(self, certificates: &[u8], key: &[u8], origin: &str) -> Result<Self, Error> {
        let refuse = |reason: String| Error::new(ErrorKind::InvalidCertificates, origin, reason);
        let chain = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| refuse(format!("the certificate is not readable as PEM: {error}")))?;
        if chain.is_empty() {
            return Err(refuse("holds no certificate; expected PEM blocks labelled CERTIFICATE".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| {
            refuse("the key is not readable; expected a PEM block with a private key".to_owned())
        })?;
        let certified = CertifiedKey::from_der(chain, key, &ring::default_provider())
            .map_err(|error| refuse(format!("certificate and key cannot be used together: {error}")))?;
        Ok(Self { identity: Some(Arc::new(certified)), loaded: Arc::default(), ..self })
    }

    /// Reads the certificates now, so that the first TLS connection need not.
    pub fn load(&self) {
        self.client_config(Alpn::Http1);
    }

    pub(crate) fn client_config(&self, alpn: Alpn) -> Arc<ClientConfig> {
        Arc::clone(self.loaded[alpn as usize].get_or_init(|| Arc::new(self.build(alpn))))
    }

    fn build(&self, alpn: Alpn) -> ClientConfig {
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
        let builder = builder.with_root_certificates(roots);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let resolver = SingleCertAndKey::from(Arc::clone(identity));
                builder.with_client_cert_resolver(Arc::new(resolver))
            }
        };
        config.alpn_protocols = match alpn {
            Alpn::Http1 => vec![b"http/1.1".to_vec()],
            Alpn::Both => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            Alpn::Http2 => vec![b"h2".to_vec()],
        };
        config
    }
}

/// Equal trust and identity. The key is that of the certificate, so the chain tells identities apart.
impl PartialEq for TlsRoots {
    fn eq(&self, other: &Self) -> bool {
        let chain = |roots: &Self| roots.identity.as_ref().map(|identity| identity.cert.clone());
        self.source == other.source && self.extra == other.extra && chain(self) == chain(other)
    }
}

impl Eq for TlsRoots {}

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
            .field("has_identity", &self.identity.is_some())
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
