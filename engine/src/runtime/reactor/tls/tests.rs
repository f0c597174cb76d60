//! TLS against rustls' own client, in memory: cut into any pieces, in any order of reading and writing.

use std::io::{ErrorKind, Read as _, Write as _};
use std::sync::OnceLock;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme,
    SupportedProtocolVersion,
};
use worldshard_protocol::{EntityId, Tick};
use worldshard_shard::Chance;

use super::*;
use crate::app::TlsOptions;
use crate::runtime::certificates::Certificates;

/// Takes any certificate: these tests are not about them.
#[derive(Debug)]
struct Trusting;

impl ServerCertVerifier for Trusting {
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

/// With one certificate for all tests.
fn server_config() -> Arc<ServerConfig> {
    static CONFIG: OnceLock<Arc<ServerConfig>> = OnceLock::new();
    let read = || {
        let folder = format!("worldshard-tls-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        let certificates = Certificates::load(&TlsOptions::dev(&folder)).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        certificates.config()
    };
    Arc::clone(CONFIG.get_or_init(read))
}

/// Both ends of a connection, and what is on its way.
struct Pair {
    client: ClientConnection,
    server: Tls,
    scratch: Scratch,
    /// What the server has read.
    heard: Vec<u8>,
    /// What the client has read and nobody asked for.
    told: Vec<u8>,
}

impl Pair {
    fn new(version: &'static SupportedProtocolVersion) -> Pair {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Trusting))
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        Pair {
            client: ClientConnection::new(Arc::new(config), name).unwrap(),
            server: Tls::new(server_config()),
            scratch: Scratch::default(),
            heard: Vec::new(),
            told: Vec::new(),
        }
    }

    /// Two that have shaken hands.
    fn ready(version: &'static SupportedProtocolVersion) -> Pair {
        let mut pair = Pair::new(version);
        while pair.client.is_handshaking() || pair.server.is_handshaking() {
            let said = pair.client_says();
            pair.hear(&said).unwrap();
            pair.pass_on(usize::MAX);
        }
        let said = pair.client_says();
        pair.hear(&said).unwrap();
        pair.pass_on(usize::MAX);
        pair
    }

    /// The client's ciphertext so far.
    fn client_says(&mut self) -> Vec<u8> {
        let mut said = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut said).unwrap();
        }
        said
    }

    /// Lets the server read.
    fn hear(&mut self, ciphertext: &[u8]) -> Result<(), Error> {
        let mut bytes = ciphertext.to_vec();
        let outcome = self.server.receive(&mut bytes, &mut self.scratch);
        self.heard.extend_from_slice(&self.scratch.plaintext);
        outcome
    }

    /// Lets the server write at most `most` bytes of ciphertext, and the client read them; how much plaintext was sent.
    fn pass_on(&mut self, most: usize) -> usize {
        let Pair {
            client,
            server,
            scratch,
            told,
            ..
        } = self;
        let send = |bytes: &[u8]| {
            let mut taken = &bytes[..bytes.len().min(most)];
            let len = taken.len();
            while !taken.is_empty() {
                client.read_tls(&mut taken).unwrap();
                let state = client.process_new_packets().unwrap();
                let at = told.len();
                told.resize(at + state.plaintext_bytes_to_read(), 0);
                client.reader().read_exact(&mut told[at..]).unwrap();
            }
            Ok(len)
        };
        let sent = server.pass_on(scratch, send).unwrap();
        scratch.ciphertext.clear();
        sent
    }

    /// Lets the server write all, and the client read it, who may find it wrong.
    fn pass_on_whatever(&mut self) {
        let Pair {
            client,
            server,
            scratch,
            ..
        } = self;
        let send = |mut bytes: &[u8]| {
            let len = bytes.len();
            while !bytes.is_empty() {
                if matches!(client.read_tls(&mut bytes), Ok(0) | Err(_)) {
                    break;
                }
                let _ = client.process_new_packets();
                let _ = client.reader().read(&mut [0; 1000]);
            }
            Ok(len)
        };
        server.pass_on(scratch, send).unwrap();
        scratch.ciphertext.clear();
    }

    fn server_says(&mut self, plaintext: &[u8], ends: bool) {
        self.scratch.plaintext.clear();
        self.scratch.plaintext.extend_from_slice(plaintext);
        self.server.seal(&mut self.scratch, ends).unwrap();
    }

    /// What the client has read.
    fn client_heard(&mut self) -> (Vec<u8>, Option<ErrorKind>) {
        let end = self.client.reader().read(&mut [0]);
        let heard = std::mem::take(&mut self.told);
        (heard, end.err().map(|error| error.kind()))
    }
}

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

