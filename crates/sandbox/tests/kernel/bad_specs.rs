//! A spec that cannot be carried out says which part, and leaves nothing running.

use sandbox::{Bind, SandboxError, Spec};

use crate::rig::{Rig, shell};

fn refusal(spec: Spec) -> SandboxError {
    Rig::new().host.spawn(spec).expect_err("refused")
}

#[test]
fn a_missing_program_is_named() {
    match refusal(Spec::new("/var/task/bootstrap")) {
        SandboxError::Step { step, source } => {
            assert_eq!(step, "execute /var/task/bootstrap");
            assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
        }
        error => panic!("{error:?}"),
    }
}

#[test]
fn a_program_without_permission_is_named() {
    match refusal(Spec::new("/etc/passwd")) {
        SandboxError::Step { step, source } => {
            assert_eq!(step, "execute /etc/passwd");
            assert_eq!(source.kind(), std::io::ErrorKind::PermissionDenied);
        }
        error => panic!("{error:?}"),
    }
}

#[test]
fn a_missing_bind_is_named() {
    let mut spec = shell("true");
    spec.root
        .binds
        .push(Bind::new("/no/such/folder", "/var/task"));
    match refusal(spec) {
        SandboxError::Bind { path, .. } => assert_eq!(path.to_str(), Some("/no/such/folder")),
        error => panic!("{error:?}"),
    }
}

#[test]
fn guest_paths_stay_where_binds_belong() {
    for guest in [
        "/var/task/../../etc",
        "relative",
        "/",
        "",
        "/tmp/code",
        "/proc",
        "/dev/null",
    ] {
        let mut spec = shell("true");
        spec.root.binds.push(Bind::new("/usr", guest));
        let error = refusal(spec);
        assert!(
            matches!(error, SandboxError::GuestPath { .. }),
            "{guest}: {error:?}"
        );
    }
}

#[test]
fn nul_bytes_and_long_hostnames_are_refused() {
    let mut spec = shell("true");
    spec.env.push(("NAME".into(), "a\0b".into()));
    let error = refusal(spec);
    assert!(
        matches!(
            error,
            SandboxError::Nul {
                what: "environment variable"
            }
        ),
        "{error:?}"
    );

    let mut spec = shell("true");
    spec.hostname = "x".repeat(65);
    match refusal(spec) {
        SandboxError::Step { step, .. } => assert_eq!(step, "set the hostname"),
        error => panic!("{error:?}"),
    }
}

#[test]
fn a_working_directory_that_is_missing_is_named() {
    let mut spec = shell("true");
    spec.cwd = "/var/nothing".into();
    match refusal(spec) {
        SandboxError::Step { step, .. } => assert_eq!(step, "enter /var/nothing"),
        error => panic!("{error:?}"),
    }
}
