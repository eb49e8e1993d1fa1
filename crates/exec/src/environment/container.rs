//! The sandbox of a function that is a container image: the image's own tree, and the program that
//! it or the function names.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/images-parms.html>

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sandbox::Spec;

use super::blueprint::HOSTNAME;
use super::start::StartError;
use crate::error::InvokeError;
use crate::function::Container;
use crate::images::{is_program, resolve};

/// But for its limits, connections and variables.
pub(super) fn spec(
    container: &Container,
    variables: &BTreeMap<String, String>,
) -> Result<Spec, StartError> {
    let root = container.image.path();
    if !root.is_dir() {
        let gone = format!("{} does not exist", root.display());
        return Err(InvokeError::CodeUnavailable(gone).into());
    }
    let folder = Path::new(container.working_directory.as_deref().unwrap_or("/"));
    let folder = Path::new("/").join(folder);
    if !resolve(root, &folder, true).is_ok_and(|found| found.is_dir()) {
        return Err(StartError::working_directory(format!(
            "chdir to {}: no such file or directory",
            folder.display()
        )));
    }
    let Some((program, arguments)) = container.command.split_first() else {
        return Err(StartError::entrypoint(
            "neither the image nor the function names an entry point or a command".to_owned(),
        ));
    };
    let search = variables.get("PATH").map_or("", String::as_str);
    let mut spec = Spec::new(find(root, program, &folder, search)?);
    spec.args = arguments.iter().map(Into::into).collect();
    spec.cwd = folder;
    spec.hostname = String::from(HOSTNAME);
    spec.root.image = Some(root.to_owned());
    Ok(spec)
}

/// A name without a slash is looked up in `PATH`, as by a shell.
fn find(root: &Path, program: &str, folder: &Path, search: &str) -> Result<PathBuf, StartError> {
    if program.contains('/') {
        return Ok(folder.join(program));
    }
    let places = search.split(':').filter(|place| place.starts_with('/'));
    let mut paths = places.map(|place| Path::new(place).join(program));
    paths.find(|path| is_program(root, path)).ok_or_else(|| {
        StartError::entrypoint(format!(
            "exec: {program:?}: executable file not found in $PATH"
        ))
    })
}
