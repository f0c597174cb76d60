//! What is in a folder when a process gets it.

use super::*;

#[test]
fn what_a_crash_left_unfinished_goes_when_the_folder_is_opened_and_nothing_else() {
    let name = format!("worldshard-unfinished-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    let gone = [
        "checkpoint-000000000050-0001.wsc.unfinished",
        "world.json.unfinished",
    ];
    let stay = [
        "checkpoint-000000000050-0000.wsc",
        "world.json",
        "letter.unfinished",
    ];
    let write = |name: &&str| fs::write(path.join(name), b"bytes").unwrap();
    gone.iter().chain(&stay).for_each(write);
    // Whoever only looks on takes nothing away from the process that has it.
    drop(Directory::look(&path).unwrap());
    assert!(gone.iter().all(|name| path.join(name).exists()));
    let directory = Directory::open(&path).unwrap();
    assert!(!gone.iter().any(|name| path.join(name).exists()));
    assert!(stay.iter().all(|name| path.join(name).exists()));
    // Nor does a process that does not get it.
    write(&gone[0]);
    assert!(Directory::open(&path).is_err());
    assert!(path.join(gone[0]).exists());
    drop(directory);
    fs::remove_dir_all(path).unwrap();
}
