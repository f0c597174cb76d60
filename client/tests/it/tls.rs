//! TLS over loopback: whom a client trusts, and that sessions go through it as through none.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sha2::{Digest, Sha256};
use worldshard_client::{Link, Options, OptionsError, Report, Trust, Why};

use crate::peer::{PATIENCE, Peer, Said, accept, greeting, serve};

/// For localhost only, signed by itself, made for these tests.
const CERTIFICATE: &[u8] = include_bytes!("../data/localhost.pem");
const KEY: &[u8] = include_bytes!("../data/localhost.key");

fn certificate() -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(CERTIFICATE).unwrap()
}

fn fingerprint() -> [u8; 32] {
    Sha256::digest(certificate().as_ref()).into()
}

fn secure(listener: &TcpListener) -> StreamOwned<ServerConnection, std::net::TcpStream> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate()],
            PrivateKeyDer::from_pem_slice(KEY).unwrap(),
        )
        .unwrap();
    let tls = ServerConnection::new(Arc::new(config)).unwrap();
    StreamOwned::new(tls, accept(listener))
}

fn link(port: u16, host: &str, trust: Trust) -> Link {
    let mut options = Options::new(&format!("wss://{host}:{port}/world")).unwrap();
    options.trust = trust;
    options.reconnect.initial_attempts_max = Some(1);
    Link::new(options).unwrap()
}

#[test]
fn a_session_goes_through_tls_with_given_roots_and_with_a_pinned_certificate() {
    for trust in [
        Trust::Roots(CERTIFICATE.to_vec()),
        Trust::Pinned(fingerprint()),
    ] {
        let (address, server) = serve(|listener| {
            let mut peer = Peer::over(secure(listener));
            peer.upgrade();
            peer.text(&greeting(5, None));
            for at in 0..100_usize {
                let Said::Binary(bytes) = peer.hear() else {
                    panic!("message {at} did not come")
                };
                assert_eq!(bytes.len(), 4 + at * 500);
            }
            peer.text(r#"{"v":1,"svc":"app","type":"message","data":"all"}"#);
            assert_eq!(peer.hear(), Said::Close(Some(1000)));
            peer.close(1000, "");
        });
        let mut link = link(address.port(), "localhost", trust);
        let is_live = |report: &Report| matches!(report, Report::Live(_)).then_some(());
        link.until(PATIENCE, is_live).expect("a session");
        for at in 0..100 {
            while link.send(vec![7; at * 500]).is_err() {
                link.wait(Duration::from_millis(10));
            }
        }
        let all = link.until(PATIENCE, |report| match report {
            Report::Message(payload) => Some(payload.clone()),
            _ => None,
        });
        assert_eq!(all, Some("all".into()));
        let last = link.finish(PATIENCE);
        assert!(
            matches!(last[..], [Report::ClosedBySelf, Report::Dead { .. }]),
            "{last:?}"
        );
        server.join().unwrap();
    }
}

#[test]
fn a_server_that_is_not_trusted_is_not_spoken_to() {
    let other = [7; 32];
    for (trust, host) in [
        (Trust::WebRoots, "localhost"),
        (Trust::Pinned(other), "localhost"),
        // The address is not in the certificate.
        (Trust::Roots(CERTIFICATE.to_vec()), "127.0.0.1"),
    ] {
        let (address, server) = serve(|listener| {
            let mut stream = secure(listener);
            let failed = std::io::Read::read(&mut stream, &mut [0; 1]);
            assert!(failed.is_err(), "the client says nothing");
        });
        let mut link = link(address.port(), host, trust);
        let why = link.until(PATIENCE, |report| match report {
            Report::Disconnected(Why::Unreachable(why)) => Some(why.clone()),
            Report::Live(_) => panic!("live"),
            _ => None,
        });
        assert!(why.unwrap().contains("certificate"));
        server.join().unwrap();
    }
}

#[test]
fn roots_that_are_none_are_refused() {
    for pem in [&b""[..], b"hello"] {
        let mut options = Options::new("wss://localhost/world").unwrap();
        options.trust = Trust::Roots(pem.to_vec());
        assert_eq!(Link::new(options).unwrap_err(), OptionsError::Trust);
    }
}
