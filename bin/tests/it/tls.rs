//! `serve` over TLS: whose certificate it shows, what it says of it, and files that are none.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustix::process::Signal;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
};
use sha2::{Digest as _, Sha256};
use worldshard_client::transport::{MessageKind, client_request, masked_frame};

use crate::server::{PROGRAM, Server, WAIT, eventually, on_each_runtime};

on_each_runtime!(
    a_client_that_knows_the_fingerprint_connects_and_a_restart_keeps_it,
    a_hangup_has_the_files_read_again_and_ends_no_connection
);

/// Knows the server by the fingerprint of its certificate, and by nothing else.
#[derive(Debug)]
struct Pinned {
    fingerprint: String,
    provider: CryptoProvider,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let pairs = Sha256::digest(certificate);
        let pairs: Vec<String> = pairs.iter().map(|byte| format!("{byte:02X}")).collect();
        match pairs.join(":") == self.fingerprint {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(Error::General("another certificate".to_owned())),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

/// A WebSocket of a client that pins.
struct Client(StreamOwned<ClientConnection, TcpStream>);

impl Client {
    fn connect(address: SocketAddr, fingerprint: &str) -> std::io::Result<Self> {
        let provider = ring::default_provider();
        let config = ClientConfig::builder_with_provider(Arc::new(provider.clone()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pinned {
                fingerprint: fingerprint.to_owned(),
                provider,
            }))
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let tls = ClientConnection::new(Arc::new(config), name).unwrap();
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(WAIT))?;
        let mut stream = StreamOwned::new(tls, stream);
        stream.write_all(&client_request("localhost", "/ws", b"sixteen bytes ok"))?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            answer.extend(byte);
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"));
        Ok(Self(stream))
    }

    fn echoes(&mut self, text: &str) {
        let frame = masked_frame(MessageKind::Text, text.as_bytes(), [1, 2, 3, 4]);
        self.0.write_all(&frame).unwrap();
        let mut echo = vec![0; 2 + text.len()];
        self.0.read_exact(&mut echo).unwrap();
        assert_eq!(&echo[2..], text.as_bytes());
    }
}

/// A folder of a test's own, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("worldshard-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What the ready line says.
fn fingerprint(server: &Server) -> String {
    let line = server.line();
    assert!(line.starts_with("worldshard: https://127.0.0.1:"), "{line}");
    let (_, fingerprint) = line.split_once(", certificate SHA-256 ").unwrap();
    fingerprint.to_owned()
}

fn a_client_that_knows_the_fingerprint_connects_and_a_restart_keeps_it(runtime: &str) {
    let folder = Folder::new(&format!("tls-dev-{runtime}"));
    let kept = folder.path("kept");
    let mut prints = Vec::new();
    for shards in ["1", "2", "8"] {
        let args = ["--app", "echo", "--shards", shards, "--tls-dev", &kept];
        let server = Server::start(runtime, &args);
        let print = fingerprint(&server);
        Client::connect(server.addr(), &print)
            .unwrap()
            .echoes("pinned");
        let first = if print.starts_with("00") { "11" } else { "00" };
        let other = format!("{first}{}", &print[2..]);
        assert!(Client::connect(server.addr(), &other).is_err());
        prints.push(print);
        server.end();
    }
    assert_eq!(prints, vec![prints[0].clone(); 3]);
    let key = Path::new(&kept).join("tls-dev-key.pem");
    assert_eq!(
        fs::metadata(key).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn a_certificate_for_development_is_kept_with_the_world_or_in_the_working_directory() {
    let folder = Folder::new("tls-places");
    let world = folder.path("world");
    let mut prints = Vec::new();
    for args in [
        &["--entities", "10", "--tls-dev", "--data", &world][..],
        &["--tls-dev", "--app", "echo"],
    ] {
        let mut command = Command::new(PROGRAM);
        command.current_dir(&folder.0);
        let server = Server::start_by(command, "portable", args);
        prints.push(fingerprint(&server));
        server.end();
    }
    assert_ne!(prints[0], prints[1]);
    for place in ["world", ".worldshard"] {
        let certificate = folder.0.join(place).join("tls-dev-cert.pem");
        assert!(certificate.exists(), "{place}");
    }
    // The world goes on, with the same certificate.
    let again = Server::start(
        "portable",
        &["--entities", "10", "--data", &world, "--tls-dev"],
    );
    assert_eq!(fingerprint(&again), prints[0]);
    assert!(
        again.line().contains("goes on after tick"),
        "{}",
        again.line()
    );
}

/// Two certificates with their keys, and what they are known by.
fn two_certificates(folder: &Folder) -> [(String, String, String); 2] {
    ["one", "two"].map(|name| {
        let place = folder.path(name);
        let args = ["--app", "echo", "--shards", "1", "--tls-dev", &place];
        let server = Server::start("portable", &args);
        let file = |name: &str| format!("{place}/{name}");
        (
            file("tls-dev-cert.pem"),
            file("tls-dev-key.pem"),
            fingerprint(&server),
        )
    })
}

fn a_hangup_has_the_files_read_again_and_ends_no_connection(runtime: &str) {
    let folder = Folder::new(&format!("tls-hangup-{runtime}"));
    let [one, two] = two_certificates(&folder);
    let (certificate, key) = (folder.path("cert.pem"), folder.path("key.pem"));
    let put = |(from, from_key, _): &(String, String, String)| {
        fs::copy(from, &certificate).unwrap();
        fs::copy(from_key, &key).unwrap();
    };
    put(&one);
    let files = ["--tls-cert", &certificate, "--tls-key", &key];
    let args = [&["--app", "echo", "--shards", "2"][..], &files].concat();
    let server = Server::start(runtime, &args);
    assert_eq!(fingerprint(&server), one.2);
    let mut old = Client::connect(server.addr(), &one.2).unwrap();
    put(&two);
    server.signal(Signal::HUP);
    eventually("the other certificate is shown", || {
        Client::connect(server.addr(), &two.2).is_ok()
    });
    assert!(Client::connect(server.addr(), &one.2).is_err());
    old.echoes("as before");
    fs::write(&certificate, "none").unwrap();
    server.signal(Signal::HUP);
    old.echoes("as before");
    Client::connect(server.addr(), &two.2).unwrap();
    put(&one);
    server.signal(Signal::HUP);
    eventually("the first certificate is shown again", || {
        Client::connect(server.addr(), &one.2).is_ok()
    });
    old.echoes("as before");
    drop(old);
    server.end();
}

#[test]
fn files_that_cannot_be_shown_end_it_with_their_name() {
    let folder = Folder::new("tls-bad");
    let [one, two] = two_certificates(&folder);
    let (absent, text) = (folder.path("absent.pem"), folder.path("text.pem"));
    fs::write(&text, "no certificate").unwrap();
    for (certificate, key, told) in [
        (
            &absent,
            &one.1,
            format!("--tls-cert: {absent}: No such file"),
        ),
        (
            &text,
            &one.1,
            format!("--tls-cert: {text}: there is no certificate"),
        ),
        (
            &one.0,
            &text,
            format!("--tls-key: {text}: there is no private key"),
        ),
        (
            &one.0,
            &two.1,
            format!("--tls-key: {}: it is not the key of", two.1),
        ),
    ] {
        let args = ["serve", "--bind", "127.0.0.1:0", "--tls-cert", certificate];
        let run = Command::new(PROGRAM)
            .args(args)
            .args(["--tls-key", key])
            .output()
            .unwrap();
        let said = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{said}");
        assert!(said.contains(&told), "{told} is not in {said}");
    }
}

#[test]
fn flags_of_encryption_that_contradict_each_other_are_named() {
    for (args, named) in [
        (&["--tls-cert", "a.pem"][..], "--tls-key"),
        (&["--tls-key", "a.pem"], "--tls-cert"),
        (
            &[
                "--tls-dev",
                "a",
                "--tls-cert",
                "a.pem",
                "--tls-key",
                "a.pem",
            ],
            "--tls-dev",
        ),
    ] {
        let run = Command::new(PROGRAM).arg("serve").args(args).output();
        let run = run.unwrap();
        let said = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{said}");
        assert!(said.contains(named), "{said}");
    }
    let run = Command::new(PROGRAM).args(["serve", "--help"]).output();
    let help = String::from_utf8(run.unwrap().stdout).unwrap();
    for flag in ["--tls-cert", "--tls-key", "--tls-dev"] {
        assert!(help.contains(flag), "{flag} is not in\n{help}");
    }
}
