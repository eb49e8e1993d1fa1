//! What a generic environment is made of.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::config::Outbound;
use crate::environment::{EXEC_WRAPPER, LAYERS_ROOT, command, extensions};
use crate::function::{Code, FunctionSpec};
use crate::runtimes::{Family, Resolved};

/// Environments of one recipe are alike until they become functions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Recipe {
    pub(crate) family: Family,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    /// What the interpreter needs to see beside `/usr`.
    pub(crate) needs: Option<PathBuf>,
    /// The pack that its functions see.
    pub(crate) pack: Option<PathBuf>,
    /// What it reaches beyond itself.
    pub(crate) outbound: Outbound,
    /// The folder of the images that it may become.
    pub(crate) stash: PathBuf,
}

impl Recipe {
    /// Of environments that can become this function. `None` if it needs a process of its own from
    /// the first instruction on: its package brings the program, its folder is no image, or a
    /// variable of its own names a wrapper or is read when the interpreter starts, or its layers lie
    /// where the interpreter does.
    pub(crate) fn of(
        function: &FunctionSpec,
        resolved: &Resolved,
        outbound: Outbound,
    ) -> Option<Self> {
        let Code::Image(image) = &function.code else {
            return None;
        };
        let family = function.runtime.family();
        // AWS's client is told its function when it starts, and so is ours of several events at once.
        if family == Family::Java || function.managed.is_some() {
            return None;
        }
        let mut names = function.environment.keys();
        if names.any(|name| name == EXEC_WRAPPER || is_read_at_start(family, name)) {
            return None;
        }
        // They are started before the runtime.
        if !extensions(function).is_empty() {
            return None;
        }
        // Layers would hide the interpreter that runs already.
        if function.layers.is_some() && resolved.inside(LAYERS_ROOT).is_some() {
            return None;
        }
        let (program, args) = command(function, resolved)?;
        let interpreter = resolved.interpreter.as_ref()?;
        Some(Self {
            family,
            program,
            args,
            needs: interpreter.needs.clone(),
            pack: resolved.pack.clone(),
            outbound,
            stash: image.root().to_owned(),
        })
    }

    /// Whether such processes can be forked.
    pub(crate) fn can_fork(&self) -> bool {
        self.family == Family::Python
    }
}

/// Whether an interpreter, or the libraries below it, reads a variable before it runs our code.
fn is_read_at_start(family: Family, name: &str) -> bool {
    const ANY: [&str; 7] = ["LD_", "LC_", "LANG", "LOC", "GLIBC_", "MALLOC_", "OPENSSL_"];
    /// Read when they are needed, and often set.
    const LATER: [&str; 2] = ["NODE_ENV", "NODE_TLS_REJECT_UNAUTHORIZED"];
    let own: &[&str] = match family {
        Family::Python => &["PYTHON"],
        Family::Ruby => &["RUBY", "GEM_"],
        Family::Node => &["NODE_", "UV_", "SSL_CERT_", "ICU_"],
        _ => &[],
    };
    let begins = |prefix: &&str| name.starts_with(*prefix);
    (ANY.iter().any(begins) || own.iter().any(begins)) && !LATER.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_interpreters_read_at_start_are_known() {
        for name in [
            "PYTHONPATH",
            "PYTHONHASHSEED",
            "LD_PRELOAD",
            "LANG",
            "LC_ALL",
        ] {
            assert!(is_read_at_start(Family::Python, name), "{name}");
        }
        for name in ["NODE_OPTIONS", "NODE_PATH", "UV_THREADPOOL_SIZE"] {
            assert!(is_read_at_start(Family::Node, name), "{name}");
        }
        for name in ["TABLE", "NODE_ENV", "LOG_LEVEL", "MODE", "PATH"] {
            assert!(!is_read_at_start(Family::Node, name), "{name}");
        }
    }
}
