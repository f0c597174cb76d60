//! The tables of embedded files against the folders they come from and against what they name.

use std::collections::BTreeSet;
use std::path::Path;

use super::{File, MESSAGES_FILES, TOUR_FILES, WORLD_FILES};

fn served(files: &[File]) -> BTreeSet<String> {
    files.iter().map(|(path, ..)| (*path).to_owned()).collect()
}

/// The files of a folder of `web/`, by their paths, its index as `/`.
fn folder(name: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../web")
        .join(name);
    let entries = std::fs::read_dir(folder).expect("the folder of the page");
    let names = entries.map(|entry| {
        let file = entry.expect("an entry").file_name();
        let file = file.into_string().expect("plain file names");
        if file == "index.html" {
            "/".to_owned()
        } else {
            format!("/{name}/{file}")
        }
    });
    names.collect()
}

#[test]
fn every_file_of_a_page_is_served() {
    let mut expected = folder("page");
    expected.insert("/reader/worldshard-reader.js".to_owned());
    assert_eq!(served(WORLD_FILES), expected);
    let messages = served(MESSAGES_FILES);
    assert!(messages.is_superset(&folder("messages")), "{messages:?}");
    let tour = served(TOUR_FILES);
    assert!(tour.is_superset(&folder("tour")), "{tour:?}");
}

#[test]
fn every_file_that_a_page_names_is_served() {
    for files in [WORLD_FILES, MESSAGES_FILES, TOUR_FILES] {
        let served = served(files);
        let mut named = BTreeSet::new();
        for (path, _, bytes) in files {
            let text = std::str::from_utf8(bytes).expect("text");
            let quoted = text.split(['"', '\'']).filter(|part| {
                !part.contains(char::is_whitespace)
                    && (part.ends_with(".js") || part.ends_with(".css"))
            });
            let (folder, _) = path.rsplit_once('/').expect("paths begin with a slash");
            for name in quoted {
                let target = match name.strip_prefix("../") {
                    Some(rest) => format!("/{rest}"),
                    None => format!("{folder}/{}", name.trim_start_matches("./")),
                };
                assert!(served.contains(&target), "{path} names {name}: {target}");
                named.insert(target);
            }
        }
        // All but the index itself.
        assert_eq!(named.len(), files.len() - 1, "a file that nothing names");
    }
}
