//! Numbers as Java writes them.

/// `Double.toString`: plain from 0.001 to below ten million, else with an exponent.
pub fn double(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .to_owned();
    }
    let size = number.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{number:?}");
    }
    // Rust's `1.5e10` and `1e10` against Java's `1.5E10` and `1.0E10`.
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let point = if digits.contains('.') { "" } else { ".0" };
    format!("{digits}{point}E{exponent}")
}

#[cfg(test)]
mod tests {
    use super::double;

    #[test]
    fn as_java_does() {
        for (number, text) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (-2.5, "-2.5"),
            (1e10, "1.0E10"),
            (1.5e-7, "1.5E-7"),
            (1_234_567.0, "1234567.0"),
            (0.0, "0.0"),
        ] {
            assert_eq!(double(number), text);
        }
    }
}
