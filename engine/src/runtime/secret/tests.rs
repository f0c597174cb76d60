//! A folder has one key, which nobody else may read.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[test]
fn the_key_of_a_folder_is_made_once_for_its_owner_alone() {
    let folder = std::env::temp_dir().join(format!("worldshard-secret-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let unfinished = folder.join("key.unfinished");
    fs::write(&unfinished, "cut off").unwrap();
    let key = kept(&folder).unwrap();
    assert_eq!(kept(&folder).unwrap(), key);
    assert_ne!(fresh().unwrap(), key);
    let path = folder.join(NAME);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!unfinished.exists());
    fs::write(&path, &key[..31]).unwrap();
    let other = kept(&folder).unwrap();
    assert_ne!(other, key);
    assert_eq!(kept(&folder).unwrap(), other);
    fs::remove_dir_all(&folder).unwrap();
}
