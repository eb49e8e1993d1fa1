//! An archive in the form in which the kernel takes its first files: cpio, "newc".

use std::io::{self, Write};

const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;

/// Writes an archive file by file.
pub struct Archive<W> {
    output: W,
    next_inode: u32,
}

impl<W: Write> Archive<W> {
    pub fn new(output: W) -> Self {
        Self {
            output,
            next_inode: 1,
        }
    }

    /// A folder, which has to come before what is in it.
    pub fn folder(&mut self, name: &str) -> io::Result<()> {
        self.entry(name, FOLDER, &[])
    }

    /// A file that anybody may read and run.
    pub fn file(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        self.entry(name, PROGRAM, content)
    }

    pub fn finish(mut self) -> io::Result<()> {
        self.entry("TRAILER!!!", 0, &[])?;
        self.output.flush()
    }

    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        let size = u32::try_from(content.len()).map_err(io::Error::other)?;
        let name_size = u32::try_from(name.len() + 1).map_err(io::Error::other)?;
        // Inode, mode, uid, gid, links, time, size, device and its two numbers, name size, checksum.
        let numbers = [
            self.next_inode,
            mode,
            0,
            0,
            1,
            0,
            size,
            0,
            0,
            0,
            0,
            name_size,
            0,
        ];
        self.next_inode += 1;
        let numbers = numbers.map(|number| format!("{number:08X}")).concat();
        let head = format!("070701{numbers}{name}\0");
        self.output.write_all(head.as_bytes())?;
        self.pad(head.len())?;
        self.output.write_all(content)?;
        self.pad(content.len())
    }

    /// Everything starts at a multiple of four.
    fn pad(&mut self, written: usize) -> io::Result<()> {
        let zeros = [0; 3];
        self.output.write_all(&zeros[..(4 - written % 4) % 4])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_as_the_kernel_documents_it() {
        let mut bytes = Vec::new();
        let mut archive = Archive::new(&mut bytes);
        archive.file("init", b"hello").unwrap();
        archive.finish().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let head = "07070100000001000081ED000000000000000000000001000000000000000500000000\
                    00000000000000000000000000000005";
        assert_eq!(&text[..head.len()], head);
        assert_eq!(&text[head.len()..][..8], "00000000");
        // The name ends at a multiple of four from the start, and so does the content.
        assert_eq!(&text[110..124], "init\0\0hello\0\0\0");
        assert_eq!(text.len() % 4, 0);
        assert!(text.contains("TRAILER!!!"));
    }
}
