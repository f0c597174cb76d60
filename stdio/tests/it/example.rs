//! The example in another language, where that is there.

use std::path::Path;
use std::process::Command;

use worldshard_stdio::Program;

use crate::runtimes::tell;
use crate::socket::{Client, end, on_each_runtime, serve};
use crate::{app, hears, say};

#[test]
fn the_counter_in_python_counts_for_all_members_of_its_room() {
    let version = Command::new("python3").arg("--version").output();
    if !version.is_ok_and(|version| version.status.success()) {
        return tell("NOT RUN: the example in Python, because there is no python3");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/stdio/counter.py");
    on_each_runtime(|runtime| {
        let program = Program::new("python3").arg(&script);
        let (running, address) = serve(&mut app(runtime, 2, program));
        let mut one = Client::connect(address, "/room/a");
        assert_eq!(hears(&mut one), "value: 0");
        say(&mut one, "increment");
        assert_eq!(hears(&mut one), "new value: 1");
        let mut two = Client::connect(address, "/room/a");
        assert_eq!(hears(&mut two), "value: 1");
        say(&mut two, "increment");
        for client in [&mut one, &mut two] {
            assert_eq!(hears(client), "new value: 2");
        }
        let mut other = Client::connect(address, "/room/b");
        assert_eq!(hears(&mut other), "value: 0");
        end(running);
    });
}
