//! What a server does to its process and suffers from it: descriptors that run out, processor time when idle.
//!
//! Each test runs its server in a process of its own: this binary again, told so by its environment.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use worldshard::Runtime;
use worldshard_transport::MessageKind;

use crate::socket::{Client, PATIENCE, echo_app, end, eventually, get, on_each_runtime, serve};

/// Set in the child: the runtime to serve on.
const SERVE_ON: &str = "WORLDSHARD_TEST_SERVE_ON";

/// As a child: serves until its input ends, and never returns.
fn serve_if_child() {
    let Ok(runtime) = std::env::var(SERVE_ON) else {
        return;
    };
    let (running, address) = serve(&mut echo_app(runtime.parse().unwrap(), 2));
    println!("\nlistening {address}");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    end(running);
    std::process::exit(0);
}

/// A server in a child that runs `test`, with at most `files` open files.
fn child(test: &str, runtime: Runtime, files: u32) -> (Child, SocketAddr) {
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new("sh")
        .args([
            "-c",
            &format!("ulimit -n {files}; exec \"$0\" --exact {test} --nocapture"),
        ])
        .arg(program)
        .env(SERVE_ON, runtime.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let address = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("listening ")?.parse().ok())
        .unwrap();
    (child, address)
}

/// Ends the child by ending its input, and expects it to exit well.
fn end_child(mut child: Child) {
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn descriptors_that_run_out_refuse_newcomers_until_some_are_free() {
    serve_if_child();
    on_each_runtime(|runtime| {
        let name = "net_process::descriptors_that_run_out_refuse_newcomers_until_some_are_free";
        let (child, address) = child(name, runtime, 60);
        let mut first = Client::connect(address, "/ws");
        let mut sockets = Vec::new();
        for _ in 0..80 {
            sockets.push(std::net::TcpStream::connect(address).unwrap());
        }
        eventually(PATIENCE, "a newcomer is refused", || {
            get(address, "/healthz").0 == 503
        });
        first.echoes(MessageKind::Text, b"undisturbed");
        drop(sockets);
        eventually(PATIENCE, "newcomers are served again", || {
            get(address, "/healthz").0 == 200
        });
        first.echoes(MessageKind::Text, b"still");
        drop(first);
        end_child(child);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn an_idle_server_leaves_the_processor_to_others() {
    serve_if_child();
    on_each_runtime(|runtime| {
        let name = "net_process::an_idle_server_leaves_the_processor_to_others";
        let (child, _) = child(name, runtime, 1024);
        let ticks_of = |child: &Child| {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
            let (_, fields) = stat.rsplit_once(") ").unwrap();
            let mut times = fields
                .split(' ')
                .skip(11)
                .map(|field| field.parse::<u64>().unwrap());
            times.next().unwrap() + times.next().unwrap()
        };
        let before = ticks_of(&child);
        let until = crate::socket::now() + Duration::from_secs(3);
        while crate::socket::now() < until {
            std::thread::park_timeout(Duration::from_millis(100));
        }
        // A tick of this clock is 10 ms; two shards, each at most 2 % of 3 s.
        let used = Duration::from_millis(10) * u32::try_from(ticks_of(&child) - before).unwrap();
        println!("{used:?} of 3 s on {runtime}");
        assert!(
            used <= Duration::from_millis(120),
            "{used:?} of processor time while idle"
        );
        end_child(child);
    });
}
