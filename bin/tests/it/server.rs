//! A `worldshard serve` of a test's own.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use worldshard_client::{Connection, Event, Framing};

/// Long enough for a loaded machine; nothing waits so long when all is well.
pub(crate) const WAIT: Duration = Duration::from_secs(20);

/// A served world or application; killed when dropped.
pub(crate) struct Server {
    child: Child,
    addr: SocketAddr,
    line: String,
    operators: Option<SocketAddr>,
}

impl Server {
    /// Starts `worldshard serve` on a free port and waits for its line.
    pub(crate) fn start(runtime: &str, args: &[&str]) -> Self {
        Self::start_by(Command::new(PROGRAM), runtime, args)
    }

    /// The same with a limit of the shell's, such as `-n 64` for at most so many descriptors.
    pub(crate) fn start_limited(limit: &str, runtime: &str, args: &[&str]) -> Self {
        Self::start_by(limited(limit), runtime, args)
    }

    /// The same by a command that ends with the program, and may change what it runs in.
    pub(crate) fn start_by(mut command: Command, runtime: &str, args: &[&str]) -> Self {
        command.args(["serve", "--log", "off"]);
        Self::spawn(command, runtime, args)
    }

    /// The same, and keeps what it warns of until it [ends](Self::end).
    pub(crate) fn start_warning(runtime: &str, args: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--log", "warn"]);
        command.stderr(Stdio::piped());
        Self::spawn(command, runtime, args)
    }

    /// Starts `worldshard replay` on a free port and waits for the line of its server.
    pub(crate) fn replay(args: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["--log", "off", "replay"]);
        Self::await_line(command, args)
    }

    /// Starts `worldshard floor` on a free port.
    #[cfg(target_os = "linux")]
    pub(crate) fn floor(args: &[&str]) -> Self {
        Self::floor_by(Command::new(PROGRAM), args)
    }

    /// The same by a command that ends with the program.
    #[cfg(target_os = "linux")]
    pub(crate) fn floor_by(mut command: Command, args: &[&str]) -> Self {
        command.arg("floor");
        Self::await_line(command, args)
    }

    fn spawn(mut command: Command, runtime: &str, args: &[&str]) -> Self {
        command.args(["--runtime", runtime]);
        Self::await_line(command, args)
    }

    /// Starts whatever the command is on a free port, and waits for its line; its log goes where the command says.
    pub(crate) fn start_saying(command: Command, args: &[&str]) -> Self {
        Self::await_line(command, args)
    }

    fn await_line(command: Command, args: &[&str]) -> Self {
        Self::start_at(command, "127.0.0.1:0", args)
    }

    /// The same at this address.
    pub(crate) fn start_at(mut command: Command, address: &str, args: &[&str]) -> Self {
        command.args(["--bind", address]).args(args);
        Self::listen(command)
    }

    /// Starts a project on a free port, and keeps what it warns of.
    #[cfg(feature = "wasm")]
    pub(crate) fn dev(args: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["--log", "warn", "dev", "0"]).args(args);
        command.stderr(Stdio::piped());
        Self::listen(command)
    }

    fn listen(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        // What it says before it serves is not for those who connect.
        while stdout.read_line(&mut line).unwrap() > 0 && !line.contains("://") {
            line.clear();
        }
        let addr = line
            .split("://")
            .nth(1)
            .and_then(|rest| rest.split('/').next());
        let Some(addr) = addr.and_then(|addr| addr.parse().ok()) else {
            let status = child.wait().unwrap();
            panic!("{command:?} said {line:?} and ended with {status}");
        };
        let mut operators = None;
        if command.get_args().any(|arg| arg == "--admin") {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            let addr = line.split("operators at http://").nth(1);
            operators = addr.map(|addr| addr.trim_end().trim_end_matches('/').parse().unwrap());
        }
        Self {
            child,
            addr,
            line,
            operators,
        }
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where it answers operators, if it was started with `--admin`.
    pub(crate) fn operators(&self) -> SocketAddr {
        self.operators.expect("started with --admin")
    }

    /// Takes what it says to stderr, if that was kept.
    pub(crate) fn take_stderr(&mut self) -> Option<std::process::ChildStderr> {
        self.child.stderr.take()
    }

    /// What it said when it was ready.
    pub(crate) fn line(&self) -> &str {
        self.line.trim_end()
    }

    /// A client of a raw path, its upgrade done.
    pub(crate) fn raw(&self) -> Connection {
        let mut connection = Connection::connect(self.addr, "/ws", Framing::Raw).unwrap();
        assert_eq!(connection.receive(WAIT).unwrap(), Some(Event::Opened));
        connection
    }

    /// Its numbers now.
    pub(crate) fn status(&self) -> Status {
        let (_, body) = self.get("/status");
        Status(serde_json::from_str(&body).unwrap())
    }

    /// What it answers to a GET of `path`: status and body.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.ask(path, "")
    }

    /// The same with further lines of a head.
    pub(crate) fn ask(&self, path: &str, lines: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(WAIT)).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{lines}\r\n", self.addr);
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap();
        (status.parse().unwrap(), body.to_owned())
    }

    /// What the system says of its process.
    pub(crate) fn usage(&self) -> Usage {
        let folder = format!("/proc/{}", self.pid());
        let status = fs::read_to_string(format!("{folder}/status")).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let stat = fs::read_to_string(format!("{folder}/stat")).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let times = fields.split(' ').skip(11).take(2);
        let clock_ticks: u64 = times.map(|time| time.parse::<u64>().unwrap()).sum();
        Usage {
            resident_kib: resident
                .and_then(|text| text.trim().split(' ').next()?.parse().ok())
                .unwrap(),
            // A tick of this clock is a hundredth of a second.
            processor: Duration::from_millis(10) * u32::try_from(clock_ticks).unwrap(),
            descriptors: fs::read_dir(format!("{folder}/fd")).unwrap().count(),
        }
    }

    pub(crate) fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Ends it by an interrupt, which it must take well; what it warned of, if that was kept.
    pub(crate) fn end(mut self) -> String {
        self.interrupt();
        let mut warnings = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut warnings).unwrap();
        }
        assert_eq!(self.wait().code(), Some(0), "{warnings}");
        warnings
    }
}