fn numbered(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

#[test]
fn a_handshake_and_a_message_byte_by_byte_are_as_good_as_whole() {
    for version in VERSIONS {
        let mut pair = Pair::new(version);
        pair.client.writer().write_all(b"hello").unwrap();
        while pair.heard != b"hello" {
            for byte in pair.client_says() {
                pair.hear(&[byte]).unwrap();
            }
            while pair.server.outgoing_bytes() > 0 {
                assert_eq!(pair.pass_on(1), 0);
            }
        }
        assert!(!pair.server.is_handshaking() && pair.server.incoming.is_empty());
        pair.server_says(b"hello you", true);
        let len = pair.scratch.ciphertext.len();
        for at in 1..=len {
            // Nothing is sent before all is.
            let sent = if at < len { 0 } else { 9 };
            assert_eq!(pair.pass_on(1), sent);
        }
        assert_eq!(pair.client_heard(), (b"hello you".to_vec(), None));
    }
}

#[test]
fn small_records_are_read_in_turns_between_which_the_server_can_write() {
    for version in VERSIONS {
        let mut pair = Pair::ready(version);
        let count = RECORDS_PER_TURN * 2 + 10;
        let mut said = Vec::new();
        for number in 0..count {
            pair.client.writer().write_all(&[number as u8]).unwrap();
            said.extend(pair.client_says());
        }
        // A record is cut off.
        let last = said.split_off(said.len() - 3);
        for turn in 1..=3 {
            pair.hear(&std::mem::take(&mut said)).unwrap();
            let turns_left = turn < 3;
            assert_eq!(pair.server.waits(), turns_left);
            let read = (RECORDS_PER_TURN * turn).min(count - 1);
            assert_eq!(pair.heard.len(), read);
            pair.server_says(&[turn as u8], false);
            assert_eq!(pair.pass_on(usize::MAX), 1);
            assert_eq!(pair.client_heard().0, [turn as u8]);
        }
        pair.hear(&last).unwrap();
        let expected: Vec<u8> = (0..count).map(|number| number as u8).collect();
        assert!(pair.heard == expected);
        assert!(pair.server.incoming.is_empty());
    }
}

#[test]
fn long_messages_both_ways_in_random_pieces_come_through() {
    let mut chance = Chance::new(5, EntityId(1), Tick(0), "pieces");
    for version in VERSIONS {
        let mut pair = Pair::ready(version);
        pair.client.set_buffer_limit(None);
        let message = numbered(300_000);
        pair.client.writer().write_all(&message).unwrap();
        let mut said = pair.client_says();
        while !said.is_empty() || pair.server.waits() {
            let piece = (chance.next_f32() * 70_000.0) as usize;
            let piece: Vec<u8> = said.drain(..piece.min(said.len())).collect();
            pair.hear(&piece).unwrap();
            assert!(pair.server.incoming.len() <= INCOMPLETE_BYTES_MAX + 70_000);
        }
        assert!(pair.heard == message);
        let mut echoed = Vec::new();
        for part in message.chunks(64 * 1024) {
            pair.server_says(part, false);
            let mut sent = 0;
            while sent == 0 {
                sent = pair.pass_on(1 + (chance.next_f32() * 30_000.0) as usize);
                echoed.extend(pair.client_heard().0);
            }
            assert_eq!(sent, part.len());
            assert_eq!(pair.server.outgoing.capacity(), 0);
        }
        assert!(echoed == message);
    }
}

#[test]
fn new_keys_in_the_middle_of_everything_are_taken() {
    let mut pair = Pair::ready(&TLS13);
    for round in 0_u8..20 {
        pair.client.writer().write_all(&[round]).unwrap();
        pair.client.refresh_traffic_keys().unwrap();
        pair.client.writer().write_all(&[round]).unwrap();
        for byte in pair.client_says() {
            pair.hear(&[byte]).unwrap();
            // Whatever is half taken, the server can write.
            while pair.server.outgoing_bytes() > 0 {
                pair.pass_on(usize::MAX);
            }
            pair.server_says(&[byte], false);
            pair.pass_on(usize::MAX);
            assert_eq!(pair.client_heard().0, [byte]);
        }
        assert_eq!(pair.heard[usize::from(round) * 2..], [round, round]);
    }
}

#[test]
fn what_is_no_tls_ends_it_with_an_alert_and_nothing_more() {
    let no_message = &[22, 3, 1, 0, 5, 99, 0, 0, 1, 0];
    for garbage in [&[0_u8; 40][..], &[22, 3, 1, 0xff, 0xff, 0], no_message] {
        let mut pair = Pair::new(&TLS13);
        assert!(pair.hear(garbage).is_err(), "{garbage:?}");
        assert!(pair.server.has_ended());
        let alert = &pair.server.outgoing;
        assert_eq!((alert[0], alert.len()), (21, 7), "{alert:?}");
        // Whatever follows is not looked at.
        pair.hear(garbage).unwrap();
        assert_eq!(pair.server.outgoing_bytes(), 7);
    }
    for version in VERSIONS {
        let mut pair = Pair::ready(version);
        pair.client.writer().write_all(b"good").unwrap();
        let good = pair.client_says();
        pair.client.writer().write_all(b"damaged").unwrap();
        let mut damaged = pair.client_says();
        damaged[9] ^= 1;
        pair.hear(&[good, damaged].concat()).unwrap_err();
        assert!(pair.server.has_ended() && pair.server.outgoing_bytes() > 0);
    }
}

#[test]
fn a_handshake_that_goes_on_for_too_long_ends() {
    let mut pair = Pair::new(&TLS13);
    // The beginning of a message of 64 KiB, in records of 1 KiB.
    let mut record = vec![22, 3, 1, 4, 0, 1, 0, 0xff, 0xf0];
    record.resize(5 + 1024, 0);
    let mut taken = 0;
    while pair.hear(&record).is_ok() {
        taken += record.len();
        record[5..9].fill(0);
    }
    assert!(taken > HANDSHAKE_BYTES_MAX / 2 && taken <= HANDSHAKE_BYTES_MAX);
    assert!(pair.server.has_ended());
}

#[test]
fn the_end_of_a_peer_is_heard_behind_its_last_word_and_answered() {
    for version in VERSIONS {
        let mut pair = Pair::ready(version);
        pair.client.writer().write_all(b"last").unwrap();
        pair.client.send_close_notify();
        let mut said = pair.client_says();
        said.extend([1, 2, 3]);
        pair.hear(&said).unwrap();
        assert!(pair.server.peer_ended());
        assert_eq!(pair.heard, b"last");
        pair.hear(&[0; 100]).unwrap();
        assert_eq!(pair.heard, b"last");
        pair.server_says(b"", true);
        pair.pass_on(usize::MAX);
        assert_eq!(pair.client_heard(), (Vec::new(), None));
        assert!(pair.server.has_ended());
    }
}

#[test]
fn an_idle_connection_keeps_no_bytes() {
    let mut pair = Pair::ready(&TLS13);
    pair.client.writer().write_all(&numbered(10_000)).unwrap();
    let said = pair.client_says();
    pair.hear(&said).unwrap();
    pair.server_says(&numbered(10_000), false);
    pair.pass_on(usize::MAX);
    let Tls {
        incoming, outgoing, ..
    } = &pair.server;
    assert_eq!(incoming.capacity() + outgoing.capacity(), 0);
    println!("{} bytes, and what rustls keeps beside", size_of::<Tls>());
}

#[test]
fn damaged_streams_in_random_pieces_end_well_or_badly_but_end() {
    let mut chance = Chance::new(7, EntityId(1), Tick(0), "damage");
    let mut below = |limit: usize| (chance.next_u64() % limit as u64) as usize;
    let mut broken = [0, 0];
    for round in 0..400 {
        let mut pair = Pair::new(VERSIONS[round % 2]);
        pair.client.writer().write_all(&numbered(3000)).unwrap();
        // One byte of all that the client says is another one, most often.
        let mut at = below(5000);
        for _ in 0..6 {
            let mut said = pair.client_says();
            if let Some(byte) = said.get_mut(at) {
                *byte ^= 1 << below(8);
            }
            at = at.wrapping_sub(said.len());
            while !said.is_empty() || pair.server.waits() {
                let piece = said.len().min(1 + below(600));
                let piece: Vec<u8> = said.drain(..piece).collect();
                if pair.hear(&piece).is_err() {
                    broken[usize::from(pair.server.is_handshaking())] += 1;
                }
                let server = &pair.server;
                let can = server.outgoing_bytes() == 0 && !server.is_handshaking();
                if can && !server.has_ended() {
                    let ends = below(20) == 0;
                    pair.server_says(&numbered(below(100)), ends);
                }
                if pair.server.outgoing_bytes() + pair.scratch.ciphertext.len() > 0 {
                    pair.pass_on_whatever();
                }
            }
            if !pair.server.is_handshaking() && !pair.client.wants_write() {
                let _ = pair.client.refresh_traffic_keys();
            }
        }
    }
    println!("broken after and in the handshake: {broken:?}");
    assert!(broken[0] > 20 && broken[1] > 20, "{broken:?}");
}
