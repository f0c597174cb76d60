//! What a counted program says: which part of which scene begins, when it ends, and how many units of work it held.
//!
//! Owns the words, as they are said and as they are read back. Never counts.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::hint::black_box;

/// All that was said so far.
#[derive(Default)]
pub(crate) struct Parts {
    said: RefCell<Vec<Said>>,
    /// What is said counts for nothing.
    is_silent: Cell<bool>,
}

/// One thing said.
#[derive(Clone, Copy)]
enum Said {
    Begin(Part),
    End,
    Units(Part, &'static str, &'static str, u64),
}

/// Work of one kind, counted together however often it begins and ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// Where.
    pub(crate) scene: &'static str,
    /// What is done.
    pub(crate) work: &'static str,
}

impl Parts {
    /// From now on this part is counted.
    pub(crate) fn begin(&self, part: Part) {
        self.say(Said::Begin(part));
    }

    /// From now on nothing is counted.
    pub(crate) fn end(&self) {
        self.say(Said::End);
    }

    /// Runs `work` as if it began and ended nothing.
    pub(crate) fn silently(&self, work: impl FnOnce()) {
        self.is_silent.set(true);
        work();
        self.is_silent.set(false);
    }

    /// All that was counted of a part was the work for so many of these.
    pub(crate) fn units(&self, part: Part, unit: &'static str, count: u64) {
        self.beyond(part, "", unit, count);
    }

    /// What was counted of a part beyond the same work in the base scene was the work for so many of these.
    pub(crate) fn beyond(&self, part: Part, base: &'static str, unit: &'static str, count: u64) {
        let units = Said::Units(part, base, unit, count);
        self.said.borrow_mut().push(units);
    }

    /// Counts `work` after a run that is not counted: what is done once in a process, such as binding symbols, is over.
    pub(crate) fn count(&self, part: Part, unit: &'static str, units: u64, mut work: impl FnMut()) {
        work();
        self.begin(part);
        work();
        self.end();
        self.units(part, unit, units);
    }

    fn say(&self, word: Said) {
        if !self.is_silent.get() {
            mark_of_a_part(&mut self.said.borrow_mut(), word);
        }
    }
}

/// callgrind ends a part of its own whenever this function is entered.
#[inline(never)]
fn mark_of_a_part(said: &mut Vec<Said>, word: Said) {
    said.push(black_box(word));
}

/// What is in the name of the function that divides, and of no other.
pub(crate) const MARK: &str = "mark_of_a_part";

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for said in &*self.said.borrow() {
            match said {
                Said::Begin(Part { scene, work }) => writeln!(f, "begin;{scene};{work}")?,
                Said::End => writeln!(f, "end")?,
                Said::Units(Part { scene, work }, base, unit, count) => {
                    writeln!(f, "units;{scene};{work};{base};{unit};{count}")?;
                }
            }
        }
        Ok(())
    }
}

/// A word read back.
pub(crate) enum Heard<'a> {
    /// A part begins: its scene and work.
    Begin(&'a str, &'a str),
    /// Nothing is counted.
    End,
    /// Scene, work, the scene whose same work is taken off (or nothing), unit and how many.
    Units(&'a str, &'a str, &'a str, &'a str, u64),
}

impl<'a> Heard<'a> {
    /// One line of what [`Parts`] shows.
    pub(crate) fn parse(line: &'a str) -> Option<Self> {
        let words: Vec<&str> = line.split(';').collect();
        Some(match words[..] {
            ["begin", scene, work] => Self::Begin(scene, work),
            ["end"] => Self::End,
            ["units", scene, work, base, unit, count] => {
                Self::Units(scene, work, base, unit, count.parse().ok()?)
            }
            _ => return None,
        })
    }
}
