//! Builds what runs inside sandboxes without std, embedded in the library: their init, a static
//! executable, and the module by which a zygote forks.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    for watched in ["init", "forker", "build.rs"] {
        println!("cargo::rerun-if-changed={watched}");
    }
    let mut init = rustc("init", "init/main.rs", "bin", "init");
    init.args(["-C", "relocation-model=static"]);
    init.args(["-C", "target-feature=+crt-static"]);
    for argument in ["-nostartfiles", "-nostdlib", "-static", "-no-pie"] {
        init.args(["-C", &format!("link-arg={argument}")]);
    }
    // One page of text, headers included, instead of one a segment.
    init.args([
        "-C",
        "link-arg=-Wl,-z,noseparate-code,-z,norelro,--build-id=none",
    ]);
    run(init);

    // What it does not define itself, the interpreter and its C library have.
    let mut forker = rustc("kagero_fork", "forker/main.rs", "cdylib", "forker.so");
    for argument in ["-nostartfiles", "-nostdlib", "-Wl,--build-id=none"] {
        forker.args(["-C", &format!("link-arg={argument}")]);
    }
    run(forker);
}

fn rustc(name: &str, source: &str, kind: &str, output: &str) -> Command {
    let variable = |name: &str| env::var(name).expect("cargo sets it");
    let mut command = Command::new(variable("RUSTC"));
    command.args([source, "--edition", "2024", "--crate-name", name]);
    command.args(["--crate-type", kind, "--target", &variable("TARGET")]);
    command.args(["-A", "dead_code"]);
    for option in ["opt-level=s", "panic=abort", "strip=symbols"] {
        command.args(["-C", option]);
    }
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        command.args(["-C", &format!("linker={linker}")]);
    }
    command.arg("-o");
    command.arg(Path::new(&variable("OUT_DIR")).join(output));
    command
}

fn run(mut command: Command) {
    let status = command.status().expect("run rustc for a sandbox's program");
    assert!(status.success(), "{command:?} failed");
}
