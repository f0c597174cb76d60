//! A certificate for development: signed by nobody but itself, made once and kept in a folder with its key.
//!
//! Never replaces one that is there: clients may know it by its fingerprint.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
};

use super::secret;

/// The certificate of a folder and its key, as files in PEM.
pub(super) struct DevCertificate {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

impl DevCertificate {
    /// What is kept in a folder; made if one of the two is missing.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn kept(folder: &Path) -> io::Result<Self> {
        let kept = Self {
            certificate: folder.join(CERTIFICATE),
            key: folder.join(KEY),
        };
        if !kept.certificate.try_exists()? || !kept.key.try_exists()? {
            make(folder)?;
        }
        Ok(kept)
    }
}

fn make(folder: &Path) -> io::Result<()> {
    let (certificate, key) = sign(&names()).map_err(io::Error::other)?;
    fs::create_dir_all(folder)?;
    // The certificate of another key must not stand beside this one, wherever this ends.
    if let Err(error) = fs::remove_file(folder.join(CERTIFICATE))
        && error.kind() != ErrorKind::NotFound
    {
        return Err(error);
    }
    secret::write(folder, KEY, key.as_bytes())?;
    secret::write(folder, CERTIFICATE, certificate.as_bytes())
}

/// A certificate for these names, and its key.
fn sign(names: &[String]) -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "worldshard, for development");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// What clients of this machine call it, and what it calls itself.
fn names() -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    let system = rustix::system::uname();
    let own = system.nodename().to_str().unwrap_or_default();
    if own.is_ascii() && !own.is_empty() && own != "localhost" {
        names.push(own.to_owned());
    }
    names
}

const CERTIFICATE: &str = "tls-dev-cert.pem";
const KEY: &str = "tls-dev-key.pem";
