//! Which resource a path is for: fixed parts before variables before greedy variables.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;
use proxy::request::decoded_path;

use crate::domain::paths;
use crate::g;

/// Parts of a path at most; longer ones are no resource's.
const MAX_PARTS: usize = 256;

#[derive(Debug, Default)]
pub struct Router(Node);

#[derive(Debug, Default)]
struct Node {
    fixed: HashMap<String, Node>,
    variable: Option<(String, Box<Node>)>,
    greedy: Option<(String, Arc<g::Resource>)>,
    resource: Option<Arc<g::Resource>>,
}

/// A resource, and what its variables stand for.
#[derive(Clone, Debug)]
pub struct Matched {
    pub resource: Arc<g::Resource>,
    pub parameters: IndexMap<String, String>,
}

impl Router {
    /// Of the resources that have methods.
    pub fn new<'r>(resources: impl Iterator<Item = &'r Arc<g::Resource>>) -> Self {
        let mut root = Node::default();
        for resource in resources {
            if resource
                .resource_methods
                .as_ref()
                .is_none_or(std::collections::BTreeMap::is_empty)
            {
                continue;
            }
            root.add(resource);
        }
        Self(root)
    }

    /// The resource of a path as a client wrote it.
    pub fn find(&self, path: &str) -> Option<Matched> {
        let parts: Vec<String> = paths::parts(path).map(decoded_path).collect();
        if parts.len() > MAX_PARTS {
            return None;
        }
        let mut variables = Vec::new();
        let resource = self.0.find(&parts, &mut variables)?;
        let parameters = variables.into_iter();
        Some(Matched {
            resource: Arc::clone(resource),
            parameters: parameters
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        })
    }
}

impl Node {
    fn add(&mut self, resource: &Arc<g::Resource>) {
        let path = resource.path.as_deref().unwrap_or("/");
        let mut node = self;
        for part in paths::parts(path) {
            let Some(name) = paths::variable(part) else {
                node = node.fixed.entry(part.to_owned()).or_default();
                continue;
            };
            if paths::is_greedy(part) {
                node.greedy = Some((name.to_owned(), Arc::clone(resource)));
                return;
            }
            let variable = node
                .variable
                .get_or_insert_with(|| (name.to_owned(), Box::default()));
            node = &mut variable.1;
        }
        node.resource = Some(Arc::clone(resource));
    }

    /// Goes back where a closer match leads nowhere; a part has at most two ways on, and only one
    /// of them is a subtree of variables, so the depth of the tree bounds the work.
    fn find<'n>(
        &'n self,
        parts: &[String],
        variables: &mut Vec<(&'n str, String)>,
    ) -> Option<&'n Arc<g::Resource>> {
        let Some((part, rest)) = parts.split_first() else {
            return self.resource.as_ref();
        };
        if let Some(found) = self
            .fixed
            .get(part)
            .and_then(|node| node.find(rest, variables))
        {
            return Some(found);
        }
        if let Some((name, node)) = &self.variable {
            variables.push((name, part.clone()));
            if let Some(found) = node.find(rest, variables) {
                return Some(found);
            }
            variables.pop();
        }
        let (name, resource) = self.greedy.as_ref()?;
        variables.push((name, parts.join("/")));
        Some(resource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(paths: &[&str]) -> Router {
        let resource = |path: &&str| {
            Arc::new(g::Resource {
                path: Some((*path).to_owned()),
                resource_methods: Some([("GET".to_owned(), g::Method::default())].into()),
                ..g::Resource::default()
            })
        };
        let resources: Vec<_> = paths.iter().map(resource).collect();
        Router::new(resources.iter())
    }

    fn found(router: &Router, path: &str) -> Option<String> {
        let matched = router.find(path)?;
        let mut text = matched.resource.path.clone().unwrap();
        for (name, value) in &matched.parameters {
            text = format!("{text} {name}={value}");
        }
        Some(text)
    }

    #[test]
    fn the_closest_resource() {
        let router = router(&[
            "/",
            "/pets",
            "/pets/{id}",
            "/pets/{id}/toys",
            "/pets/special",
            "/{proxy+}",
            "/pets/{id}/{rest+}",
        ]);
        for (path, expected) in [
            ("/", "/"),
            ("", "/"),
            ("/pets", "/pets"),
            ("/pets/", "/pets"),
            ("/pets/7", "/pets/{id} id=7"),
            ("/pets/a%20b", "/pets/{id} id=a b"),
            ("/pets/special", "/pets/special"),
            ("/pets/special/toys", "/pets/{id}/toys id=special"),
            ("/pets/7/toys", "/pets/{id}/toys id=7"),
            ("/pets/7/toys/1", "/pets/{id}/{rest+} id=7 rest=toys/1"),
            ("/other/way", "/{proxy+} proxy=other/way"),
        ] {
            assert_eq!(found(&router, path).as_deref(), Some(expected), "{path}");
        }
        let empty = Router::new(std::iter::empty());
        assert!(empty.find("/a").is_none());
    }

    proptest::proptest! {
        #[test]
        fn any_path_is_looked_for_without_a_panic(path in "[/a-z%0-9.{}]{0,80}") {
            let router = router(&["/a/{b}/c", "/a/{b+}"]);
            let _ = router.find(&path);
        }
    }
}
