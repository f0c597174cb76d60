//! Whose signature on the service's certificate is believed: certificates, read from PEM. Never opens a file.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use ureq::tls::Certificate;

/// The certificates in PEM, as DER, for [`HookOptions::authorities`](crate::HookOptions::authorities); what is no
/// certificate is passed over.
///
/// # Errors
/// None is in it, or something else stands for one, with its line.
pub fn certificates(pem: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let text = String::from_utf8_lossy(pem);
    let mut found = Vec::new();
    let mut block: Option<(usize, String)> = None;
    for (line, number) in text.lines().zip(1..) {
        if line.trim() == BEGIN {
            block = Some((number, String::new()));
        }
        let Some((first, lines)) = &mut block else {
            continue;
        };
        lines.push_str(line.trim());
        lines.push('\n');
        if line.trim() == END {
            let der = Certificate::from_pem(lines.as_bytes()).map(|one| one.der().to_vec());
            let der = der.ok().filter(|der| is_certificate(der));
            found.push(der.ok_or(format!("line {first}: what begins there is no certificate"))?);
            block = None;
        }
    }
    match block {
        Some((first, _)) => Err(format!("line {first}: what begins there has no end")),
        None if found.is_empty() => Err(format!("no certificate in it: no line is {BEGIN}")),
        None => Ok(found),
    }
}

/// Whether this is a certificate that others can be checked against.
pub(crate) fn is_certificate(der: &[u8]) -> bool {
    RootCertStore::empty()
        .add(CertificateDer::from(der))
        .is_ok()
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
