//! `serve --files`: folders in place of the page, and beside it.

use std::fs;

use crate::server::{Server, on_each_runtime};

on_each_runtime!(a_folder_takes_the_place_of_the_page_and_another_one_stands_beside_it);

fn a_folder_takes_the_place_of_the_page_and_another_one_stands_beside_it(runtime: &str) {
    let name = format!("worldshard-bin-files-{runtime}-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    for (name, text) in [
        ("static/index.html", "my page"),
        ("pkg/main.js", "my client"),
    ] {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let of = |name: &str| folder.join(name).display().to_string();
    let client = format!("/client={}", of("pkg"));
    let own = [
        "--app",
        "echo",
        "--files",
        &of("static"),
        "--files",
        &client,
    ];
    let server = Server::start(runtime, &own);
    assert_eq!(server.get("/"), (200, "my page".to_owned()));
    assert_eq!(server.get("/client/main.js"), (200, "my client".to_owned()));
    assert_eq!(server.get("/messages/messages.js").0, 404);
    server.raw();
    let beside = Server::start(runtime, &["--app", "echo", "--files", &client]);
    assert!(beside.get("/").1.contains("<!doctype html>"));
    assert_eq!(beside.get("/client/main.js").1, "my client");
    fs::remove_dir_all(&folder).unwrap();
}
