//! Certificates of a test's own and clients that trust them, and a tunnel by which plain clients speak TLS. Never judges.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustix::event::{PollFd, PollFlags, poll};
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use worldshard::{Runtime, TlsOptions};

use crate::folder::Folder;
use crate::socket::{PATIENCE, tcp};

/// A client's connection.
pub(crate) type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// Who vouches for the certificates of a test, and the folder that they are in.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    known: CertificateDer<'static>,
    folder: Folder,
}

impl Authority {
    pub(crate) fn new(name: &str, runtime: Runtime) -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let known = params.self_signed(&key).unwrap().der().clone();
        let folder = Folder::new(&format!("tls-{name}"), runtime);
        std::fs::create_dir_all(folder.world()).unwrap();
        Authority {
            issuer: Issuer::new(params, key),
            known,
            folder,
        }
    }

    /// Makes a certificate for this machine and a key, in files that replace those of before.
    pub(crate) fn issue(&self) -> CertificateDer<'static> {
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (certificate_path, key_path) = self.files();
        std::fs::write(certificate_path, certificate.pem()).unwrap();
        std::fs::write(key_path, key.serialize_pem()).unwrap();
        certificate.der().clone()
    }

    pub(crate) fn files(&self) -> (PathBuf, PathBuf) {
        let file = |name: &str| Path::join(&self.folder.world(), name);
        (file("certificate.pem"), file("key.pem"))
    }

    /// For a server that is shown what was [issued](Self::issue).
    pub(crate) fn options(&self) -> TlsOptions {
        let (certificate, key) = self.files();
        TlsOptions::files(certificate, key)
    }

    /// For a client that trusts this authority and comes back by no ticket.
    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        let mut config = self.client_of(rustls::ALL_VERSIONS);
        config.resumption = Resumption::disabled();
        Arc::new(config)
    }

    /// For a client that trusts this authority and speaks these versions.
    pub(crate) fn client_of(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.known.clone()).unwrap();
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }
}

/// Connects, and shakes hands with the first byte that is written or read.
pub(crate) fn connect(address: SocketAddr, config: &Arc<ClientConfig>) -> TlsStream {
    StreamOwned::new(client(config), tcp(address))
}

/// The client's end of a connection, before its handshake.
pub(crate) fn client(config: &Arc<ClientConfig>) -> ClientConnection {
    let name = ServerName::try_from("localhost").unwrap();
    ClientConnection::new(Arc::clone(config), name).unwrap()
}

/// Shakes hands.
pub(crate) fn shake(stream: &mut TlsStream) -> io::Result<()> {
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(())
}

/// GETs `path`: status and body.
pub(crate) fn get(address: SocketAddr, config: &Arc<ClientConfig>, path: &str) -> (u16, String) {
    let mut stream = connect(address, config);
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    crate::socket::answer(&mut stream)
}

/// An address at which whoever speaks plainly speaks to a server by TLS. Ends with the process.
pub(crate) fn tunnel(to: SocketAddr, config: &Arc<ClientConfig>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = Arc::clone(config);
    let name = || std::thread::Builder::new().name("tunnel".to_owned());
    let accepting = move || {
        for plain in listener.incoming() {
            let (plain, tls) = (plain.unwrap(), client(&config));
            let Ok(sealed) = TcpStream::connect(to) else {
                continue;
            };
            // Whoever ends first ends it for both, as a broken connection would.
            let pumping = move || drop(pump(&plain, &sealed, tls));
            name().spawn(pumping).unwrap();
        }
    };
    name().spawn(accepting).unwrap();
    address
}

/// Carries bytes both ways until one of the two ends. Takes nothing of one that the other does not take.
fn pump(plain: &TcpStream, sealed: &TcpStream, mut tls: ClientConnection) -> io::Result<()> {
    for socket in [plain, sealed] {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
    }
    let mut down = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let (up, down_waits) = (tls.wants_write(), !down.is_empty());
        let mut of_plain = PollFlags::empty();
        of_plain.set(PollFlags::IN, !up && !tls.is_handshaking());
        of_plain.set(PollFlags::OUT, down_waits);
        let mut of_sealed = PollFlags::empty();
        of_sealed.set(PollFlags::IN, !down_waits);
        of_sealed.set(PollFlags::OUT, up);
        let mut both = [PollFd::new(plain, of_plain), PollFd::new(sealed, of_sealed)];
        poll(&mut both, None)?;
        let [plain_is, sealed_is] = both.map(|one| one.revents());
        if sealed_is.contains(PollFlags::OUT) {
            tls.write_tls(&mut &*sealed)?;
        }
        if plain_is.contains(PollFlags::OUT) {
            let taken = (&*plain).write(&down)?;
            down.drain(..taken);
        }
        let ended = PollFlags::HUP | PollFlags::ERR;
        if of_sealed.contains(PollFlags::IN) && sealed_is.intersects(PollFlags::IN | ended) {
            let len = tls.read_tls(&mut &*sealed)?;
            let state = tls.process_new_packets().map_err(io::Error::other)?;
            down.resize(state.plaintext_bytes_to_read(), 0);
            tls.reader().read_exact(&mut down)?;
            if len == 0 || state.peer_has_closed() {
                plain.set_nonblocking(false)?;
                plain.set_read_timeout(Some(PATIENCE))?;
                (&*plain).write_all(&down)?;
                plain.shutdown(Shutdown::Write)?;
                // Closed before it has said all, it might lose what it has not read.
                return io::copy(&mut &*plain, &mut io::sink()).map(drop);
            }
        }
        if of_plain.contains(PollFlags::IN) && plain_is.intersects(PollFlags::IN | ended) {
            match (&*plain).read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(len) => tls.writer().write_all(&buffer[..len])?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        } else if plain_is.intersects(ended) {
            return Ok(());
        }
    }
}
