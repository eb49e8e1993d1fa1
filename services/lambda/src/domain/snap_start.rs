//! Which functions SnapStart is for.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html#snapstart-runtimes>

use service::ServiceError;

use crate::error;
use crate::generated::{SnapStart, SnapStartApplyOn};
use crate::records::Settings;

/// The oldest version of each runtime whose state can be kept.
const OLDEST: [(&str, u32); 3] = [("python3.", 12), ("java", 11), ("dotnet", 8)];
/// Of `/tmp`, in MB.
const MAX_EPHEMERAL_STORAGE: u32 = 512;

/// What a request sets, as it is stored.
pub fn apply_on(given: Option<&SnapStart>) -> String {
    given
        .and_then(|config| config.apply_on)
        .unwrap_or(SnapStartApplyOn::None)
        .as_str()
        .to_owned()
}

/// Whether versions published with these settings start from a snapshot.
pub fn is_on(settings: &Settings) -> bool {
    settings.snap_start == SnapStartApplyOn::PublishedVersions.as_str()
}

/// Refuses what SnapStart cannot do. Provisioned concurrency is refused where it is asked for, and
/// file systems, the other conflict, as such.
pub fn check(settings: &Settings) -> Result<(), ServiceError> {
    if !is_on(settings) {
        return Ok(());
    }
    if !is_supported(&settings.runtime) {
        return Err(unsupported(&settings.runtime));
    }
    if settings.ephemeral_storage > MAX_EPHEMERAL_STORAGE {
        return Err(unsupported(&format!(
            "Ephemeral storage greater than {MAX_EPHEMERAL_STORAGE} MB"
        )));
    }
    Ok(())
}

fn is_supported(runtime: &str) -> bool {
    OLDEST.iter().any(|(family, oldest)| {
        let version = runtime.strip_prefix(family);
        version.is_some_and(|version| version.parse().is_ok_and(|version: u32| version >= *oldest))
    })
}

/// Refuses what cannot go with it.
pub fn unsupported(what: &str) -> ServiceError {
    error::invalid_parameter(format!(
        "{what} is not supported for SnapStart enabled functions."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_runtimes_whose_state_can_be_kept() {
        for runtime in [
            "python3.12",
            "python3.14",
            "java11",
            "java17",
            "java21",
            "java25",
            "dotnet8",
            "dotnet10",
        ] {
            assert!(is_supported(runtime), "{runtime}");
        }
        for runtime in [
            "python3.11",
            "python3.9",
            "java8.al2",
            "java8",
            "dotnet6",
            "nodejs22.x",
            "ruby3.4",
            "provided.al2023",
            "go1.x",
        ] {
            assert!(!is_supported(runtime), "{runtime}");
        }
    }
}
