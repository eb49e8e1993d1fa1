//! Finds an interpreter for a runtime: the exact version, else the nearest with a warning.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::interpreter::{Interpreter, Version};
use super::table::{Family, Runtime};
use crate::packs::{self, Pack};

/// Where to look for interpreters.
#[derive(Clone, Debug, Default)]
pub struct InterpreterSearch {
    /// The value of `PATH`.
    pub path: Option<OsString>,
    /// The user's home folder, where version managers install.
    pub home: Option<PathBuf>,
    /// Where packs are installed.
    pub packs: Option<PathBuf>,
}

/// What runs a runtime on this host.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// `None` for `provided`.
    pub(crate) interpreter: Option<Interpreter>,
    /// Set when it is not the version the runtime names.
    pub(crate) warning: Option<String>,
    /// The folder of a pack that its functions see.
    pub(crate) pack: Option<PathBuf>,
}

impl Resolved {
    /// Where the interpreter lies below a folder of the sandbox, if it does.
    pub(crate) fn inside(&self, folder: &str) -> Option<&Path> {
        let needs = self.interpreter.as_ref()?.needs.as_ref()?;
        needs.strip_prefix(folder).ok()
    }
}

/// Looks interpreters up, and remembers what it found (never what it did not).
#[derive(Debug)]
pub(crate) struct Interpreters {
    search: InterpreterSearch,
    strict: bool,
    found: Mutex<HashMap<Runtime, Arc<Resolved>>>,
}

impl Interpreters {
    pub(crate) fn new(search: InterpreterSearch, strict: bool) -> Self {
        Self {
            search,
            strict,
            found: Mutex::default(),
        }
    }

    /// What was found before, if it is still there.
    pub(crate) fn known(&self, runtime: Runtime) -> Option<Arc<Resolved>> {
        let known = Arc::clone(self.found.lock().get(&runtime)?);
        let lost = known
            .interpreter
            .as_ref()
            .is_some_and(|known| !known.path.exists());
        (!lost).then_some(known)
    }

    /// May block for the time of some interpreter starts.
    ///
    /// # Errors
    /// Why the runtime cannot run here, for the function's owner.
    pub(crate) fn resolve(&self, runtime: Runtime) -> Result<Arc<Resolved>, String> {
        if let Some(known) = self.known(runtime) {
            return Ok(known);
        }
        let resolved = Arc::new(self.look_up(runtime)?);
        if let Some(warning) = &resolved.warning {
            tracing::warn!(%runtime, "{warning}");
        }
        self.found.lock().insert(runtime, Arc::clone(&resolved));
        Ok(resolved)
    }

    fn look_up(&self, runtime: Runtime) -> Result<Resolved, String> {
        let (name, candidates) = match runtime.family() {
            Family::Provided => {
                return Ok(Resolved {
                    interpreter: None,
                    warning: None,
                    pack: None,
                });
            }
            Family::Python => ("Python", self.search.pythons(runtime.version())),
            Family::Node => ("Node.js", self.search.nodes(runtime.version())),
            Family::Ruby => ("Ruby", self.search.rubies(runtime.version())),
            Family::Java => ("Java", self.search.javas(runtime.version())),
            Family::Dotnet | Family::Go => {
                return Err(format!(
                    "{runtime} has no runtime here; publish the function self-contained and use \
                     provided.al2023"
                ));
            }
        };
        let interpreter = candidates.ok_or_else(|| {
            format!("{runtime} needs {name}, and no {name} was found on this host")
        })?;
        let packs = self.search.packs.as_deref();
        let pack = packs::of_family(runtime.family()).and_then(|pack| pack.find(packs?));
        if runtime.family() == Family::Java && pack.is_none() {
            return Err(format!(
                "{runtime} needs AWS's runtime interface client for Java: install it with \
                 `kagero runtime install {}`",
                Pack::Java.name()
            ));
        }
        let warning = (!matches(runtime, interpreter.version)).then(|| {
            format!(
                "{runtime} runs on {name} {}, the nearest version on this host ({})",
                interpreter.version,
                interpreter.path.display()
            )
        });
        match warning {
            Some(_) if self.strict => Err(format!(
                "{runtime} needs its own version of {name}; the nearest on this host is {} ({}), \
                 and strict runtimes are asked for",
                interpreter.version,
                interpreter.path.display()
            )),
            warning => Ok(Resolved {
                interpreter: Some(interpreter),
                warning,
                pack,
            }),
        }
    }
}

