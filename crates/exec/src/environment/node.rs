//! How Node.js is started for a function.
//!
//! A process that is parked before its function is known has these arguments too; functions with
//! [`OPTIONS`] of their own never get one (`nursery::recipe`).

use std::ffi::OsString;

use crate::function::FunctionSpec;
use crate::runtimes::Version;

/// What Node.js reads options from before its command line, which wins.
const OPTIONS: &str = "NODE_OPTIONS";

/// Options of Node.js that come before the program. What the function says of them in [`OPTIONS`] is
/// left out here.
pub(super) fn arguments(function: &FunctionSpec, version: Version) -> Vec<OsString> {
    let said = function.environment.get(OPTIONS).map_or("", String::as_str);
    let mut arguments: Vec<OsString> = Vec::new();
    // Who sizes one part of the heap sizes all of it.
    if !says(said, "--max-old-space-size") && !says(said, "--max-semi-space-size") {
        let heap = u64::from(function.memory_mb) * 9 / 10;
        arguments.push(format!("--max-old-space-size={heap}").into());
    }
    let disabled = disabled(function.runtime.version().0, version);
    for feature in disabled {
        if !says(said, &format!("--experimental-{feature}")) {
            arguments.push(format!("--no-experimental-{feature}").into());
        }
    }
    arguments
}

/// The features that Lambda turns off for a runtime, where they came to releases of it; of them those
/// that this Node.js has a flag for, since it ends at one that it does not know. Versions that were
/// not there when this was written get none.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-nodejs.html>
fn disabled(runtime: u32, node: Version) -> &'static [&'static str] {
    // `require-module` came with 20.17 and 22.0, `detect-module` with 20.10 and 21.1; 24 has both.
    let has_both = (node.major == 20 && node.minor >= 17) || (22..=24).contains(&node.major);
    match runtime {
        20 if has_both => &["require-module"],
        22 if has_both => &["require-module", "detect-module"],
        _ => &[],
    }
}

/// Whether options name one, as Node.js reads them: `_` is as good as `-`, words may be quoted, and a
/// value follows after `=` or a space.
fn says(options: &str, option: &str) -> bool {
    options.split_whitespace().any(|word| {
        let word = word.trim_matches('"').replace('_', "-");
        let rest = word.strip_prefix(option);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_found_as_node_reads_them() {
        let option = "--max-old-space-size";
        for options in [
            "--max-old-space-size=128",
            "--max-old-space-size 128",
            "--enable-source-maps  --max_old_space_size=128",
            "\"--max-old-space-size=128\"",
        ] {
            assert!(says(options, option), "{options}");
        }
        for options in [
            "",
            "--enable-source-maps",
            "--require ./max-old-space-size",
            "--max-old-space-sizes=128",
        ] {
            assert!(!says(options, option), "{options}");
        }
    }

    #[test]
    fn only_flags_that_a_node_knows_turn_features_off() {
        let on = |runtime, major, minor| {
            let version = Version {
                major,
                minor,
                patch: 0,
            };
            disabled(runtime, version).len()
        };
        assert_eq!((on(20, 20, 20), on(22, 22, 23), on(22, 20, 17)), (1, 2, 2));
        assert_eq!((on(18, 20, 20), on(24, 24, 0), on(24, 22, 12)), (0, 0, 0));
        for (major, minor) in [(18, 20), (20, 16), (21, 7), (25, 0), (30, 0)] {
            assert_eq!(on(22, major, minor), 0, "{major}.{minor}");
        }
    }
}
