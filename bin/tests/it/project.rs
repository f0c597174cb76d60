//! Projects: what their file may say, what is built of them, and that rooms go on with what is new while it is written.

use std::fs;
use std::process::{Command, Output};

use worldshard_client::{Connection, Event};

use crate::guests::{Folder, connect, counts, get, hears, says};
use crate::modules::{counter, own};
use crate::server::{PROGRAM, Server, WAIT, eventually, on_each_runtime};

on_each_runtime!(
    rooms_go_on_with_a_module_that_is_written_anew,
    what_a_command_builds_is_built_again_when_a_source_changes,
    what_is_built_is_served
);

fn build(folder: &Folder) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(["build", folder.path()]);
    command.output().unwrap()
}

fn project(name: &str, file: &str) -> Folder {
    let folder = Folder::new(name);
    folder.file("worldshard.toml", file);
    folder
}

/// Increments until the answer begins with other words; no number is left out.
fn counts_on(client: &mut Connection, value: &mut u64, words: &str) {
    eventually("rooms go on with the new module", || {
        *value += 1;
        says(client, "increment");
        let Some(Event::Text(heard)) = client.receive(WAIT).unwrap() else {
            panic!("no text");
        };
        assert!(heard.ends_with(&format!(": {value}")), "{heard}");
        heard.starts_with(words)
    });
}

fn rooms_go_on_with_a_module_that_is_written_anew(runtime: &str) {
    let name = format!("dev-{runtime}");
    let folder = project(&name, "[service]\nmodule = \"counter.wat\"\n");
    folder.file("counter.wat", counter());
    let args = [
        "--project",
        folder.path(),
        "--runtime",
        runtime,
        "--shards",
        "2",
    ];
    let server = Server::dev(&args);
    let mut client = connect(&server, "/ws");
    says(&mut client, "increment");
    hears(&mut client, "new value: 1");

    let mut value = 1;
    for words in ["new worth", "new price"] {
        let next = counter().replace("new value", words);
        folder.file("counter.wat", &next);
        counts_on(&mut client, &mut value, words);
        // What cannot be served, and what does not start, leave it as it is.
        folder.file("counter.wat", "(modul)");
        folder.file(
            "counter.wat",
            own("", "(func $start unreachable) (start $start)"),
        );
    }
    let mut other = connect(&server, "/ws/other");
    folder.file("counter.wat", counter());
    counts_on(&mut client, &mut value, "new value");
    says(&mut other, "increment");
    hears(&mut other, "new value: 1");
    server.end();
}

fn what_a_command_builds_is_built_again_when_a_source_changes(runtime: &str) {
    let name = format!("dev-build-{runtime}");
    let file = "[service]\nmodule = \"build/counter.wat\"\n\
                build = [\"sh\", \"-c\", \"cp source.wat build/counter.wat || { echo >>build/failed; exit 1; }\"]\n\
                config = \"settings\"\n";
    let folder = project(&name, file);
    fs::create_dir(folder.0.join("build")).unwrap();
    folder.file("source.wat", counter());
    folder.file("settings", "{}");
    let server = Server::dev(&["--project", folder.path(), "--runtime", runtime]);
    assert!(get(server.addr(), "/").starts_with("HTTP/1.1 200"));
    let mut client = connect(&server, "/ws");
    let mut value = 0;
    for words in ["new value", "new worth", "new value"] {
        folder.file("source.wat", counter().replace("new value", words));
        counts_on(&mut client, &mut value, words);
    }
    fs::remove_file(folder.0.join("source.wat")).unwrap();
    let failed = folder.0.join("build/failed");
    eventually("it is tried to build", || failed.exists());
    counts_on(&mut client, &mut value, "new value");
    folder.file("source.wat", counter().replace("new value", "new price"));
    counts_on(&mut client, &mut value, "new price");
    let said = server.end();
    assert!(said.contains("not built"), "{said}");
}

fn what_is_built_is_served(runtime: &str) {
    let name = format!("build-{runtime}");
    let file = "[service]\nmodule = \"counter.wat\"\n[static]\nfolder = \"public\"\n[client]\nfolder = \"web/pkg\"\n\
                build = [\"cp\", \"client.js\", \"web/pkg/client.js\"]\n";
    let folder = project(&name, file);
    folder.file("counter.wat", counter());
    folder.file("client.js", "// the client");
    fs::create_dir_all(folder.0.join("public/images")).unwrap();
    fs::create_dir_all(folder.0.join("web/pkg")).unwrap();
    folder.file("public/index.html", "<p>");
    folder.file("public/images/dot", "*");
    let dist = folder.0.join("dist");
    for round in 0..2 {
        let run = build(&folder);
        let said = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(0), "{said}");
        let place = format!("{}\n", dist.display());
        assert_eq!(String::from_utf8_lossy(&run.stdout), place);
        for (file, text) in [
            ("static/index.html", "<p>"),
            ("static/images/dot", "*"),
            ("static/client/client.js", "// the client"),
        ] {
            assert_eq!(fs::read_to_string(dist.join(file)).unwrap(), text);
        }
        assert!(!dist.join("left").exists(), "round {round}");
        folder.file("dist/left", "of a build of before");
    }
    let server = Server::start(runtime, &[dist.to_str().unwrap()]);
    counts(&server);
    for (path, text) in [("/", "<p>"), ("/client/client.js", "// the client")] {
        let page = get(server.addr(), path);
        assert!(page.ends_with(text), "{path}: {page}");
    }

    // What does not build leaves the folder as it was, and a folder of somebody else's is nobody's to empty.
    folder.file("counter.wat", "(modul)");
    assert_eq!(build(&folder).status.code(), Some(2));
    assert!(dist.join("left").exists());
    folder.file("counter.wat", counter());
    fs::remove_file(dist.join("server.wasm")).unwrap();
    let run = build(&folder);
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(2), "{said}");
    assert!(said.contains("left as it is"), "{said}");
    assert!(dist.join("left").exists());
}

#[test]
fn a_project_file_is_refused_by_line_and_column() {
    for (text, place, what) in [
        (
            "[service]\nmodule = \"a.wat\"\n\n  modul = \"b\"\n",
            ":4:3: ",
            "unknown field `modul`",
        ),
        (
            "[service]\nmodule = \"a.wat\"\n[clint]\n",
            ":3:2: ",
            "unknown field `clint`",
        ),
        ("[service]\nmodule = 7\n", ":2:10: ", "string"),
        (
            "[service]\nmodule = \"a.wat\"\n[client]\n",
            ":3:1: ",
            "folder",
        ),
        ("[service\n", ":1:9: ", ""),
        ("", ":1:1: ", "service"),
        ("[service]\n", ": ", "either package, or module"),
        (
            "[service]\npackage = \"a\"\nmodule = \"b\"\n",
            ": ",
            "either package, or module",
        ),
        (
            "[service]\nmodule = \"a\"\nbuild = []\n",
            ": ",
            "names no program",
        ),
    ] {
        let folder = project("refused-file", text);
        let run = build(&folder);
        let said = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(2), "{text}: {said}");
        let begins = format!("worldshard: {}/worldshard.toml{place}", folder.path());
        assert!(said.starts_with(&begins), "{text}: {said}");
        assert!(said.contains(what), "{text}: {said}");
    }
    let folder = Folder::new("no-project");
    let run = build(&folder);
    assert_eq!(run.status.code(), Some(2));
    let folder = project(
        "no-program",
        "[service]\nmodule = \"a.wat\"\nbuild = [\"no-such-program\"]\n",
    );
    let run = build(&folder);
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(1), "{said}");
    assert!(said.contains("`no-such-program`: "), "{said}");
}
