//! Transport security of listeners: certificate, private key and client authorities, read and checked.

use std::sync::Arc;

use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use sha2::{Digest, Sha256};
use vsr_config::ListenerTls;

/// The files of a listener's `tls`, as they were read.
pub struct TlsFiles {
    names: ListenerTls,
    chain: Vec<u8>,
    key: Vec<u8>,
    authorities: Option<Vec<u8>>,
}

/// Why a listener cannot have the transport security that its configuration asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsError {
    /// The key of `tls` that holds the file's name.
    pub key: &'static str,
    /// What is wrong with which file. Nothing of its content is in it.
    pub message: String,
    /// What to do.
    pub help: &'static str,
}

const CERTIFICATE: &str = "cert_file";
const KEY: &str = "key_file";
const AUTHORITIES: &str = "client_ca_file";

const PEM_CERTIFICATES: &str =
    "write the listener's certificate, then those of its issuers, as PEM blocks labelled CERTIFICATE";
const PEM_KEY: &str =
    "write one unencrypted PEM block labelled PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY";

// === impl TlsFiles ===

impl TlsFiles {
    /// Reads the files. Blocks.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn read(names: &ListenerTls) -> Result<Self, TlsError> {
        let file = |key: &'static str, name: &str| {
            std::fs::read(name).map_err(|reason| TlsError {
                key,
                message: format!("`{name}` cannot be read: {reason}"),
                help: "write the path of a PEM file that this process may read",
            })
        };
        Ok(Self {
            chain: file(CERTIFICATE, &names.cert_file)?,
            key: file(KEY, &names.key_file)?,
            authorities: names.client_ca_file.as_ref().map(|name| file(AUTHORITIES, name)).transpose()?,
            names: names.clone(),
        })
    }

    /// Tells one content of the files from another: SHA-256 over all of them.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [&self.chain[..], &self.key[..], self.authorities.as_deref().unwrap_or_default()] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }

    /// Settings of a server that shows this certificate, and takes whom the authorities know if there are any.
    /// Protocols are offered to clients in the order of `protocols`.
    ///
    /// # Errors
    /// If the files are not what they should be, or certificate and key do not belong together.
    pub fn server_config(&self, protocols: &[&[u8]]) -> Result<ServerConfig, TlsError> {
        let chain = certificates(CERTIFICATE, &self.names.cert_file, &self.chain)?;
        let key_file = &self.names.key_file;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| TlsError {
            key: KEY,
            message: format!("`{}` holds no private key that can be used", &**key_file),
            help: PEM_KEY,
        })?;
        let unsuitable = |error: rustls::Error| {
            let (key, message, help) = match error {
                rustls::Error::InconsistentKeys(_) => (
                    KEY,
                    format!(
                        "the key in `{}` does not belong to the certificate in `{}`",
                        &**key_file, &*self.names.cert_file
                    ),
                    "write the key that the certificate was made for; the listener's own certificate is the first one",
                ),
                rustls::Error::InvalidCertificate(reason) => (
                    CERTIFICATE,
                    format!("the certificate in `{}` cannot be used: {reason}", &*self.names.cert_file),
                    PEM_CERTIFICATES,
                ),
                _ => (
                    KEY,
                    format!("the key in `{}` is of no kind that can be used", &**key_file),
                    "use an RSA key of 2048 bits or more, ECDSA with P-256 or P-384, or Ed25519",
                ),
            };
            TlsError { key, message, help }
        };
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(unsuitable)?;
        let verifier = self.client_verifier(provider)?;
        let knows_clients = verifier.is_some();
        let builder = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(unsuitable)?;
        if knows_clients {
            // A resumed session would not look at the client's certificate again.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        } else if let Ok(ticketer) = ring::Ticketer::new() {
            config.ticketer = ticketer;
        }
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(config)
    }

    fn client_verifier(
        &self,
        provider: Arc<rustls::crypto::CryptoProvider>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
        let (Some(name), Some(pem)) = (&self.names.client_ca_file, &self.authorities) else {
            return Ok(None);
        };
        let unusable = |reason: String| TlsError {
            key: AUTHORITIES,
            message: format!("`{}` holds an authority that cannot be used: {reason}", &**name),
            help: "write the authorities that issue your clients' certificates as PEM blocks labelled CERTIFICATE",
        };
        let mut authorities = RootCertStore::empty();
        for certificate in certificates(AUTHORITIES, name, pem)? {
            authorities.add(certificate).map_err(|error| unusable(error.to_string()))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider).build();
        verifier.map(Some).map_err(|error| unusable(error.to_string()))
    }
}

fn certificates(key: &'static str, name: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |problem: String| TlsError { key, message: problem, help: PEM_CERTIFICATES };
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let read = read.map_err(|error| unreadable(format!("`{name}` is not readable as PEM: {error}")))?;
    if read.is_empty() {
        return Err(unreadable(format!("`{name}` holds no certificate")));
    }
    Ok(read)
}
