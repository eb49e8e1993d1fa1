//! Zips of functions' code, honest and otherwise.

use std::io::{Cursor, Write};

use zip::write::{SimpleFileOptions, ZipWriter};

/// A zip of these files, all executable.
pub fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    zip_with(|archive| {
        for (name, content) in files {
            add(archive, name, content.as_bytes());
        }
    })
}

/// A zip of whatever `fill` puts into it.
pub fn zip_with(fill: impl FnOnce(&mut ZipWriter<Cursor<Vec<u8>>>)) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    fill(&mut archive);
    archive
        .finish()
        .expect("writing to memory does not fail")
        .into_inner()
}

/// Adds an executable file.
pub fn add(archive: &mut ZipWriter<Cursor<Vec<u8>>>, name: &str, content: &[u8]) {
    let options = SimpleFileOptions::default().unix_permissions(0o755);
    archive
        .start_file(name, options)
        .expect("a name that a zip can hold");
    archive
        .write_all(content)
        .expect("writing to memory does not fail");
}
