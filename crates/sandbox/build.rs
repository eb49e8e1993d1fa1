//! Builds the sandbox's init: a static executable without std, embedded in the library.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=init");
    println!("cargo::rerun-if-changed=build.rs");
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let target = env::var("TARGET").expect("cargo sets TARGET");
    let rustc = env::var("RUSTC").expect("cargo sets RUSTC");
    let init = Path::new(&out).join("init");

    let mut command = Command::new(rustc);
    command.args(["init/main.rs", "--edition", "2024", "--crate-name", "init"]);
    command.args([
        "--crate-type",
        "bin",
        "--target",
        &target,
        "-A",
        "dead_code",
    ]);
    command.args([
        "-C",
        "opt-level=s",
        "-C",
        "panic=abort",
        "-C",
        "strip=symbols",
    ]);
    command.args([
        "-C",
        "relocation-model=static",
        "-C",
        "target-feature=+crt-static",
    ]);
    for argument in ["-nostartfiles", "-nostdlib", "-static", "-no-pie"] {
        command.args(["-C", &format!("link-arg={argument}")]);
    }
    // One page of text, headers included, instead of one a segment.
    command.args([
        "-C",
        "link-arg=-Wl,-z,noseparate-code,-z,norelro,--build-id=none",
    ]);
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        command.args(["-C", &format!("linker={linker}")]);
    }
    let status = command
        .arg("-o")
        .arg(&init)
        .status()
        .expect("run rustc for the sandbox's init");
    assert!(status.success(), "the sandbox's init did not build");
}
