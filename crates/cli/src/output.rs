//! What people see: tables, and errors that say what to do next.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what a command does"
)]

/// Prints an error and the chain of its causes.
pub fn complain(error: &anyhow::Error) {
    eprintln!("kagero: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
}

pub fn line(text: &str) {
    println!("{text}");
}

/// To standard error, so that standard output stays the answer alone.
pub fn note(text: &str) {
    eprintln!("{text}");
}

/// Columns as wide as their widest cell, two spaces apart; the last is not padded.
pub fn table(header: &[&str], rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = header.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let print = |cells: &[String]| {
        let mut text = String::new();
        for (cell, width) in cells.iter().zip(&widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
        }
        println!("{}", text.trim_end());
    };
    print(
        &header
            .iter()
            .map(|cell| (*cell).to_owned())
            .collect::<Vec<_>>(),
    );
    for row in rows {
        print(row);
    }
}

/// `1.5 MiB` and the like.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];
    let mut amount = count as f64;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{count} B")
    } else {
        format!("{amount:.1} {}", UNITS[unit])
    }
}

/// `42 s`, `3 min`, `2 h`.
pub fn age(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.0} h", s / 3_600.0),
    }
}
