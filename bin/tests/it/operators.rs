//! Servers with a listener of operators, and the commands that ask it. Never judges: tests do.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::prometheus::Scrape;
use crate::server::{PROGRAM, Server, WAIT};

pub(crate) const TOKEN: &str = "a token of operators that nobody may log";

/// A file of one test alone; removed when dropped.
pub(crate) struct OwnFile(PathBuf);

impl OwnFile {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let name = format!("worldshard-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        // Nobody else has it.
        let _ = fs::remove_file(&self.0);
    }
}

/// A file with the token, of this test alone.
pub(crate) struct TokenFile(OwnFile);

impl TokenFile {
    pub(crate) fn new(test: &str) -> Self {
        let name = format!("{test}.token");
        Self(OwnFile::new(&name, &format!("{TOKEN}\n")))
    }

    pub(crate) fn path(&self) -> &str {
        self.0.path()
    }

    /// What a server is started with to answer operators on a free port.
    pub(crate) fn flags(&self) -> [&str; 4] {
        ["--admin", "127.0.0.1:0", "--admin-token-file", self.path()]
    }
}

/// A server that answers operators and logs as `log` says, into stderr that is kept.
pub(crate) fn start(runtime: &str, token: &TokenFile, log: &[&str], args: &[&str]) -> Server {
    let mut command = Command::new(PROGRAM);
    command.arg("serve").args(log).args(["--runtime", runtime]);
    command.stderr(Stdio::piped());
    let args: Vec<&str> = token
        .flags()
        .into_iter()
        .chain(args.iter().copied())
        .collect();
    Server::start_saying(command, &args)
}

/// Runs `worldshard admin` on a server.
pub(crate) fn admin(server: &Server, token: &TokenFile, args: &[&str]) -> Output {
    let url = format!("http://{}", server.operators());
    let mut command = Command::new(PROGRAM);
    command.args(["admin", "--url", &url, "--token-file", token.path()]);
    command.args(args).output().unwrap()
}

/// The same, which must go well; what it printed.
pub(crate) fn admin_says(server: &Server, token: &TokenFile, args: &[&str]) -> String {
    let done = admin(server, token, args);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(0), "{args:?}: {said}");
    String::from_utf8(done.stdout).unwrap()
}

/// Asks as an operator: status and body.
pub(crate) fn get(operators: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(operators).unwrap();
    stream.set_read_timeout(Some(WAIT)).unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: admin\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap();
    (status.parse().unwrap(), body.to_owned())
}

/// All metrics now.
pub(crate) fn scrape(server: &Server) -> Scrape {
    let (status, text) = get(server.operators(), "/metrics");
    assert_eq!(status, 200, "{text}");
    Scrape::read(&text)
}
