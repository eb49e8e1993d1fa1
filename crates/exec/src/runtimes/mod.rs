//! Lambda's runtimes, and where this host has their interpreters.

mod interpreter;
mod lookup;
mod table;

pub use interpreter::{Interpreter, Version};
pub use lookup::InterpreterSearch;
pub(crate) use lookup::{Interpreters, Resolved};
pub use table::{Family, Runtime};

/// One line of `kagero runtime list`.
#[derive(Clone, Debug)]
pub struct RuntimeInfo {
    pub runtime: Runtime,
    /// What would run it: the exact version, or the nearest. `None` for `provided`, which needs
    /// none, and where nothing is found.
    pub interpreter: Option<Interpreter>,
    /// What is unusual: another version than asked for, or why it cannot run here.
    pub warning: Option<String>,
    pub available: bool,
}

/// Every runtime identifier, with what this host has for it. Blocks: asks interpreters for their
/// versions where the path does not say.
pub fn runtimes(search: &InterpreterSearch) -> Vec<RuntimeInfo> {
    let interpreters = Interpreters::new(search.clone(), false);
    let describe = |runtime: Runtime| match interpreters.resolve(runtime) {
        Ok(resolved) => RuntimeInfo {
            runtime,
            interpreter: resolved.interpreter.clone(),
            warning: resolved.warning.clone(),
            available: true,
        },
        Err(reason) => RuntimeInfo {
            runtime,
            interpreter: None,
            warning: Some(reason),
            available: false,
        },
    };
    Runtime::all().map(describe).collect()
}
