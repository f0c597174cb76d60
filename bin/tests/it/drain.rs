//! A signal to a server under load: every client hears why it is closed, all that was under way is answered, and the server
//! ends in time; a second signal ends it at once.

use std::net::TcpStream;
use std::time::Duration;

use rustix::process::Signal;
use worldshard_client::{Connection, Event, Framing};

use crate::operators::{TokenFile, get, start};
use crate::server::{Server, WAIT, eventually, full, now, on_each_runtime};
use crate::world::greet;

on_each_runtime!(
    a_thousand_busy_clients_are_told_and_nothing_under_way_is_lost,
    a_second_signal_ends_it_at_once,
);

/// What one client said and heard. One on lanes asks, and ceases to ask when it is told that the server stops.
struct Busy {
    connection: Connection,
    on_lanes: bool,
    said: u32,
    answered: u32,
    told: bool,
    closed: Option<(u16, String)>,
}

impl Busy {
    fn on_lanes(server: &Server) -> Self {
        Self::over(greet(server).0, true)
    }

    fn raw(server: &Server) -> Self {
        Self::over(server.raw(), false)
    }

    fn over(connection: Connection, on_lanes: bool) -> Self {
        Self {
            connection,
            on_lanes,
            said: 0,
            answered: 0,
            told: false,
            closed: None,
        }
    }

    /// Reads what has come; answers must come in the order in which was asked, and none after the close.
    fn read(&mut self) {
        while let Some(event) = self.connection.try_receive().unwrap() {
            match event {
                Event::Text(text) if text.contains(r#""draining""#) => self.told = true,
                Event::Text(text) => {
                    let number = self.answered.to_string();
                    let wanted = match self.on_lanes {
                        true => format!(r#""data":{number}}}"#),
                        false => number,
                    };
                    assert!(text.ends_with(&wanted), "{text}, not {wanted}");
                    assert!(self.closed.is_none(), "something after the close");
                    self.answered += 1;
                }
                Event::Closed { code, reason } => self.closed = Some((code, reason)),
                _ => {}
            }
        }
    }

    /// Keeps so many texts under way.
    fn speak(&mut self) {
        while self.closed.is_none() && !self.told && self.said < self.answered + UNDER_WAY {
            let number = self.said.to_string();
            self.connection.text(&match self.on_lanes {
                true => format!(r#"{{"v":1,"svc":"sys","type":"ping","data":{number}}}"#),
                false => number,
            });
            self.said += 1;
        }
        if self.closed.is_none() {
            // A server that closes meanwhile is read, and not written to.
            let _ = self.connection.flush();
        }
    }
}

fn a_thousand_busy_clients_are_told_and_nothing_under_way_is_lost(runtime: &str) {
    for (app, join) in [
        ("world", Busy::on_lanes as fn(&Server) -> Busy),
        ("echo", Busy::raw),
    ] {
        stops_under_load(runtime, app, join);
    }
}

fn stops_under_load(runtime: &str, app: &str, join: fn(&Server) -> Busy) {
    let clients = if full() { 1000 } else { 200 };
    let token = TokenFile::new(&format!("drain-{runtime}"));
    let args = ["--app", app, "--shards", "2", "--entities", "100"];
    let mut server = start(runtime, &token, &["--log", "warn"], &args);
    let mut busy: Vec<Busy> = (0..clients).map(|_| join(&server)).collect();
    let warm = now() + Duration::from_secs(1);
    while now() < warm || busy.iter().any(|one| one.answered == 0) {
        for one in &mut busy {
            one.speak();
            one.read();
        }
    }
    let began = now();
    server.signal(Signal::TERM);
    while busy.iter().any(|one| one.closed.is_none()) {
        assert!(began.elapsed() < WAIT, "not everyone is told");
        for one in &mut busy {
            one.speak();
            one.read();
        }
    }
    let (mut said, mut answered) = (0, 0);
    for one in &busy {
        assert_eq!(one.closed, Some((1001, "the server stops".to_owned())));
        // Who was told before said nothing more, and has all its answers. Others said something on which the close crossed.
        assert_eq!(one.told, one.on_lanes);
        let crossed = if one.told { 0 } else { UNDER_WAY };
        assert!(
            one.said - one.answered <= crossed,
            "{} of {}",
            one.answered,
            one.said
        );
        said += one.said;
        answered += one.answered;
    }
    drop(busy);
    assert_eq!(server.wait().code(), Some(0));
    let took = began.elapsed();
    println!(
        "{clients} clients of {app}, {runtime}: {said} said, {answered} answered, ended after {took:?}"
    );
    assert!(took < GRACE + Duration::from_secs(1), "{took:?}");
}

fn a_second_signal_ends_it_at_once(runtime: &str) {
    let token = TokenFile::new(&format!("second-{runtime}"));
    let args = ["--app", "echo", "--shards", "2"];
    let mut server = start(runtime, &token, &["--log", "warn"], &args);
    // Closes its connection only when its process ends, so that the first signal alone takes the whole grace.
    let _deaf: Vec<TcpStream> = (0..4)
        .map(|_| {
            let mut connection = Connection::connect(server.addr(), "/ws", Framing::Raw).unwrap();
            assert_eq!(connection.receive(WAIT).unwrap(), Some(Event::Opened));
            connection.stream().try_clone().unwrap()
        })
        .collect();
    let operators = server.operators();
    let began = now();
    server.signal(Signal::TERM);
    eventually("it drains", || {
        get_if_there(operators).is_none_or(|status| status == 503)
    });
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    assert!(began.elapsed() < GRACE, "{:?}", began.elapsed());
}

/// The answer of `/readyz`; none when the server is gone.
fn get_if_there(operators: std::net::SocketAddr) -> Option<u16> {
    TcpStream::connect(operators).ok()?;
    Some(get(operators, "/readyz").0)
}

/// Texts of a client that have no answer yet.
const UNDER_WAY: u32 = 4;

/// As the server's limits have it.
const GRACE: Duration = Duration::from_secs(2);
