//! From the model's names to Rust's.

/// `KMSKeyArn` → `kms_key_arn`, `MD5OfBody` → `md5_of_body`, `S3Bucket` → `s3_bucket`.
pub fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (at, &letter) in letters.iter().enumerate() {
        if !letter.is_ascii_alphanumeric() {
            if !snake.ends_with('_') {
                snake.push('_');
            }
            continue;
        }
        if letter.is_ascii_uppercase() && at > 0 {
            let before = letters[at - 1];
            let next_is_lower = letters.get(at + 1).is_some_and(char::is_ascii_lowercase);
            let new_word = !before.is_ascii_uppercase() || next_is_lower;
            if new_word && !snake.ends_with('_') {
                snake.push('_');
            }
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// A field's name: snake case, raw where it is a keyword.
pub fn field(name: &str) -> String {
    let name = snake(name);
    match name.as_str() {
        "self" | "super" | "crate" => name + "_",
        "type" | "match" | "move" | "ref" | "where" | "in" | "as" | "use" | "enum" | "struct"
        | "static" | "const" | "mod" | "loop" | "for" | "if" | "else" | "fn" | "impl" | "trait"
        | "return" | "async" | "await" | "break" | "continue" | "dyn" | "extern" | "false"
        | "true" | "let" | "mut" | "pub" | "unsafe" | "while" | "abstract" | "become" | "box"
        | "do" | "final" | "gen" | "macro" | "override" | "priv" | "try" | "typeof" | "unsized"
        | "virtual" | "yield" => format!("r#{name}"),
        _ => name,
    }
}

/// `ResourceNotFoundException` → `RESOURCE_NOT_FOUND_EXCEPTION`.
pub fn screaming(name: &str) -> String {
    snake(name).to_ascii_uppercase()
}

/// A type's name: the shape's, with its first letter in upper case; another where Rust or the
/// generated file already uses that one.
pub fn type_name(shape: &str) -> String {
    const TAKEN: [&str; 10] = [
        "BTreeMap",
        "Box",
        "Bytes",
        "Operation",
        "Option",
        "String",
        "Timestamp",
        "Unit",
        "Value",
        "Vec",
    ];
    let mut letters = shape.chars();
    let mut name: String = letters
        .next()
        .map(|first| first.to_ascii_uppercase())
        .into_iter()
        .collect();
    name.extend(letters.filter(char::is_ascii_alphanumeric));
    if TAKEN.contains(&name.as_str()) {
        name.push_str("Shape");
    }
    name
}

/// A variant for an enum's text: `python3.12` → `Python3_12`, `LAST_WRITER` → `LastWriter`.
pub fn variant(text: &str) -> String {
    let mut variant = String::new();
    for word in text.split(|letter: char| !letter.is_ascii_alphanumeric()) {
        let Some(first) = word.chars().next() else {
            continue;
        };
        let touches_digit = variant.ends_with(|last: char| last.is_ascii_digit());
        if first.is_ascii_digit() && touches_digit {
            variant.push('_');
        }
        let shouted = !word.chars().any(|letter| letter.is_ascii_lowercase());
        variant.push(first.to_ascii_uppercase());
        let rest = &word[first.len_utf8()..];
        if shouted {
            variant.push_str(&rest.to_ascii_lowercase());
        } else {
            variant.push_str(rest);
        }
    }
    if !variant.starts_with(|first: char| first.is_ascii_alphabetic()) {
        variant.insert(0, 'V');
    }
    if variant == "Self" {
        variant.push('_');
    }
    variant
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_become_fields() {
        for (name, expected) in [
            ("FunctionName", "function_name"),
            ("KMSKeyArn", "kms_key_arn"),
            ("MD5OfMessageBody", "md5_of_message_body"),
            ("S3Bucket", "s3_bucket"),
            ("CodeSha256", "code_sha256"),
            ("UUID", "uuid"),
            ("AWSAccountIds", "aws_account_ids"),
            ("tags", "tags"),
            ("Type", "r#type"),
        ] {
            assert_eq!(field(name), expected);
        }
    }

    #[test]
    fn texts_become_variants() {
        for (text, expected) in [
            ("python3.12", "Python3_12"),
            ("nodejs20.x", "Nodejs20X"),
            ("x86_64", "X86_64"),
            ("RequestResponse", "RequestResponse"),
            ("TRIM_HORIZON", "TrimHorizon"),
            ("aws:kms", "AwsKms"),
            ("8", "V8"),
        ] {
            assert_eq!(variant(text), expected);
        }
    }

    #[test]
    fn shapes_become_types() {
        assert_eq!(type_name("policyDetailType"), "PolicyDetailType");
        assert_eq!(type_name("Timestamp"), "TimestampShape");
    }
}
