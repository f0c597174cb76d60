//! The certificate that connections are shown: read from its files at the start, and again when told to. Knows no
//! connection: each takes what is shown when it begins, and keeps it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{InconsistentKeys, ServerConfig};
use sha2::{Digest as _, Sha256};

use super::dev_certificate::DevCertificate;
use crate::app::{CertificateSource, TlsOptions};
use crate::error::{Error, Result};

/// What a server shows to prove who it is, and where that comes from.
pub(crate) struct Certificates {
    certificate: PathBuf,
    key: PathBuf,
    shown: Mutex<Shown>,
}

/// One certificate, with all that rustls needs to show it.
#[derive(Clone)]
struct Shown {
    config: Arc<ServerConfig>,
    fingerprint: String,
}

impl Certificates {
    /// Reads what the options name.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub(crate) fn load(options: &TlsOptions) -> Result<Self> {
        let (certificate, key) = match &options.certificate {
            CertificateSource::Files { certificate, key } => (certificate.clone(), key.clone()),
            CertificateSource::Dev { folder } => {
                let kept = DevCertificate::kept(folder).map_err(|source| Error::Io {
                    what: format!("keeping a certificate in {}", folder.display()),
                    source,
                })?;
                (kept.certificate, kept.key)
            }
        };
        let shown = Shown::read(&certificate, &key)?;
        tell("the certificate is read", &certificate, &shown);
        Ok(Self {
            certificate,
            key,
            shown: Mutex::new(shown),
        })
    }

    /// Reads the files again. Whoever connects from now on is shown what is in them.
    ///
    /// # Errors
    /// As [`load`](Self::load); then the one of before is shown as before.
    pub(crate) fn reload(&self) -> Result<()> {
        let shown = Shown::read(&self.certificate, &self.key)?;
        tell("the certificate is read again", &self.certificate, &shown);
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = shown;
        Ok(())
    }

    /// For a connection that begins.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&shown.config)
    }

    /// The SHA-256 of the certificate that is shown now, as browsers write it.
    pub(crate) fn fingerprint(&self) -> String {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.fingerprint.clone()
    }
}

fn tell(what: &str, certificate: &Path, shown: &Shown) {
    let (file, sha256) = (certificate.display(), &shown.fingerprint);
    tracing::info!(%file, sha256, "{what}");
}

impl Shown {
    fn read(certificate: &Path, key: &Path) -> Result<Self> {
        let chain = read_chain(certificate)?;
        let fingerprint = fingerprint(&chain[0]);
        let provider = Arc::new(ring::default_provider());
        let signing = provider.key_provider.load_private_key(read_key(key)?);
        let signing = signing.map_err(|error| {
            let why = format!("the private key in it cannot be used: {error}");
            refused("tls_key", key, why)
        })?;
        let certified = CertifiedKey::new(chain, signing);
        match certified.keys_match() {
            // Then the first connection finds out.
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => {
                let why = format!("it is not the key of {}", certificate.display());
                return Err(refused("tls_key", key, why));
            }
            Err(error) => {
                let why = format!("the first certificate in it cannot be read: {error}");
                return Err(refused("tls_cert", certificate, why));
            }
        }
        let versions = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .expect("ring has suites for both");
        let mut config = versions
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        // What a client is to resume by is sealed and given to it, once, so no shard has to remember or share it. A
        // ticket is of this configuration only: who comes back after another certificate was read sees that one.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = ring::Ticketer::new().map_err(|error| Error::Io {
            what: "making the key of TLS tickets".to_owned(),
            source: std::io::Error::other(error),
        })?;
        config.send_tls13_tickets = 1;
        // What may be sent again by whoever copied it is not accepted before the handshake is complete.
        config.max_early_data_size = 0;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            fingerprint,
        })
    }
}

/// The certificates of a file, at least one.
fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let wrong = |error| refused("tls_cert", path, explain(&error, "certificate"));
    let found = CertificateDer::pem_file_iter(path).map_err(wrong)?;
    let chain: Vec<_> = found.collect::<Result<_, _>>().map_err(wrong)?;
    match chain.is_empty() {
        true => Err(wrong(pem::Error::NoItemsFound)),
        false => Ok(chain),
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|error| refused("tls_key", path, explain(&error, "private key")))
}

fn explain(error: &pem::Error, sought: &str) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => format!("there is no {sought} in PEM in it"),
        pem::Error::MissingSectionEnd { .. } => "it breaks off within a section".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "a section in it does not begin well".to_owned(),
        pem::Error::Base64Decode(_) => "a section in it is not base64".to_owned(),
        pem::Error::SectionTooLarge => "a section in it is too long".to_owned(),
        _ => format!("it cannot be read: {error}"),
    }
}

fn refused(name: &'static str, path: &Path, why: String) -> Error {
    Error::Option {
        name,
        detail: format!("{}: {why}", path.display()),
    }
}

/// Pairs of hexadecimal digits with colons between them.
fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(certificate) {
        let colon = if text.is_empty() { "" } else { ":" };
        let _ = write!(text, "{colon}{byte:02X}");
    }
    text
}

#[cfg(test)]
mod tests;
