use std::fs;
use std::path::PathBuf;

use worldshard_transport::parse_head;

use super::*;

/// A folder of a test's own, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("worldshard-files-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("web")).unwrap();
        Self(path)
    }

    fn web(&self) -> PathBuf {
        self.0.join("web")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn load(&self, prefix: &str) -> Files {
        Files::load(prefix, &self.web(), 1000).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn ask(files: &Files, method: &str, path: &str, lines: &str) -> Option<Response> {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n");
    let (head, _) = parse_head(head.as_bytes()).unwrap().unwrap();
    files.respond(&head)
}

/// Status and body; 404 when it is no file's path.
fn get(files: &Files, path: &str) -> (u16, String) {
    let Some(response) = ask(files, "GET", path, "") else {
        return (404, String::new());
    };
    let body = String::from_utf8(response.body.to_vec()).unwrap();
    (response.status, body)
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    let found = response.headers.iter().find(|(one, _)| *one == name);
    found.map(|(_, value)| &**value)
}

#[test]
fn a_path_names_a_file_of_the_folder_or_nothing() {
    let folder = Folder::new("paths");
    folder.write("secret", "secret");
    for (name, text) in [
        ("web/index.html", "page"),
        ("web/a b/caf\u{e9}+1.js", "script"),
        ("web/docs/index.html", "docs"),
        ("web/.env", "secret"),
        ("web/.git/config", "secret"),
        ("web/.well-known/thing", "known"),
    ] {
        folder.write(name, text);
    }
    let files = folder.load("/");
    for (path, text) in [
        ("/", "page"),
        ("/?query", "page"),
        ("/index.html", "page"),
        ("/a%20b/caf%C3%A9+1.js", "script"),
        ("/docs/", "docs"),
        ("/.well-known/thing", "known"),
    ] {
        assert_eq!(get(&files, path), (200, text.to_owned()), "{path}");
    }
    for path in [
        "/../secret",
        "/docs/../../secret",
        "/docs/../index.html",
        "/./index.html",
        "/%2e%2e/secret",
        "/%2E%2E%2Fsecret",
        "/..%2fsecret",
        "/docs%2Findex.html",
        "/..%5csecret",
        "/..\\secret",
        "/index.html%00",
        "/index.html%00.js",
        "/%00",
        "//index.html",
        "//",
        "/docs//index.html",
        "/index.html/",
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/.git/",
        "/%",
        "/%zz",
        "/%ff",
        "/none",
    ] {
        assert_eq!(get(&files, path).0, 404, "{path}");
    }
}

#[test]
fn a_folder_below_a_path_owns_no_other_and_is_led_to_with_its_slash() {
    let folder = Folder::new("prefix");
    folder.write("web/index.html", "page");
    folder.write("web/docs/index.html", "docs");
    folder.write("web/empty/part.js", "part");
    let files = folder.load("/client/");
    assert_eq!(get(&files, "/client/"), (200, "page".to_owned()));
    for (path, target) in [
        ("/client", "/client/"),
        ("/client?a=b", "/client/?a=b"),
        ("/client/docs", "/client/docs/"),
    ] {
        let response = ask(&files, "GET", path, "").unwrap();
        assert_eq!(response.status, 307, "{path}");
        assert_eq!(header(&response, "Location"), Some(target), "{path}");
    }
    for path in [
        "/",
        "/clien",
        "/clients/",
        "/client/empty",
        "/client/empty/",
    ] {
        assert_eq!(get(&files, path).0, 404, "{path}");
    }
}

#[test]
fn types_follow_from_names_and_only_reading_is_allowed() {
    let folder = Folder::new("types");
    let types = [
        ("a.html", "text/html; charset=utf-8"),
        ("a.JS", "text/javascript; charset=utf-8"),
        ("a.min.css", "text/css; charset=utf-8"),
        ("a.wasm", "application/wasm"),
        ("a.svg", "image/svg+xml"),
        ("a.json", "application/json"),
        ("a", "application/octet-stream"),
        ("a.unheard-of", "application/octet-stream"),
    ];
    for (name, _) in types {
        folder.write(&format!("web/{name}"), "x");
    }
    let files = folder.load("/");
    for (name, content_type) in types {
        let response = ask(&files, "HEAD", &format!("/{name}"), "").unwrap();
        assert_eq!(
            (response.status, response.content_type),
            (200, content_type)
        );
        assert_eq!(header(&response, "X-Content-Type-Options"), Some("nosniff"));
        let refused = ask(&files, "DELETE", &format!("/{name}"), "").unwrap();
        assert_eq!(refused.status, 405);
        assert_eq!(header(&refused, "Allow"), Some("GET, HEAD"));
    }
    assert!(ask(&files, "POST", "/none", "").is_none());
}

#[test]
fn whoever_has_a_file_is_told_so_until_it_changes() {
    let folder = Folder::new("tags");
    folder.write("web/a.js", "one");
    let files = folder.load("/");
    let tag = |files: &Files| {
        let response = ask(files, "GET", "/a.js", "").unwrap();
        header(&response, "ETag").unwrap().to_owned()
    };
    let first = tag(&files);
    let known = |lines: &str| {
        let lines = format!("If-None-Match: {lines}\r\n");
        let response = ask(&files, "GET", "/a.js", &lines).unwrap();
        assert_eq!(header(&response, "ETag"), Some(&*tag(&files)));
        (response.status, response.body.len())
    };
    assert_eq!(known(&first), (304, 0));
    assert_eq!(known(&format!("\"x\", W/{first}")), (304, 0));
    assert_eq!(known("*"), (304, 0));
    assert_eq!(known("\"x\""), (200, 3));
    folder.write("web/a.js", "another");
    assert_eq!(known(&first), (304, 0), "nobody has looked yet");
    files.reread();
    assert_eq!(known(&first), (200, 7));
    folder.write("web/a.js", "one");
    files.reread();
    assert_eq!(tag(&files), first, "a tag follows from the bytes");
}

#[test]
fn files_come_and_go_and_what_does_not_change_is_not_read_again() {
    let folder = Folder::new("reread");
    folder.write("web/stays.js", "stays");
    folder.write("web/goes.js", "goes");
    let files = folder.load("/");
    fs::remove_file(folder.web().join("goes.js")).unwrap();
    folder.write("web/sub/comes.js", "comes");
    files.reread();
    assert_eq!(get(&files, "/goes.js").0, 404);
    assert_eq!(get(&files, "/sub/comes.js"), (200, "comes".to_owned()));
    let before = ask(&files, "GET", "/stays.js", "").unwrap().body;
    files.reread();
    let after = ask(&files, "GET", "/stays.js", "").unwrap().body;
    assert_eq!(before.as_ptr(), after.as_ptr());
}

#[test]
fn too_much_keeps_a_server_from_starting_and_a_running_one_as_it_was() {
    let folder = Folder::new("bound");
    folder.write("web/a", &"a".repeat(600));
    folder.write("web/b", &"b".repeat(400));
    let files = folder.load("/");
    folder.write("web/c", "c");
    let refused = Files::load("/", &folder.web(), 1000).err().unwrap();
    let words = refused.to_string();
    assert!(words.contains("more than 1000 bytes"), "{words}");
    files.reread();
    assert_eq!(get(&files, "/c").0, 404);
    assert_eq!(get(&files, "/a").0, 200);
    fs::remove_file(folder.web().join("a")).unwrap();
    files.reread();
    assert_eq!((get(&files, "/a").0, get(&files, "/c").0), (404, 200));
    let gone = Files::load("/", &folder.0.join("none"), 1000)
        .err()
        .unwrap();
    assert!(gone.to_string().contains("none"), "{gone}");
}

#[cfg(unix)]
#[test]
fn links_lead_nowhere_outside_and_a_folder_can_be_exchanged_by_one() {
    use std::os::unix::fs::symlink;

    let folder = Folder::new("links");
    folder.write("secret", "secret");
    folder.write("outside/file", "secret");
    folder.write("web/inside", "inside");
    let web = folder.web();
    symlink(folder.0.join("secret"), web.join("secret")).unwrap();
    symlink("../secret", web.join("relative")).unwrap();
    symlink(folder.0.join("outside"), web.join("outside")).unwrap();
    symlink("nowhere", web.join("dangling")).unwrap();
    symlink("inside", web.join("link")).unwrap();
    symlink(".", web.join("loop")).unwrap();
    // Whoever opened it to read would wait for a writer.
    let made = std::process::Command::new("mkfifo")
        .arg(web.join("pipe"))
        .status();
    assert!(made.unwrap().success());
    let files = folder.load("/");
    assert_eq!(get(&files, "/link"), (200, "inside".to_owned()));
    for path in [
        "/secret",
        "/relative",
        "/outside",
        "/outside/file",
        "/dangling",
        "/loop",
        "/loop/inside",
        "/pipe",
    ] {
        assert_eq!(get(&files, path).0, 404, "{path}");
    }
    folder.write("second/inside", "second");
    let current = folder.0.join("current");
    symlink(&web, &current).unwrap();
    let files = Files::load("/", &current, 1000).unwrap();
    fs::remove_file(&current).unwrap();
    symlink(folder.0.join("second"), &current).unwrap();
    files.reread();
    assert_eq!(get(&files, "/inside"), (200, "second".to_owned()));
    assert_eq!(get(&files, "/link").0, 404);
}
