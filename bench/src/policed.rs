//! What a whole server spends on a message under all policies, by what it spends under none: two servers, each a process of
//! its own on the same processor, asked by turns.
//!
//! Opens no connection beyond this machine. Prints nothing but where a server is: [`run`] returns [`Figures`].

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use worldshard::{Auth, Result, Runtime};
use worldshard_client::transport::{
    Event, Limits, Reader, Role, client_request, parse_client_response,
};

use crate::compare::child::{Child, Place, usable_processors};
use crate::compare::{Ended, Spread};
use crate::load::Usage;
use crate::measured::{TENANT, application, everything, frame};

/// What is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program that serves when it is told [`SERVE`], the runtime's name, how many shards, and `on` or `off`.
    pub program: PathBuf,
    /// What drives the servers.
    pub runtime: Runtime,
    /// Shards of each server; all of them on one processor.
    pub shards: u16,
    /// Whether clients speak on the hot lane or the other.
    pub hot: bool,
    /// Connections, two of a user.
    pub connections: usize,
    /// Messages of each that are on their way at once, in one write.
    pub in_flight: usize,
    /// How often both servers are started anew: a program's place in memory is worth a percent.
    pub rounds: usize,
    /// How often each is asked in a round, by turns.
    pub turns: usize,
    /// Messages of each connection in a turn.
    pub messages: usize,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// CPU time of a message in nanoseconds, user and system, without any policy.
    pub off_ns: Spread,
    /// The same with all of them.
    pub on_ns: Spread,
    /// The second by the first, round for round.
    pub ratio: Spread,
}

/// The argument that makes a program serve.
pub const SERVE: &str = "--serve";

/// Serves until the process ends: with all policies and a tenant by name, or without any. Its first line says where.
///
/// # Errors
/// The server does not start.
pub fn serve(runtime: Runtime, shards: u16, on: bool) -> Result<()> {
    let mut app = application(on.then(everything));
    app.bind("127.0.0.1:0").runtime(runtime).shards(shards);
    app.options(|options| options.auth = Some(Auth::None));
    let running = app.start()?;
    if let Some(address) = running.local_addr() {
        println!("ready {address}");
    }
    running.join()
}

/// Measures it.
///
/// # Errors
/// A server does not start, ends a connection or answers otherwise than it should.
pub fn run(plan: &Plan, stop: &AtomicBool) -> std::result::Result<Figures, Ended> {
    let mut rounds = [Vec::new(), Vec::new()];
    let mut ratios = Vec::new();
    for _ in 0..plan.rounds {
        let mut sides = [
            Side::start(plan, false, stop)?,
            Side::start(plan, true, stop)?,
        ];
        // A server's first messages make it take memory from the system.
        for side in &mut sides {
            side.turn(plan)?;
        }
        let mut spent = [Duration::ZERO; 2];
        for turn in 0..plan.turns {
            let order = if turn % 2 == 0 { [0, 1] } else { [1, 0] };
            for which in order {
                spent[which] += sides[which].turn(plan)?;
            }
        }
        let messages = (plan.turns * plan.connections * plan.messages) as f64;
        let [off, on] = spent.map(|time| time.as_nanos() as f64 / messages);
        rounds[0].push(off);
        rounds[1].push(on);
        ratios.push(on / off);
    }
    let [off, on] = rounds.map(Spread::of);
    let spread = |spread: Option<Spread>| spread.ok_or(Ended::Failed("no rounds".to_owned()));
    Ok(Figures {
        off_ns: spread(off)?,
        on_ns: spread(on)?,
        ratio: spread(Spread::of(ratios))?,
    })
}

/// A server and its clients.
struct Side {
    server: Child,
    clients: Vec<Client>,
}

struct Client {
    stream: TcpStream,
    /// Bytes of each answer.
    answer_bytes: usize,
}

impl Side {
    fn start(plan: &Plan, on: bool, stop: &AtomicBool) -> std::result::Result<Self, Ended> {
        let words = [
            SERVE.to_owned(),
            plan.runtime.to_string(),
            plan.shards.to_string(),
            if on { "on" } else { "off" }.to_owned(),
        ];
        let place = Place {
            processor: usable_processors().first().copied(),
            ..Place::default()
        };
        let mut server = Child::start(&plan.program, &words, place)?;
        let (address, _) = server.ready(stop)?;
        let tenant = match on {
            true => format!("&tenant={TENANT}"),
            false => String::new(),
        };
        let client = |number: usize| {
            let path = format!("/lanes?user=user-{}{tenant}", number / 2);
            Client::connect(address, &path, &frame(plan.hot))
        };
        let clients = (0..plan.connections).map(client);
        let clients = clients.collect::<io::Result<_>>()?;
        Ok(Self { server, clients })
    }

    /// Everybody says so much and hears it; what the server spent on that.
    fn turn(&mut self, plan: &Plan) -> io::Result<Duration> {
        let batch = frame(plan.hot).repeat(plan.in_flight);
        let mut answers = Vec::new();
        let before = Usage::of(self.server.id())?;
        for _ in 0..plan.messages / plan.in_flight {
            for client in &mut self.clients {
                client.stream.write_all(&batch)?;
            }
            for client in &mut self.clients {
                answers.resize(client.answer_bytes * plan.in_flight, 0);
                client.stream.read_exact(&mut answers)?;
            }
        }
        Ok(Usage::of(self.server.id())?.cpu_since(&before))
    }
}

impl Client {
    /// Connects, hears the greeting, and how long an answer is.
    fn connect(server: SocketAddr, path: &str, frame: &[u8]) -> io::Result<Self> {
        let mut stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let key = b"sixteen bytes of";
        stream.write_all(&client_request("localhost", path, key))?;
        let mut head = Vec::new();
        // Byte by byte: the greeting may follow at once.
        loop {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.extend_from_slice(&byte);
            let answer = parse_client_response(&head, key);
            let answer = answer.map_err(|refusal| io::Error::other(refusal.to_string()))?;
            if answer.is_some() {
                break;
            }
        }
        let (_, greeting) = read_message(&mut stream)?;
        if !greeting.contains("authed") {
            return Err(io::Error::other(format!("no greeting: {greeting}")));
        }
        stream.write_all(frame)?;
        let (answer_bytes, answer) = read_message(&mut stream)?;
        if !answer.contains(&"x".repeat(64)) {
            return Err(io::Error::other(format!("no echo: {answer}")));
        }
        Ok(Self {
            stream,
            answer_bytes,
        })
    }
}

/// One message: how many bytes of the stream it took, and what it says.
fn read_message(stream: &mut TcpStream) -> io::Result<(usize, String)> {
    let mut reader = Reader::new(Role::Client, Limits::default());
    let mut bytes = 0;
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        bytes += 1;
        let step = reader.read(&mut byte);
        let step = step.map_err(|failure| io::Error::other(failure.reason))?;
        match step.event {
            None => {}
            Some(Event::Message { payload, .. }) => {
                return Ok((bytes, String::from_utf8_lossy(payload).into_owned()));
            }
            Some(Event::Ping(_) | Event::Pong(_) | Event::Close { .. }) => {
                return Err(ErrorKind::InvalidData.into());
            }
        }
    }
}

/// For an answer.
const PATIENCE: Duration = Duration::from_secs(20);
