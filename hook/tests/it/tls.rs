//! A service that is reached by `https`: whose certificate is believed.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use worldshard_hook::HookOptions;

use crate::socket::{Client, PATIENCE, end, eventually, on_each_runtime, serve};
use crate::{SECRET, app, hears, say};

/// An authority, as PEM, and how a service shows a certificate of it for this machine.
fn authority() -> (String, Arc<ServerConfig>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap().der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    (pem, Arc::new(config))
}

/// A service that shows a certificate so, takes what it is posted and passes its bodies on. It is there as long as the
/// process; what is said to it after its test nobody hears.
fn service(config: Arc<ServerConfig>) -> (String, Mutex<Receiver<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/hook", listener.local_addr().unwrap());
    let (told, posted) = sync_channel(1000);
    let accepting = std::thread::Builder::new();
    accepting
        .spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let told = told.clone();
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let serve = move || {
                    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
                    // Who does not believe it hangs up.
                    while let Some(body) = answer(&mut stream) {
                        if told.send(body).is_err() {
                            return;
                        }
                    }
                };
                std::thread::Builder::new().spawn(serve).unwrap();
            }
        })
        .unwrap();
    (url, Mutex::new(posted))
}

/// Answers one request, and gives its body; none at the end.
fn answer(stream: &mut BufReader<StreamOwned<ServerConnection, TcpStream>>) -> Option<String> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        let line = line.trim_end().to_lowercase();
        if let Some(bytes) = line.strip_prefix("content-length: ") {
            length = bytes.parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    stream.get_mut().write_all(answer).ok()?;
    String::from_utf8(body).ok()
}

#[test]
fn a_service_whose_certificate_the_operators_own_authority_signed_is_told_and_no_other() {
    on_each_runtime(|runtime| {
        let (pem, config) = authority();
        let (other, _) = authority();
        let (url, posted) = service(config);
        // First those who do not believe it: what they would post would be seen.
        let both = format!("{other}{pem}");
        for (trusted, is_told) in [(None, false), (Some(&other), false), (Some(&both), true)] {
            let mut options = HookOptions::new(url.clone(), SECRET);
            options.retries = 0;
            options.timeout = Duration::from_secs(10);
            if let Some(pem) = trusted {
                options.trust(pem.as_bytes()).unwrap();
            }
            let (mut app, watch) = app(runtime, 2, options);
            let (running, address) = serve(&mut app);
            let mut client = Client::connect(address, "/ws");
            say(&mut client, "hello");
            assert_eq!(hears(&mut client), "hello");
            match is_told {
                true => {
                    let posted = posted.lock().unwrap();
                    let connect = posted.recv_timeout(PATIENCE).unwrap();
                    assert!(connect.contains(r#""event":"connect""#), "{connect}");
                    let message = posted.recv_timeout(PATIENCE).unwrap();
                    assert!(message.contains(r#""text":"hello""#), "{message}");
                }
                false => {
                    eventually(PATIENCE, "both are given up", || {
                        watch.status().events_failed >= 2
                    });
                    assert_eq!(watch.status().events_sent, 0);
                    assert!(posted.lock().unwrap().try_recv().is_err());
                }
            }
            drop(client);
            end(running);
        }
    });
}

#[test]
fn what_is_no_certificate_is_named_with_its_line() {
    let (pem, _) = authority();
    let trust = |text: &str| HookOptions::new("", "").trust(text.as_bytes());
    let mut options = HookOptions::new("", "");
    options
        .trust(format!("ours\n{pem}{pem}").as_bytes())
        .unwrap();
    assert_eq!(options.authorities.len(), 2);
    let none = trust("a text").unwrap_err();
    assert!(none.starts_with("no certificate in it"), "{none}");
    let torn = pem.replace("-----END CERTIFICATE-----", "");
    assert_eq!(
        trust(&torn).unwrap_err(),
        "line 1: what begins there has no end"
    );
    let wrong = "\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    assert_eq!(
        trust(&format!("{pem}{wrong}")).unwrap_err(),
        format!(
            "line {}: what begins there is no certificate",
            pem.lines().count() + 2
        )
    );
}
