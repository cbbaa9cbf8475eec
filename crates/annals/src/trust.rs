//! Whom the client believes over TLS.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use crate::failure::{Failure, Result, while_doing};

/// Names a PEM file with the authorities to believe instead of the system's.
pub(crate) const CA_FILE: &str = "ANNALS_CA_FILE";
/// Where systems keep theirs: Debian and Alpine, Fedora, SUSE.
const SYSTEM_FILES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];
/// Those of systems have a quarter of a mebibyte.
const FILE_SIZE_MAX: u64 = 16 << 20;

/// The authorities of `named`, or of the system if that is none.
pub(crate) fn tls_config(named: Option<&Path>) -> Result<TlsConfig> {
    let system = || SYSTEM_FILES.iter().map(PathBuf::from).find(|path| path.is_file());
    let path = named.map(Path::to_owned).or_else(system).ok_or_else(|| {
        Failure::new(format_args!("the system has no file of authorities to believe: name one in {CA_FILE}"))
    })?;
    let roots = authorities(&path)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::from(roots))
        .unversioned_rustls_crypto_provider(provider)
        .build())
}

fn authorities(path: &Path) -> Result<Vec<Certificate<'static>>> {
    let mut pem = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_SIZE_MAX).read_to_end(&mut pem));
    read.map_err(while_doing(format_args!("read {}", path.display())))?;
    let mut roots = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(one) = item.map_err(while_doing(format_args!("read {}", path.display())))? {
            roots.push(one);
        }
    }
    if roots.is_empty() {
        return Err(Failure::new(format_args!("{} has no certificate in PEM", path.display())));
    }
    Ok(roots)
}
