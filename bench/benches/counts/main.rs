//! Instructions that units of work take, counted by valgrind's callgrind: steady on any machine, however busy.
//! `cargo bench -p worldshard-bench --bench counts`.
//!
//! The program runs itself under callgrind. There it runs scenes, and says which part of one begins and ends; callgrind
//! writes down what was executed between two such words.

mod callgrind;
mod parts;
mod scenes;

use std::process::ExitCode;
use std::rc::Rc;

use parts::Parts;

fn main() -> ExitCode {
    let is = |word: &str| std::env::args().any(|argument| argument == word);
    // As with other benches: only scenes that have this in their names.
    let filter = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with("--"));
    let filter = filter.unwrap_or_default();
    let is_inside = is(callgrind::INSIDE);
    // As other benches do: without `--bench`, or with `--test`, everything once and nothing measured.
    if is_inside || !is("--bench") || is("--test") {
        let parts = Rc::new(Parts::default());
        scenes::run(&parts, &filter).expect("the scenes of benches can be built");
        if is_inside {
            print!("{parts}");
        } else {
            println!("every part ran");
        }
        return ExitCode::SUCCESS;
    }
    match callgrind::count(&filter) {
        Ok(table) => {
            print!("{table}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("counts: {why}");
            ExitCode::FAILURE
        }
    }
}
