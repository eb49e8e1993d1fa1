//! `kagero runtime install`, as a user types it.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::Command;

use conformance::kagero_binary;

/// What the command says with these packs, below a folder, with these programs: output and errors.
fn install(packs: &[&str], into: &Path, programs: &Path) -> (bool, String, String) {
    let output = Command::new(kagero_binary())
        .args(["runtime", "install", "--into"])
        .arg(into)
        .args(packs)
        .env("PATH", programs)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.success(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn packs_are_listed_and_what_is_missing_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (into, nothing) = (folder.path().join("packs"), folder.path());
    let (done, listed, _) = install(&[], &into, nothing);
    assert!(done);
    for name in ["java", "python", "nodejs", "nodejs22"] {
        let named = |line: &str| line.split_whitespace().next() == Some(name);
        assert!(listed.lines().any(named), "{name}: {listed}");
    }
    let (done, _, told) = install(&["java", "cobol"], &into, nothing);
    assert!(
        !done && told.contains("no pack is called \"cobol\""),
        "{told}"
    );
    let (done, _, told) = install(&["java"], &into, nothing);
    assert!(!done && told.contains("mvn was not found"), "{told}");
    // Nothing is left of what did not come to be.
    let left = std::fs::read_dir(&into).map_or(0, Iterator::count);
    assert_eq!(left, 0);
}

#[test]
fn a_tool_that_brings_something_else_is_found_out() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (into, programs) = (folder.path().join("packs"), folder.path().join("bin"));
    std::fs::create_dir(&programs).unwrap();
    let fake = "#!/bin/sh\n/bin/mkdir lib\nfor jar in aws-lambda-java-runtime-interface-client-2.10.1; \
                do echo other > lib/$jar.jar; done\necho fetched\n";
    std::fs::write(programs.join("mvn"), fake).unwrap();
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(programs.join("mvn"), executable).unwrap();
    let (done, answer, told) = install(&["java"], &into, &programs);
    assert!(!done && answer.is_empty(), "{answer}");
    assert!(
        told.contains("fetched") && told.contains("is not what was expected"),
        "{told}"
    );
    assert_eq!(std::fs::read_dir(&into).unwrap().count(), 0);
}
