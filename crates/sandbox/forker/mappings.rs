//! Which mappings of a process can be gathered, by the kernel's list of them.

pub const MOST_MAPPINGS: usize = 64;
pub const HUGE: usize = 2 << 20;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mapping {
    pub start: usize,
    pub length: usize,
    /// All of a program or library that is never written to: a fork has one mapping to copy for it
    /// instead of four.
    pub is_text: bool,
}

impl Mapping {
    pub fn end(&self) -> usize {
        self.start + self.length
    }

    /// The first address from this one on to copy it to. Where it has a whole huge page, the copy is to
    /// have it too: then a fork copies one entry for it.
    pub fn place(&self, from: usize) -> usize {
        let has_whole = self.start.next_multiple_of(HUGE) + HUGE <= self.end();
        if self.is_text && has_whole {
            from + self.start.wrapping_sub(from) % HUGE
        } else {
            from
        }
    }
}

/// Finds private memory, but for stacks, and programs. Returns how many.
pub fn find(text: &[u8], mappings: &mut [Mapping; MOST_MAPPINGS]) -> usize {
    let mut found = Found { mappings, count: 0 };
    // What cannot be written to, of one file and side by side; and whether it can be executed.
    let (mut run, mut is_program) = (Line::default(), false);
    let mut lines = text.split(|&byte| byte == b'\n');
    // Nothing, or what there was no room for.
    lines.next_back();
    for line in lines {
        let Some(line) = Line::parse(line) else {
            continue;
        };
        let is_constant = matches!(line.access, b"r--p" | b"r-xp") && !line.path.is_empty();
        if is_constant && line.follows(&run) {
            run.length += line.length;
            is_program |= line.access == b"r-xp";
            continue;
        }
        if is_program {
            found.push(&run, true);
        }
        is_program = is_constant && line.access == b"r-xp";
        if line.access == b"rw-p" && !line.is_stack {
            found.push(&line, false);
        }
        run = if is_constant { line } else { Line::default() };
    }
    if is_program {
        found.push(&run, true);
    }
    found.count
}

struct Found<'a> {
    mappings: &'a mut [Mapping; MOST_MAPPINGS],
    count: usize,
}

impl Found<'_> {
    fn push(&mut self, line: &Line<'_>, is_text: bool) {
        if let Some(free) = self.mappings.get_mut(self.count) {
            *free = Mapping {
                start: line.start,
                length: line.length,
                is_text,
            };
            self.count += 1;
        }
    }
}

/// Of the kernel's list.
#[derive(Default)]
struct Line<'a> {
    start: usize,
    length: usize,
    access: &'a [u8],
    /// Of the file; empty where there is none.
    path: &'a [u8],
    is_stack: bool,
}

impl<'a> Line<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut words = line.split(|&byte| byte == b' ');
        let mut range = words.next()?.split(|&byte| byte == b'-');
        let (start, end) = (hexadecimal(range.next()?)?, hexadecimal(range.next()?)?);
        let slash = line.iter().position(|&byte| byte == b'/');
        Some(Self {
            start,
            length: end.checked_sub(start)?,
            access: words.next()?,
            path: slash.map_or(&[], |at| &line[at..]),
            is_stack: line.ends_with(b"[stack]"),
        })
    }

    fn follows(&self, before: &Self) -> bool {
        before.start + before.length == self.start && before.path == self.path
    }
}

fn hexadecimal(digits: &[u8]) -> Option<usize> {
    digits.iter().try_fold(0_usize, |number, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        number.checked_mul(16)?.checked_add(digit as usize)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(list: &str) -> Vec<Mapping> {
        let mut mappings = [Mapping::default(); MOST_MAPPINGS];
        let count = find(list.as_bytes(), &mut mappings);
        mappings[..count].to_vec()
    }

    fn text(start: usize, end: usize) -> Mapping {
        let length = end - start;
        Mapping {
            start,
            length,
            is_text: true,
        }
    }

    fn memory(start: usize, end: usize) -> Mapping {
        Mapping {
            is_text: false,
            ..text(start, end)
        }
    }

    #[test]
    fn a_program_is_found_with_its_tables_and_constants_and_nothing_else() {
        let list = "\
7f0000000000-7f0000026000 r--p 00000000 fe:00 1      /usr/lib/libc.so.6
7f0000026000-7f000017c000 r-xp 00026000 fe:00 1      /usr/lib/libc.so.6
7f000017c000-7f00001cf000 r--p 0017c000 fe:00 1      /usr/lib/libc.so.6
7f00001cf000-7f00001d3000 r--p 001cf000 fe:00 1      /usr/lib/libc.so.6
7f00001d3000-7f00001d5000 rw-p 001d3000 fe:00 1      /usr/lib/libc.so.6
7f00001d5000-7f00001e5000 r--p 00000000 fe:00 2      /usr/lib/libm.so.6
7f00001e5000-7f0000259000 r-xp 00010000 fe:00 2      /usr/lib/libm.so.6
7f0000259000-7f00002b3000 r--p 00084000 fe:00 2      /usr/lib/libm.so.6
7f0000300000-7f0000357000 r--p 00000000 fe:00 4      /usr/lib/locale/C.utf8/LC_CTYPE
7f0000400000-7f0000506000 r--p 00000000 fe:00 3      /usr/lib/libpython3.12.so.1.0
7f0000506000-7f0000779000 r-xp 00106000 fe:00 3      /usr/lib/libpython3.12.so.1.0
";
        let expected = [
            text(0x7f00_0000_0000, 0x7f00_001d_3000),
            memory(0x7f00_001d_3000, 0x7f00_001d_5000),
            text(0x7f00_001d_5000, 0x7f00_002b_3000),
            text(0x7f00_0040_0000, 0x7f00_0077_9000),
        ];
        assert_eq!(found(list), expected);
    }

    #[test]
    fn memory_is_found_but_for_stacks_and_what_is_shared() {
        let list = "\
55d000000000-55d000200000 rw-p 00000000 00:00 0      [heap]
7f0000100000-7f0000200000 rw-s 00000000 00:01 9      /dev/zero (deleted)
7ffe00000000-7ffe00021000 rw-p 00000000 00:00 0      [stack]
7ffe00100000-7ffe00";
        let heap = memory(0x55d0_0000_0000, 0x55d0_0020_0000);
        assert_eq!(found(list), [heap]);
    }

    #[test]
    fn a_whole_huge_page_keeps_its_place_in_the_next() {
        let large = text(0x7f00_0040_0000, 0x7f00_0077_9000);
        assert_eq!(large.place(0x1000_1000), 0x1020_0000);
        assert_eq!(large.place(0x1020_0000), 0x1020_0000);
        let shifted = text(0x7f00_0050_1000, 0x7f00_0081_0000);
        assert_eq!(shifted.place(0x1000_0000), 0x1010_1000);
        // Without one, and of what is written to, which is small pages anyway.
        let small = text(0x7f00_0050_1000, 0x7f00_0077_0000);
        assert_eq!(small.place(0x1000_1000), 0x1000_1000);
    }
}
