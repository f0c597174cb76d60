//! The client library's example against a world: it joins, walks, sees others, and ends by itself.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use worldshard::Runtime;
use worldshard::prelude::*;

use crate::socket::{end, on_each_runtime, serve};

#[test]
fn the_bot_of_the_client_library_walks_through_a_world() {
    let program = build();
    on_each_runtime(|runtime| {
        for shards in [1, 2, 8] {
            walk(&program, runtime, shards);
        }
    });
}

fn walk(program: &Path, runtime: Runtime, shards: u16) {
    let mut app = App::new();
    app.world(WorldConfig::default())
        .populate(1000, |_, entity| {
            Draft::at(Point::flat(
                (entity.0 % 32) as f32 * 32.0,
                (entity.0 / 32) as f32 * 32.0,
            ))
        })
        .avatar(|_, at| Draft::at(at))
        .bind("127.0.0.1:0")
        .runtime(runtime)
        .shards(shards);
    let (running, address) = serve(&mut app);
    let mut bot = Command::new(program)
        .args([&format!("ws://{address}/world"), "2"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // What it says fits a pipe, so it ends without being read.
    let mut status = None;
    for _ in 0..600 {
        status = bot.try_wait().unwrap();
        if status.is_some() {
            break;
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
    // One that hangs is not left behind; one that ended cannot be killed.
    let _ = bot.kill();
    let said = bot.wait_with_output().unwrap().stdout;
    let said = String::from_utf8(said).unwrap();
    assert!(status.is_some_and(|status| status.success()), "{said}");
    assert!(
        said.starts_with("live, resumed: false\njoined as Some("),
        "{said}"
    );
    let turns: Vec<_> = said
        .lines()
        .filter(|line| line.starts_with("tick "))
        .collect();
    assert_eq!(turns.len(), 2, "one line a second: {said}");
    assert!(
        !turns[1].contains(": 0 entities") && turns[1].contains("at Some("),
        "{said}"
    );
    assert!(said.ends_with("done: ClosedBySelf, 0 unsent\n"), "{said}");
    end(running);
}

/// Builds the example beside this test's own program, and says where it is.
fn build() -> std::path::PathBuf {
    let own = std::env::current_exe().unwrap();
    let profile = own.parent().and_then(Path::parent).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    // Of the workspace, as the README's test command builds it: another choice of packages is another of features.
    cargo.args(["build", "--quiet", "--workspace", "--example", "bot"]);
    cargo.env("CARGO_TARGET_DIR", profile.parent().unwrap());
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().unwrap().success(), "the bot does not build");
    profile.join("examples/bot")
}
