//! Which mappings of a process are worth to be gathered, by the kernel's list of them.

/// Smaller ones are not.
const LEAST: usize = 64 << 10;
const LEAST_OF_TEXT: usize = 512 << 10;
pub const MOST_MAPPINGS: usize = 32;
pub const HUGE: usize = 2 << 20;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mapping {
    pub start: usize,
    pub length: usize,
    /// Of a program: never written to, and its constants with it.
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

/// Finds the mappings that are worth it, but for stacks. Returns how many.
pub fn find(text: &[u8], mappings: &mut [Mapping; MOST_MAPPINGS]) -> usize {
    let mut count = 0;
    let mut before = Line::default();
    let mut lines = text.split(|&byte| byte == b'\n');
    // Nothing, or what there was no room for.
    lines.next_back();
    for line in lines {
        let Some(line) = Line::parse(line) else {
            continue;
        };
        // A program lies between its tables and its constants.
        let is_constant = line.access == b"r--p";
        if let Some(last) = mappings[..count].last_mut()
            && last.is_text
            && last.end() == line.start
            && is_constant
            && before.access == b"r-xp"
            && line.follows(&before)
        {
            last.length += line.length;
        } else if let Some(mut mapping) = line.mapping()
            && count < mappings.len()
        {
            if mapping.is_text && before.access == b"r--p" && line.follows(&before) {
                mapping.start = before.start;
                mapping.length += before.length;
            }
            mappings[count] = mapping;
            count += 1;
        }
        before = line;
    }
    count
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
        before.start + before.length == self.start
            && before.path == self.path
            && !self.path.is_empty()
    }

    fn mapping(&self) -> Option<Mapping> {
        let (least, is_text) = match self.access {
            b"rw-p" if !self.is_stack => (LEAST, false),
            b"r-xp" => (LEAST_OF_TEXT, true),
            _ => return None,
        };
        (self.length >= least).then_some(Mapping {
            start: self.start,
            length: self.length,
            is_text,
        })
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

    #[test]
    fn a_program_is_found_with_its_tables_and_constants_and_no_other() {
        let list = "\
7f0000000000-7f0000026000 r--p 00000000 fe:00 1      /usr/lib/libc.so.6
7f0000026000-7f000017c000 r-xp 00026000 fe:00 1      /usr/lib/libc.so.6
7f000017c000-7f00001cf000 r--p 0017c000 fe:00 1      /usr/lib/libc.so.6
7f00001cf000-7f00001d3000 r--p 001cf000 fe:00 1      /usr/lib/libc.so.6
7f00001d3000-7f00001d5000 rw-p 001d3000 fe:00 1      /usr/lib/libc.so.6
7f00001d5000-7f00001e5000 r--p 00000000 fe:00 2      /usr/lib/libm.so.6
7f00001e5000-7f0000259000 r-xp 00010000 fe:00 2      /usr/lib/libm.so.6
7f0000259000-7f00002b3000 r--p 00084000 fe:00 2      /usr/lib/libm.so.6
7f0000400000-7f0000506000 r--p 00000000 fe:00 3      /usr/lib/libpython3.12.so.1.0
7f0000506000-7f0000779000 r-xp 00106000 fe:00 3      /usr/lib/libpython3.12.so.1.0
";
        let expected = [
            text(0x7f00_0000_0000, 0x7f00_001c_f000),
            text(0x7f00_0040_0000, 0x7f00_0077_9000),
        ];
        assert_eq!(found(list), expected);
    }

    #[test]
    fn memory_is_found_but_for_stacks_and_what_is_small() {
        let list = "\
55d000000000-55d000200000 rw-p 00000000 00:00 0      [heap]
7f0000000000-7f0000001000 rw-p 00000000 00:00 0 
7f0000100000-7f0000200000 rw-s 00000000 00:01 9      /dev/zero (deleted)
7ffe00000000-7ffe00021000 rw-p 00000000 00:00 0      [stack]
7ffe00100000-7ffe00";
        let heap = Mapping {
            start: 0x55d0_0000_0000,
            length: 2 << 20,
            is_text: false,
        };
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
