//! Any bytes as the files of a world: no panic, and nothing taken for whole that was not written.
//!
//! Each target says whether the bytes were accepted, and panics when a promise is broken.

use worldshard::durable::{
    Ending, FileName, Manifest, checkpoint_file, checkpoint_of, read_journal, write_chunk,
};

/// A journal: its pieces, written again, are the bytes up to where it is not whole or cannot be read.
pub fn journal(bytes: &[u8]) -> bool {
    let (chunks, ending) = read_journal(bytes);
    let whole = match ending {
        Ending::Whole => bytes.len(),
        Ending::Torn(at) | Ending::Damaged(at) | Ending::Unknown(at) => at,
    };
    let mut again = Vec::new();
    for chunk in &chunks {
        write_chunk(chunk, &mut again);
    }
    assert_eq!(again, bytes[..whole]);
    ending == Ending::Whole && !chunks.is_empty()
}

/// A manifest, the name of a file, and the frame of a checkpoint.
pub fn manifest(bytes: &[u8]) -> bool {
    if let Some(archive) = checkpoint_of(bytes) {
        assert_eq!(checkpoint_file(archive), bytes);
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Some(name) = FileName::parse(text)
    {
        assert_eq!(name.to_string(), text);
    }
    let Ok(manifest) = Manifest::parse(bytes) else {
        return false;
    };
    let again = Manifest::parse(&manifest.to_bytes()).expect("what we write we read");
    assert_eq!(again, manifest);
    true
}
