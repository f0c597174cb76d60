//! A server in a process of its own: this binary again, told so by its environment, running the same test.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use worldshard::Runtime;
use worldshard::prelude::*;

use crate::socket::{end, serve};

/// Set in the child: the runtime to serve on.
const SERVE_ON: &str = "WORLDSHARD_TEST_SERVE_ON";

/// Set in the child, if its test wants it to know: the number of shards.
const SHARDS: &str = "WORLDSHARD_TEST_SHARDS";

/// As a child: the number of shards that its test asked for.
pub(crate) fn shards_if_asked() -> Option<u16> {
    std::env::var(SHARDS).ok()?.parse().ok()
}

/// As a child: serves until its input ends, and never returns.
pub(crate) fn serve_if_child(app: impl FnOnce(Runtime) -> App) {
    let Ok(runtime) = std::env::var(SERVE_ON) else {
        return;
    };
    let (running, address) = serve(&mut app(runtime.parse().unwrap()));
    println!("\nlistening {address}");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    end(running);
    std::process::exit(0);
}

/// As a child: serves until signals end it, and never returns.
pub(crate) fn serve_until_signal_if_child(app: impl FnOnce(Runtime) -> App) {
    let Ok(runtime) = std::env::var(SERVE_ON) else {
        return;
    };
    let (running, address) = serve(&mut app(runtime.parse().unwrap()));
    let announce = |_: &Running| println!("\nlistening {address}");
    running.join_or_signal_after(announce).unwrap();
    std::process::exit(0);
}

/// The process of a server; killed when dropped.
pub(crate) struct Child {
    process: std::process::Child,
    pub(crate) address: SocketAddr,
}

impl Child {
    /// A server in a child that runs `test`, with at most `files` open files.
    pub(crate) fn start(test: &str, runtime: Runtime, files: u32) -> Child {
        Self::start_sharded(test, runtime, 2, files)
    }

    /// The same, and tells it a number of shards.
    pub(crate) fn start_sharded(test: &str, runtime: Runtime, shards: u16, files: u32) -> Child {
        Self::start_knowing(test, runtime, files, (SHARDS, &shards.to_string()))
    }

    /// The same, and tells it what a variable is to be.
    pub(crate) fn start_knowing(
        test: &str,
        runtime: Runtime,
        files: u32,
        (name, value): (&str, &str),
    ) -> Child {
        let program = std::env::current_exe().unwrap();
        let script = format!("ulimit -n {files}; exec \"$0\" --exact {test} --nocapture");
        let mut process = Command::new("sh")
            .args(["-c", &script])
            .arg(program)
            .env(SERVE_ON, runtime.to_string())
            .env(name, value)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.as_mut().unwrap()).lines();
        let address = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("listening ")?.parse().ok())
            .unwrap();
        Child { process, address }
    }

    /// What the system tells of it under this name.
    pub(crate) fn proc(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.process.id())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.try_wait().unwrap().is_some()
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.process.wait().unwrap()
    }

    /// Ends it by ending its input, and expects it to exit well.
    pub(crate) fn end(mut self) {
        drop(self.process.stdin.take());
        assert!(self.wait().success());
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It has ended already, unless the test fails.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
