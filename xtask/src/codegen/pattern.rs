//! Patterns of the models are Java's; the `regex` crate reads almost the same language.

use anyhow::Context;

/// The same pattern for the `regex` crate: `\w`, `\d` and `\s` mean ASCII in Java.
///
/// # Errors
/// If the crate cannot compile it, most often for look-around.
pub fn translate(java: &str) -> anyhow::Result<String> {
    let mut rust = String::new();
    let mut letters = java.chars();
    let mut in_class = false;
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next().context("the pattern ends in a backslash")? {
                'w' => push_class(&mut rust, in_class, "0-9A-Za-z_"),
                'd' => push_class(&mut rust, in_class, "0-9"),
                's' => push_class(&mut rust, in_class, r" \t\n\r\f\x0B"),
                'S' if in_class => rust.push_str(r"[^ \t\n\r\f\x0B]"),
                '"' => rust.push('"'),
                '/' => rust.push('/'),
                '-' => rust.push_str(r"\-"),
                other => {
                    rust.push('\\');
                    rust.push(other);
                }
            },
            '[' if in_class => rust.push_str(r"\["),
            '[' => {
                in_class = true;
                rust.push('[');
            }
            ']' => {
                in_class = false;
                rust.push(']');
            }
            other => rust.push(other),
        }
    }
    regex::Regex::new(&format!("^(?:{rust})$"))
        .context("give an equivalent under `patterns` in the `kagero` part of the model")?;
    Ok(rust)
}

fn push_class(rust: &mut String, in_class: bool, letters: &str) {
    if in_class {
        rust.push_str(letters);
    } else {
        rust.push('[');
        rust.push_str(letters);
        rust.push(']');
    }
}

#[cfg(test)]
mod tests {
    use super::translate;

    #[test]
    fn classes_are_ascii() {
        assert_eq!(translate(r"[\w+=,.@-]+").unwrap(), "[0-9A-Za-z_+=,.@-]+");
        assert_eq!(translate(r"\d{12}").unwrap(), "[0-9]{12}");
        assert!(translate(r"[\s\S]*").is_ok());
        assert!(translate("[a-zA-Z0-9-_]+").is_ok());
    }

    #[test]
    fn look_around_is_refused() {
        assert!(translate(r"(?!^[0-9]+$)([a-z]+)").is_err());
    }
}