impl InterpreterSearch {
    /// From the variables that `variable` gives: `PATH` and `HOME`, and those of [`packs::folder`].
    pub fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        Self {
            path: variable("PATH"),
            home: variable("HOME").map(PathBuf::from),
            packs: packs::folder(variable),
        }
    }

    /// The Python nearest to this version.
    fn pythons(&self, (_, wanted): (u32, u32)) -> Option<Interpreter> {
        let mut named: Vec<(u32, PathBuf)> = Vec::new();
        for folder in self.folders(PYTHON_HOMES) {
            for name in names(&folder) {
                let minor = name
                    .strip_prefix("python3.")
                    .and_then(|rest| rest.parse().ok());
                if let Some(minor) = minor {
                    named.push((minor, folder.join(name)));
                }
            }
        }
        // A stable sort: among equals, the first folder wins.
        named.sort_by_key(|(minor, _)| distance(*minor, wanted));
        named.iter().find_map(|(_, path)| Interpreter::python(path))
    }

    /// The Node.js nearest to this version.
    fn nodes(&self, (wanted, _): (u32, u32)) -> Option<Interpreter> {
        let installed = self.packs.iter().flat_map(|packs| packs::programs(packs));
        let found = self.folders(NODE_HOMES).into_iter().chain(installed);
        let mut found: Vec<_> = found
            .filter_map(|folder| Interpreter::node(&folder.join("node")))
            .collect();
        found.sort_by_key(|node| distance(node.version.major, wanted));
        found.into_iter().next()
    }

    /// The Ruby nearest to this version.
    fn rubies(&self, (major, minor): (u32, u32)) -> Option<Interpreter> {
        let ordinal = |major: u32, minor: u32| major * 100 + minor;
        let found = self.folders(RUBY_HOMES).into_iter();
        let mut found: Vec<_> = found
            .filter_map(|folder| Interpreter::ruby(&folder.join("ruby")))
            .collect();
        let wanted = ordinal(major, minor);
        found.sort_by_key(|ruby| distance(ordinal(ruby.version.major, ruby.version.minor), wanted));
        found.into_iter().next()
    }

    /// The Java of this version; else the next newer one, since an older one runs nothing that was
    /// compiled for a newer; else the newest.
    fn javas(&self, (wanted, _): (u32, u32)) -> Option<Interpreter> {
        let system = expand(Path::new("/usr/lib/jvm"), "*/bin");
        let found = self.folders(JAVA_HOMES).into_iter().chain(system);
        let found = found.filter_map(|folder| Interpreter::java(&folder.join("java")));
        found.min_by_key(|java| {
            let major = java.version.major;
            (major < wanted, major.abs_diff(wanted))
        })
    }

    /// Every folder that may hold an interpreter, in the order of preference.
    fn folders(&self, homes: &[&str]) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = match &self.path {
            Some(path) => std::env::split_paths(path)
                .filter(|path| path.is_absolute())
                .collect(),
            None => Vec::new(),
        };
        if let Some(home) = &self.home {
            for pattern in homes {
                folders.extend(expand(home, pattern));
            }
        }
        folders.push(PathBuf::from("/usr/local/bin"));
        folders.extend(expand(Path::new("/opt"), "*/bin"));
        folders.extend(expand(Path::new("/opt"), "*/*/bin"));
        folders.push(PathBuf::from("/usr/bin"));
        folders
    }
}

/// Where pyenv, uv, mise and asdf put Pythons, below the home folder.
const PYTHON_HOMES: &[&str] = &[
    ".pyenv/versions/*/bin",
    ".local/share/uv/python/*/bin",
    ".local/share/mise/installs/python/*/bin",
    ".asdf/installs/python/*/bin",
];

