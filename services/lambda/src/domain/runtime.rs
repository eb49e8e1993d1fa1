//! Which runtime identifiers a function may name.

use exec::Runtime;
use service::ServiceError;

use crate::error;

/// Reads an identifier.
///
/// # Errors
/// Lambda's own for a value outside its set; the set is what runs here.
pub fn parse(identifier: &str) -> Result<Runtime, ServiceError> {
    identifier.parse().map_err(|_| {
        let known: Vec<&str> = Runtime::all().map(Runtime::identifier).collect();
        error::invalid_parameter(format!(
            "Value {identifier} at 'runtime' failed to satisfy constraint: Member must satisfy \
             enum value set: [{}] or be a valid ARN",
            known.join(", ")
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_identifier_is_told_the_known_ones() {
        assert!(parse("python3.12").is_ok());
        for unknown in ["python2.7", "PYTHON3.12", "cobol"] {
            let error = parse(unknown).unwrap_err();
            assert_eq!(error.code, "InvalidParameterValueException");
            assert!(
                error
                    .message
                    .starts_with(&format!("Value {unknown} at 'runtime'"))
            );
            assert!(error.message.contains("python3.12, "));
        }
    }
}
