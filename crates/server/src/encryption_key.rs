//! The operator's key, by which S3 objects are encrypted at rest.

use std::path::Path;

use anyhow::Context as _;

/// Reads the key of a file: 32 bytes, or 64 hexadecimal digits and what white space surrounds them.
///
/// # Errors
/// When the file cannot be read, or is neither.
pub fn read(file: Option<&Path>) -> anyhow::Result<Option<[u8; 32]>> {
    let Some(file) = file else { return Ok(None) };
    let bytes = std::fs::read(file)
        .with_context(|| format!("read the encryption key in {}", file.display()))?;
    let key = parse(&bytes).with_context(|| {
        format!(
            "{} holds neither 32 bytes nor 64 hexadecimal digits",
            file.display()
        )
    })?;
    Ok(Some(key))
}

fn parse(bytes: &[u8]) -> Option<[u8; 32]> {
    if let Ok(key) = bytes.try_into() {
        return Some(key);
    }
    let digits = bytes.trim_ascii();
    let mut key = [0; 32];
    if digits.len() != 2 * key.len() {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(digits.chunks(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_as_they_are_and_in_digits() {
        assert_eq!(parse(&[7; 32]), Some([7; 32]));
        let digits = format!("{}\n", "0a".repeat(32));
        assert_eq!(parse(digits.as_bytes()), Some([10; 32]));
        for bad in ["", "short", "0g", &"zz".repeat(32)] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
        assert!(read(Some(Path::new("/nonexistent/key"))).is_err());
    }
}