/// Where nvm, fnm, volta, mise, asdf and n put Node.js, below the home folder.
const NODE_HOMES: &[&str] = &[
    ".nvm/versions/node/*/bin",
    ".local/share/fnm/node-versions/*/installation/bin",
    ".volta/tools/image/node/*/bin",
    ".local/share/mise/installs/node/*/bin",
    ".asdf/installs/nodejs/*/bin",
    "n/n/versions/node/*/bin",
];

/// Where rbenv, RVM, mise and asdf put Rubies, below the home folder.
const RUBY_HOMES: &[&str] = &[
    ".rbenv/versions/*/bin",
    ".rvm/rubies/*/bin",
    ".local/share/mise/installs/ruby/*/bin",
    ".asdf/installs/ruby/*/bin",
];

/// Where SDKMAN, IntelliJ, mise and asdf put Javas, below the home folder.
const JAVA_HOMES: &[&str] = &[
    ".sdkman/candidates/java/*/bin",
    ".jdks/*/bin",
    ".local/share/mise/installs/java/*/bin",
    ".asdf/installs/java/*/bin",
];

/// Folders that match a pattern of names and `*`, those with the newest version first.
fn expand(base: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut folders = vec![base.to_owned()];
    for part in pattern.split('/') {
        folders = if part == "*" {
            folders
                .iter()
                .flat_map(|folder| newest_first(folder))
                .collect()
        } else {
            folders
                .into_iter()
                .map(|folder| folder.join(part))
                .filter(|path| path.is_dir())
                .collect()
        };
    }
    folders
}

fn newest_first(folder: &Path) -> Vec<PathBuf> {
    let mut names = names(folder);
    names.sort_by_key(|name| std::cmp::Reverse(Version::find_in(name)));
    names.into_iter().map(|name| folder.join(name)).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// Nearer is smaller; of two as near, the newer, which runs older code more often than the reverse.
fn distance(version: u32, wanted: u32) -> (u32, bool) {
    (version.abs_diff(wanted), version < wanted)
}

fn matches(runtime: Runtime, version: Version) -> bool {
    let (major, minor) = runtime.version();
    match runtime.family() {
        Family::Node | Family::Java => version.major == major,
        _ => (version.major, version.minor) == (major, minor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_version_wins_and_ties_go_to_the_newer() {
        let mut versions = [8, 10, 11, 13, 14];
        versions.sort_by_key(|version| distance(*version, 12));
        assert_eq!(versions, [13, 11, 14, 10, 8]);
    }

    #[test]
    fn folders_of_version_managers_are_expanded_newest_first() {
        let home = tempfile::tempdir().unwrap();
        for version in ["3.9.18", "3.12.1", "3.12.10"] {
            fs::create_dir_all(
                home.path()
                    .join(".pyenv/versions")
                    .join(version)
                    .join("bin"),
            )
            .unwrap();
        }
        let found = expand(home.path(), PYTHON_HOMES[0]);
        let versions: Vec<_> = found
            .iter()
            .map(|bin| bin.parent().unwrap().file_name().unwrap())
            .collect();
        assert_eq!(versions, ["3.12.10", "3.12.1", "3.9.18"]);
    }

    #[test]
    fn runtimes_without_support_say_so() {
        let interpreters = Interpreters::new(InterpreterSearch::default(), false);
        let reason = interpreters
            .resolve("dotnet8".parse().unwrap())
            .unwrap_err();
        assert!(
            reason.starts_with("dotnet8 has no runtime here"),
            "{reason}"
        );
    }

    #[test]
    fn strict_runtimes_refuse_another_version() {
        let everywhere = InterpreterSearch::from_variables(|name| std::env::var_os(name));
        let lenient = Interpreters::new(everywhere.clone(), false);
        let Ok(old) = lenient.resolve("python3.6".parse().unwrap()) else {
            eprintln!("skipped: no Python on this host");
            return;
        };
        let strict = Interpreters::new(everywhere, true).resolve("python3.6".parse().unwrap());
        assert_eq!(strict.is_err(), old.warning.is_some());
    }
}
