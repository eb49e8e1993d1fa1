//! Any layers whatsoever: what they write is in the image, or nowhere.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use exec::ImageId;
use proptest::prelude::*;

use crate::world::{Layer, World};

const NAMES: [&str; 9] = [
    "a", "b", "a/b", "b/a", "a/b/c", "/a", "./b/", "../a", "a/../b",
];
const LINKS: [&str; 7] = ["a", "b", "/", "..", "../../../../jail", "/a/b", "b/a"];

fn entry() -> impl Strategy<Value = (u8, usize, usize)> {
    (0_u8..8, 0..NAMES.len(), 0..LINKS.len())
}

fn layer(entries: &[(u8, usize, usize)]) -> Layer {
    let add = |layer: Layer, (kind, name, link): &(u8, usize, usize)| {
        let (name, link) = (NAMES[*name], LINKS[*link]);
        let (folder, last) = name.rsplit_once('/').unwrap_or((".", name));
        match kind {
            0..=2 => layer.file(name, "inside"),
            3 => layer.folder(name),
            4 | 5 => layer.symlink(name, link),
            6 => layer.link(name, link),
            _ => layer.file(&format!("{folder}/.wh.{last}"), ""),
        }
    };
    entries.iter().fold(Layer::default(), add)
}

fn everything(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        found.push(entry.unwrap().path());
    }
    found.sort();
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn stay_inside(layers in proptest::collection::vec(
        proptest::collection::vec(entry(), 1..8), 1..4,
    )) {
        let world = World::new();
        let jail = world.folder.path().join("jail");
        fs::create_dir(&jail).unwrap();
        fs::write(jail.join("a"), "outside").unwrap();
        symlink(&jail, world.folder.path().join("a")).unwrap();
        let before = everything(world.folder.path());
        let ids: Vec<ImageId> = layers
            .iter()
            .filter_map(|entries| world.import(layer(entries)).ok())
            .collect();
        let _ = world.assemble(&ids);
        prop_assert_eq!(everything(world.folder.path()), before);
        prop_assert_eq!(everything(&jail), [jail.join("a")]);
        prop_assert_eq!(fs::read_to_string(jail.join("a")).unwrap(), "outside");
    }
}
