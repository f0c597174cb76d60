//! How connections are encrypted: whose certificate they are shown, and what strangers may ask for. Never reads a file.

use std::path::PathBuf;

/// How a server encrypts its connections. All of its port then is `https` and `wss`: 1.3 of TLS, or 1.2.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsOptions {
    /// The certificate that connections are shown.
    pub certificate: CertificateSource,
    /// Steps of handshakes that a shard takes in a turn, two for most; who needs one more waits for the next turn. A
    /// handshake is the dearest thing a stranger can ask for: with an ECDSA key some 0.15 ms, with an RSA key 0.75 ms.
    /// So this is for how long a rush of them can hold up a tick, or the messages of others, at once.
    pub turn_handshake_steps_max: usize,
}

/// Where a certificate comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CertificateSource {
    /// Two files, in PEM.
    Files {
        /// The server's certificate, and behind it those of its issuers up to one that clients know.
        certificate: PathBuf,
        /// The private key of the first: PKCS #8, PKCS #1 or SEC 1.
        key: PathBuf,
    },
    /// One for development that nobody vouches for: made once, and kept in a folder.
    Dev {
        /// The folder, which is made if need be.
        folder: PathBuf,
    },
}

impl TlsOptions {
    /// With a certificate of one's own.
    #[must_use]
    pub fn files(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self::new(CertificateSource::Files {
            certificate: certificate.into(),
            key: key.into(),
        })
    }

    /// With a certificate for development. Clients know it by its fingerprint, which
    /// [`Running`](crate::Running::certificate_fingerprint) tells.
    #[must_use]
    pub fn dev(folder: impl Into<PathBuf>) -> Self {
        Self::new(CertificateSource::Dev {
            folder: folder.into(),
        })
    }

    fn new(certificate: CertificateSource) -> Self {
        Self {
            certificate,
            turn_handshake_steps_max: 16,
        }
    }
}
