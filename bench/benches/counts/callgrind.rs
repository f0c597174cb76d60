//! Runs this program under callgrind and makes a table of what it counted. Never knows what the parts are.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::parts::{Heard, MARK};

/// The argument that says that callgrind counts.
pub(crate) const INSIDE: &str = "--inside-callgrind";

/// Counts the scenes that have `filter` in their names; a table.
pub(crate) fn count(filter: &str) -> Result<String, String> {
    let program =
        std::env::current_exe().map_err(|error| format!("which program is this? {error}"))?;
    let folder = std::env::temp_dir().join(format!("worldshard-counts-{}", std::process::id()));
    let wrong = |error| format!("{}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(wrong)?;
    let counted = run(&program, filter, &folder).and_then(|said| table(&said, &folder));
    fs::remove_dir_all(&folder).map_err(wrong)?;
    counted
}

/// What the program said on its standard output.
fn run(program: &Path, filter: &str, folder: &Path) -> Result<String, String> {
    let output = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind"])
        .arg(format!("--callgrind-out-file={}", folder.join(DUMP).display()))
        .arg(format!("--dump-before=*{MARK}*"))
        .arg(program)
        .args([INSIDE, filter])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| {
            format!("valgrind cannot be started: {error}\ninstall it, on Debian and Ubuntu with `apt-get install valgrind`")
        })?;
    if !output.status.success() {
        return Err(format!(
            "under valgrind the program ended with {}",
            output.status
        ));
    }
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
}

fn table(said: &str, folder: &Path) -> Result<String, String> {
    let mut instructions: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let mut rows = Vec::new();
    // The first dump is of what came before the first mark.
    let mut dump = 1;
    for line in said.lines() {
        match Heard::parse(line).ok_or_else(|| format!("the program said {line:?}"))? {
            Heard::Begin(scene, work) => {
                dump += 1;
                *instructions.entry((scene, work)).or_default() +=
                    total(&folder.join(format!("{DUMP}.{dump}")))?;
            }
            Heard::End => dump += 1,
            Heard::Units(scene, work, base, unit, count) => {
                rows.push((scene, work, base, unit, count))
            }
        }
    }
    let mut table = format!(
        "{:<18} {:<12} {:>14}  per\n",
        "scene", "work", "instructions"
    );
    for (scene, work, base, unit, count) in rows {
        let all = |scene| instructions.get(&(scene, work)).copied().unwrap_or(0);
        let each = (all(scene) as f64 - all(base) as f64) / count.max(1) as f64;
        writeln!(table, "{scene:<18} {work:<12} {each:>14.1}  {unit}")
            .map_err(|error| error.to_string())?;
    }
    Ok(table)
}

/// The sum that callgrind writes at the end of each dump.
fn total(dump: &Path) -> Result<u64, String> {
    let wrong = |why: &dyn std::fmt::Display| format!("{}: {why}", dump.display());
    let text = fs::read_to_string(dump).map_err(|error| wrong(&error))?;
    let total = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("totals: "));
    let total = total.ok_or_else(|| wrong(&"callgrind wrote no totals"))?;
    total
        .trim()
        .parse()
        .map_err(|_| wrong(&"its totals are not a number"))
}

const DUMP: &str = "dump";
