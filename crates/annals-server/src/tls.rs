//! TLS of the listener: TLS 1.2 and 1.3 with one certificate, which may be replaced while the server runs.

use std::path::Path;
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use sha2::{Digest as _, Sha256};

use crate::auth::hex::to_hex;
use crate::config::TlsSettings;
use crate::error::{Error, Result};
use crate::settings::read_text;

/// What is served over it, and nothing that is not.
const PROTOCOL: &[u8] = b"http/1.1";

/// Certificate and key of a listener; clones share them.
#[derive(Clone, Debug)]
pub struct Tls(Arc<RwLock<Certificate>>);

/// A certificate with its key, ready to be served.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    config: Arc<rustls::ServerConfig>,
    /// SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` has it without the colons.
    pub(crate) fingerprint: String,
}

/// Marks requests that came encrypted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encrypted;

impl Tls {
    /// Reads the files of the settings; `None` if they name none.
    ///
    /// # Errors
    /// A file cannot be read, has no certificate or no key, or the two do not belong together.
    pub fn load(settings: &TlsSettings) -> Result<Option<Self>> {
        Ok(read(settings)?.map(|certificate| Self(Arc::new(RwLock::new(certificate)))))
    }

    /// What the next connection is greeted with.
    pub(crate) fn current(&self) -> Arc<rustls::ServerConfig> {
        Arc::clone(&self.0.read().config)
    }

    /// From the next connection on another certificate is shown.
    pub(crate) fn replace(&self, certificate: Certificate) {
        *self.0.write() = certificate;
    }
}

/// What [`Tls::load`] reads.
pub(crate) fn read(settings: &TlsSettings) -> Result<Option<Certificate>> {
    let (Some(cert), Some(key)) = (&settings.cert, &settings.key) else { return Ok(None) };
    let (chain, private) = (chain(cert)?, private(key)?);
    let fingerprint = chain.first().map_or_else(String::new, |first| to_hex(&Sha256::digest(first)));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let wrong = |error| {
        let (cert, key) = (cert.display(), key.display());
        Error::config(format!("the certificate {cert} and the key {key} cannot be used: {error}"))
    };
    let config = rustls::ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13, &TLS12]);
    let mut config = config.map_err(wrong)?.with_no_client_auth().with_single_cert(chain, private).map_err(wrong)?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(Some(Certificate { config: Arc::new(config), fingerprint }))
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let text = read_text(path).map_err(|wrong| Error::config(format!("tls.cert: {wrong}")))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match chain {
        Ok(chain) if chain.is_empty() => {
            Err(Error::config(format!("tls.cert: {} has no certificate in PEM", path.display())))
        }
        Ok(chain) => Ok(chain),
        Err(error) => Err(Error::config(format!("tls.cert: {} is no PEM: {error}", path.display()))),
    }
}

fn private(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let text = read_text(path).map_err(|wrong| Error::config(format!("tls.key: {wrong}")))?;
    PrivateKeyDer::from_pem_slice(text.as_bytes())
        .map_err(|error| Error::config(format!("tls.key: {} has no private key in PEM: {error}", path.display())))
}
