//! What the architecture promises of the tree itself: which crate may know which, and how files begin and end.

use std::fs;
use std::path::{Path, PathBuf};

/// Every arrow between crates; `docs/architecture.md` draws them. Anything else fails.
const ARROWS: [(&str, &[&str]); 14] = [
    ("protocol", &[]),
    ("spatial", &[]),
    ("macros", &[]),
    ("shard", &["macros", "protocol", "spatial"]),
    ("transport", &[]),
    ("client", &["protocol", "transport"]),
    ("guest", &[]),
    (
        "engine",
        &["macros", "protocol", "shard", "spatial", "transport"],
    ),
    ("plugins", &["engine"]),
    ("hook", &["engine"]),
    ("stdio", &["engine"]),
    ("wasm", &["engine", "protocol"]),
    ("bench", &["client", "engine"]),
    ("bin", &["bench", "engine", "hook", "plugins", "wasm"]),
];

/// Libraries that bring waiting, threads, clocks or sockets: only the engine and what is above it may.
const RIM: [&str; 7] = [
    "flume",
    "glommio",
    "mio",
    "rustix",
    "signal-hook",
    "socket2",
    "ureq",
];

/// A file that grows beyond this is more than one concept.
const LINES_MAX: usize = 600;

#[test]
fn no_crate_knows_another_but_along_the_arrows() {
    for (folder, allowed) in ARROWS {
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        let dependencies = dependencies(&manifest);
        assert!(!dependencies.is_empty(), "{folder} has a manifest");
        for dependency in &dependencies {
            let member = match dependency.as_str() {
                "worldshard" => "engine",
                other => other.strip_prefix("worldshard-").unwrap_or_default(),
            };
            let arrow = member.is_empty() || allowed.contains(&member);
            assert!(arrow, "{folder}/Cargo.toml knows {member}: no such arrow");
            let below = !["engine", "hook", "stdio", "wasm", "bench", "bin"].contains(&folder);
            let rim = RIM.contains(&dependency.as_str());
            assert!(!(below && rim), "{folder}/Cargo.toml brings {dependency}");
        }
    }
}

#[test]
fn every_file_says_what_it_owns_is_short_and_finished() {
    let mut files = Vec::new();
    for (folder, _) in ARROWS {
        collect(&root().join(folder), &mut files);
    }
    collect(&root().join("examples"), &mut files);
    assert!(files.len() > 150, "only {} files were found", files.len());
    let unfinished = [
        "todo!(",
        "unimplemented!(",
        "dbg!(",
        concat!("FIX", "ME"),
        "#[ignore",
    ];
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(root()).unwrap().display();
        let is_test = file.components().any(|part| part.as_os_str() == "tests");
        // A `tests.rs` stands beside the module whose first line speaks for both.
        let speaks = text.starts_with("//!") || file.ends_with("tests.rs");
        assert!(
            speaks,
            "{name}: the first line does not say what the file owns"
        );
        let lines = text.lines().count();
        assert!(
            is_test || lines <= LINES_MAX || file.ends_with("tests.rs"),
            "{name} has {lines} lines"
        );
        if !file.ends_with("tidy.rs") {
            let mark = unfinished.iter().find(|mark| text.contains(**mark));
            assert!(mark.is_none(), "{name} has {mark:?}");
        }
    }
}

fn root() -> PathBuf {
    let engine = Path::new(env!("CARGO_MANIFEST_DIR"));
    engine.parent().unwrap().to_owned()
}

/// Names under `[dependencies]` and its like for one platform; tests may know more.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut section = "";
    let mut names = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.ends_with("dependencies]") && !section.contains("dev-") {
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            if !name.is_empty() && !name.starts_with('#') {
                names.push(name.to_owned());
            }
        } else if line.starts_with("name = ") {
            names.push("rust".to_owned());
        }
    }
    names
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "target" && name != "node_modules" {
            collect(&path, files);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            files.push(path);
        }
    }
}
