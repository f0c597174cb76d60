//! A `worldshard serve` of a test's own, and which runtimes can run here.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use worldshard::Runtime;
use worldshard::runtime::probe::choose;
use worldshard_client::{Connection, Event, Framing};

/// Long enough for a loaded machine; nothing waits so long when all is well.
pub(crate) const WAIT: Duration = Duration::from_secs(20);

/// A served world or application; killed when dropped.
pub(crate) struct Server {
    child: Child,
    addr: SocketAddr,
    line: String,
}

impl Server {
    /// Starts `worldshard serve` on a free port and waits for its line.
    pub(crate) fn start(runtime: &str, args: &[&str]) -> Self {
        Self::spawn(
            Command::new(env!("CARGO_BIN_EXE_worldshard")),
            runtime,
            args,
        )
    }

    /// The same with at most so many descriptors open.
    pub(crate) fn start_with_descriptors(most: u32, runtime: &str, args: &[&str]) -> Self {
        let mut shell = Command::new("sh");
        let script = format!("ulimit -n {most}; exec \"$0\" \"$@\"");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_worldshard")]);
        Self::spawn(shell, runtime, args)
    }

    fn spawn(mut command: Command, runtime: &str, args: &[&str]) -> Self {
        command
            .args([
                "serve",
                "--bind",
                "127.0.0.1:0",
                "--log",
                "off",
                "--runtime",
                runtime,
            ])
            .args(args);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let addr = line
            .split("://")
            .nth(1)
            .and_then(|rest| rest.split('/').next());
        let Some(addr) = addr.and_then(|addr| addr.parse().ok()) else {
            let status = child.wait().unwrap();
            panic!("{runtime} {args:?} said {line:?} and ended with {status}");
        };
        Self { child, addr, line }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
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

    pub(crate) fn interrupt(&self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::INT).unwrap();
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether tests shall run on this runtime: asked for by `WORLDSHARD_RUNTIME`, if set, and possible here.
pub(crate) fn runs_here(runtime: &str) -> bool {
    let wanted = std::env::var("WORLDSHARD_RUNTIME").ok();
    if wanted.as_deref().is_some_and(|wanted| wanted != runtime) {
        eprintln!("{runtime}: not run: WORLDSHARD_RUNTIME asks for another");
        return false;
    }
    let wish = if runtime == "glommio" {
        Runtime::Glommio
    } else {
        Runtime::Portable
    };
    match choose(wish, 1) {
        Ok(_) => true,
        Err(cause) => {
            eprintln!("{runtime}: not run: {cause}");
            false
        }
    }
}

/// Makes two tests of each function: one per runtime.
macro_rules! on_each_runtime {
    ($($test:ident),+ $(,)?) => {
        $(
            mod $test {
                #[test]
                fn glommio() {
                    if crate::server::runs_here("glommio") {
                        super::$test("glommio");
                    }
                }

                #[test]
                fn portable() {
                    if crate::server::runs_here("portable") {
                        super::$test("portable");
                    }
                }
            }
        )+
    };
}

pub(crate) use on_each_runtime;
