//! Files of folders over real sockets: what is answered, what leaves the folder (nothing), what changes on disk.

use std::fs;
use std::io::{Read, Write};
use std::time::Duration;

use worldshard::Runtime;
use worldshard_transport::MessageKind;

use crate::folder::Folder;
use crate::socket::{
    Client, PATIENCE, answer, echo_app, end, eventually, get, http, on_each_runtime, serve, tcp,
};
use crate::tls::{self, Authority};

#[test]
fn folders_pages_sockets_and_health_share_one_port() {
    on_each_runtime(|runtime| {
        for shards in [1, 2] {
            let folder = Folder::new("files", runtime);
            folder.write("web/index.html", "the page");
            folder.write("web/client/old.js", "below the page");
            folder.write("pkg/client.wasm", "\0asm");
            folder.write("secret", "secret");
            let mut app = echo_app(runtime, shards);
            app.files("/", folder.path().join("web"));
            app.files("/client", folder.path().join("pkg"));
            app.asset("/reader.js", "text/javascript; charset=utf-8", b"built in");
            let (running, address) = serve(&mut app);
            for _ in 0..shards {
                assert_eq!(get(address, "/"), (200, "the page".to_owned()));
                assert_eq!(get(address, "/client/client.wasm").0, 200);
                assert_eq!(get(address, "/client/old.js").1, "below the page");
                assert_eq!(get(address, "/reader.js").1, "built in");
                assert_eq!(get(address, "/healthz").0, 200);
                assert_eq!(get(address, "/none").0, 404);
                assert_eq!(get(address, "/ws").0, 426);
                for path in [
                    "/../secret",
                    "/%2e%2e/secret",
                    "/..%2fsecret",
                    "/client/%00",
                ] {
                    assert_eq!(get(address, path).0, 404, "{path}");
                }
                let post = "POST / HTTP/1.1\r\nHost: localhost\r\n\r\n";
                assert_eq!(http(address, post).0, 405);
                Client::connect(address, "/ws").echoes(MessageKind::Text, b"and this");
            }
            end(running);
        }
    });
}

#[test]
fn a_browser_that_has_a_file_is_answered_without_a_body() {
    on_each_runtime(|runtime| {
        let folder = Folder::new("files-known", runtime);
        folder.write("web/a.css", "a {}");
        let (running, address) = serve(echo_app(runtime, 1).files("/", folder.path().join("web")));
        let ask = |method: &str, lines: &str| {
            let mut stream = tcp(address);
            let head = format!("{method} /a.css HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            text
        };
        let whole = ask("GET", "");
        assert!(
            whole.contains("Content-Type: text/css; charset=utf-8\r\n"),
            "{whole}"
        );
        assert!(whole.ends_with("\r\n\r\na {}"), "{whole}");
        let head = ask("HEAD", "");
        assert_eq!(whole.strip_suffix("a {}"), Some(&*head));
        let tag = head.lines().find_map(|line| line.strip_prefix("ETag: "));
        let known = ask("GET", &format!("If-None-Match: {}\r\n", tag.unwrap()));
        assert!(
            known.starts_with("HTTP/1.1 304 Not Modified\r\n"),
            "{known}"
        );
        assert!(known.ends_with("\r\n\r\n"), "{known}");
        assert!(!known.contains("Content-Length"), "{known}");
        end(running);
    });
}

#[test]
fn what_changes_on_disk_is_served_soon() {
    on_each_runtime(|runtime| {
        let folder = Folder::new("files-change", runtime);
        folder.write("web/index.html", "before");
        let (running, address) = serve(echo_app(runtime, 2).files("/", folder.path().join("web")));
        assert_eq!(get(address, "/").1, "before");
        folder.write("web/index.html", "afterwards");
        folder.write("web/new.js", "new");
        eventually(PATIENCE, "what was written", || {
            get(address, "/").1 == "afterwards" && get(address, "/new.js").0 == 200
        });
        fs::remove_file(folder.path().join("web/new.js")).unwrap();
        eventually(PATIENCE, "that it is gone", || {
            get(address, "/new.js").0 == 404
        });
        end(running);
    });
}

/// Larger than what the kernel takes at once, so that it is written in many turns while others are served.
#[test]
fn a_long_file_reaches_slow_readers_whole_while_others_are_served() {
    on_each_runtime(|runtime| long_file(runtime, false));
}

#[test]
fn a_long_file_reaches_readers_of_encrypted_connections_whole() {
    on_each_runtime(|runtime| long_file(runtime, true));
}

fn long_file(runtime: Runtime, encrypted: bool) {
    let folder = Folder::new("files-long", runtime);
    let text: String = (0..2_000_000).map(|line| format!("{line}\n")).collect();
    folder.write("web/long.txt", &text);
    let mut app = echo_app(runtime, 1);
    app.files("/", folder.path().join("web"));
    let request = b"GET /long.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";
    if encrypted {
        let authority = Authority::new("files", runtime);
        authority.issue();
        app.options(|options| options.tls = Some(authority.options()));
        let (running, address) = serve(&mut app);
        let (status, body) = tls::get(address, &authority.client(), "/long.txt");
        assert!(status == 200 && body == text, "{} bytes", body.len());
        return end(running);
    }
    // Who does not read for a moment is not cut off.
    app.options(|options| options.limits.close_deadline = Duration::from_secs(5));
    let (running, address) = serve(&mut app);
    let mut slow = tcp(address);
    slow.write_all(request).unwrap();
    let mut client = Client::connect(address, "/ws");
    for _ in 0..20 {
        client.echoes(MessageKind::Text, b"meanwhile");
    }
    let (status, body) = answer(&mut slow);
    assert!(status == 200 && body == text, "{} bytes", body.len());
    drop(client);
    end(running);
}
