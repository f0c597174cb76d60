//! On which runtimes tests run: one rule for the tests of all crates, and a word where it leaves some out.
//!
//! WORLDSHARD_RUNTIME names the one; `both`, `auto` or nothing stands for every one that can run here.

use std::io::Write as _;
use std::sync::Mutex;

use worldshard::Runtime;
use worldshard::runtime::probe;

/// Whether tests shall run on this runtime with so many shards.
///
/// # Panics
/// When the wish names no runtime, or one that cannot run here: then nothing would be tested, and all would pass.
pub(crate) fn runs_here(runtime: Runtime, shards: u16) -> bool {
    let wish = std::env::var("WORLDSHARD_RUNTIME").unwrap_or_else(|_| "both".to_owned());
    let the_one = match wish.as_str() {
        "both" | "auto" => None,
        "glommio" => Some(Runtime::Glommio),
        "portable" => Some(Runtime::Portable),
        other => panic!("WORLDSHARD_RUNTIME is {other:?}, not glommio, portable, both or auto"),
    };
    if the_one.is_some_and(|one| one != runtime) {
        tell(&format!(
            "NOT RUN on {runtime}: WORLDSHARD_RUNTIME asks for {wish}"
        ));
        return false;
    }
    match probe::choose(runtime, shards) {
        Ok(_) => true,
        Err(cause) if the_one.is_none() => {
            tell(&format!("NOT RUN on {runtime}: {cause}"));
            false
        }
        Err(cause) => panic!("WORLDSHARD_RUNTIME asks for {wish}: {cause}"),
    }
}

/// Says on stderr what was not tested, once. Not by the macros, whose output the harness keeps when a test passes.
pub(crate) fn tell(what: &str) {
    static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let mut told = TOLD.lock().expect("nothing panics while it is held");
    if told.iter().all(|before| before != what) {
        told.push(what.to_owned());
        let line = format!("\n{what}\n");
        std::io::stderr()
            .write_all(line.as_bytes())
            .expect("stderr takes a line");
    }
}
