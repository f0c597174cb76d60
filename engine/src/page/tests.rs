//! The table of embedded files against the folder they come from and against what they name.

use std::collections::BTreeSet;
use std::path::Path;

use super::FILES;

fn served() -> BTreeSet<String> {
    FILES.iter().map(|(path, ..)| (*path).to_owned()).collect()
}

#[test]
fn every_file_of_the_page_is_served() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/page");
    let names = std::fs::read_dir(folder)
        .expect("the folder of the page")
        .map(|entry| {
            let name = entry.expect("an entry").file_name();
            name.into_string().expect("plain file names")
        });
    let mut expected: BTreeSet<String> = names.map(|name| format!("/page/{name}")).collect();
    assert!(expected.remove("/page/index.html"), "no index");
    expected.extend(["/".to_owned(), "/reader/worldshard-reader.js".to_owned()]);
    assert_eq!(served(), expected);
}

#[test]
fn every_file_that_the_page_names_is_served() {
    let served = served();
    let mut named = 0;
    for (path, _, bytes) in FILES {
        let text = std::str::from_utf8(bytes).expect("text");
        let quoted = text.split(['"', '\'']).filter(|part| {
            !part.contains(char::is_whitespace) && (part.ends_with(".js") || part.ends_with(".css"))
        });
        for name in quoted {
            let target = match name.strip_prefix("../") {
                Some(rest) => format!("/{rest}"),
                None if *path == "/" => format!("/{name}"),
                None => format!("/page/{}", name.trim_start_matches("./")),
            };
            assert!(served.contains(&target), "{path} names {name}: {target}");
            named += 1;
        }
    }
    assert!(named >= FILES.len() - 1, "only {named} names found");
}
