//! The TLS of one client, which takes any certificate: what a load says is no secret. Never waits.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};

/// One client's end.
pub(crate) struct Tls {
    protocol: ClientConnection,
    /// Ciphertext that waits to be written.
    outgoing: Vec<u8>,
}

/// What the clients of a run share. Each shakes hands in full: none comes back by a ticket.
pub(crate) fn config() -> Arc<ClientConfig> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has suites for all of them")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate))
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Arc::new(config)
}

impl Tls {
    pub(crate) fn new(config: &Arc<ClientConfig>) -> Self {
        let name = ServerName::try_from("localhost").expect("it is a name");
        let protocol = ClientConnection::new(Arc::clone(config), name);
        let mut protocol = protocol.expect("nothing in the configuration can be wrong");
        protocol.set_buffer_limit(None);
        Self {
            protocol,
            outgoing: Vec::new(),
        }
    }

    /// Takes ciphertext, and puts what it means into `plaintext`, which is longer: so many bytes. There may be an answer to
    /// [seal](Self::seal) then.
    ///
    /// # Errors
    /// It is no TLS.
    pub(crate) fn open(
        &mut self,
        mut ciphertext: &[u8],
        plaintext: &mut [u8],
    ) -> std::io::Result<usize> {
        let mut at = 0;
        while !ciphertext.is_empty() {
            if self.protocol.read_tls(&mut ciphertext)? == 0 {
                break;
            }
            let state = self.protocol.process_new_packets();
            let state = state.map_err(std::io::Error::other)?;
            let end = at + state.plaintext_bytes_to_read();
            self.protocol.reader().read_exact(&mut plaintext[at..end])?;
            at = end;
        }
        Ok(at)
    }

    /// All ciphertext that waits; with that of `plaintext`, which is taken when the handshake is complete.
    pub(crate) fn seal(&mut self, plaintext: &mut Vec<u8>) -> &mut Vec<u8> {
        if !self.protocol.is_handshaking() {
            let taken = self.protocol.writer().write_all(plaintext);
            taken.expect("there is no limit to what it takes");
            plaintext.clear();
        }
        while self.protocol.wants_write() {
            let written = self.protocol.write_tls(&mut self.outgoing);
            written.expect("memory takes everything");
        }
        &mut self.outgoing
    }
}

#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let provider = ring::default_provider();
        provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