/// The program under a limit of the shell's.
pub(crate) fn limited(limit: &str) -> Command {
    let mut shell = Command::new("sh");
    let script = format!("ulimit {limit} && exec \"$0\" \"$@\"");
    shell.args(["-c", &script, PROGRAM]);
    shell
}

/// What the system says of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) resident_kib: u64,
    pub(crate) processor: Duration,
    pub(crate) descriptors: usize,
}

/// An answer of `/status`.
pub(crate) struct Status(pub(crate) Value);

impl Status {
    /// The last tick that every shard has completed.
    pub(crate) fn tick(&self) -> u64 {
        self.0["tick"].as_u64().unwrap()
    }

    pub(crate) fn shards(&self) -> &[Value] {
        self.0["shards"].as_array().unwrap()
    }

    /// A number of each shard.
    pub(crate) fn each(&self, name: &str) -> impl Iterator<Item = u64> {
        self.shards()
            .iter()
            .map(move |one| one[name].as_u64().unwrap())
    }

    /// Nothing that clients can fill is fuller than its limit, which stands beside it.
    pub(crate) fn assert_bounded(&self) {
        for shard in self.shards() {
            let number = |place: &Value, name: &str| place[name].as_u64().unwrap();
            let within = |place, name, limit| {
                let (gauge, limit) = (number(place, name), number(place, limit));
                assert!(gauge <= limit, "{name} {gauge}, at most {limit}: {shard}");
            };
            within(shard, "queue_bytes_largest", "queue_bytes_max");
            within(shard, "letters", "letters_max");
            within(shard, "envelopes", "envelopes_max");
            let world = &shard["world"];
            within(world, "viewers", "viewers_max");
            within(world, "credits_out_largest", "credits_max");
            within(world, "commands_pending_largest", "commands_pending_max");
            within(world, "undelivered_sessions", "undelivered_sessions_max");
        }
    }

    /// Each shard has looked for lost and doubled entities, and found none.
    pub(crate) fn assert_audited(&self) {
        for shard in self.shards() {
            let audit = |name: &str| shard["world"][name].as_u64().unwrap();
            assert!(audit("audit_checks") > 0, "{shard}");
            assert_eq!(audit("audit_failures"), 0, "{shard}");
        }
    }
}

/// The time now: these tests are about it.
#[expect(
    clippy::disallowed_methods,
    reason = "tests over real sockets measure real time"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Asks `ready` again and again until it is, for at most [`WAIT`].
pub(crate) fn eventually(what: &str, mut ready: impl FnMut() -> bool) {
    let deadline = now() + WAIT;
    while !ready() {
        assert!(now() < deadline, "not within {WAIT:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Whether the long forms of tests are asked for.
pub(crate) fn full() -> bool {
    std::env::var("WORLDSHARD_FULL").is_ok_and(|full| full == "1")
}

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_worldshard");

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes two tests of each function: one per runtime.
macro_rules! on_each_runtime {
    ($($test:ident),+ $(,)?) => {
        $(
            mod $test {
                #[test]
                fn glommio() {
                    if crate::runtimes::runs_here(worldshard::Runtime::Glommio, 1) {
                        super::$test("glommio");
                    }
                }

                #[test]
                fn portable() {
                    if crate::runtimes::runs_here(worldshard::Runtime::Portable, 1) {
                        super::$test("portable");
                    }
                }
            }
        )+
    };
}

pub(crate) use on_each_runtime;
