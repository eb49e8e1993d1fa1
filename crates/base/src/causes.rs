//! What an error comes from, for people.

use std::error::Error;

/// An error's text and that of all that caused it: `pull the image: connect: refused`.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
