//! Which route takes a request: the whole path before a greedy one, a method before ANY, then
//! `$default`.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html#http-api-develop-routes.evaluation>

use std::collections::HashMap;
use std::sync::Arc;

use proxy::request::decoded_path;
use serde_json::{Map, Value};

use super::route_key::{RouteKey, Segment};
use crate::records::{DEFAULT_ROUTE, Route};

/// Routes by the segments of their paths.
#[derive(Default)]
pub struct Router {
    root: Node,
    default: Option<Arc<Route>>,
}

#[derive(Default)]
struct Node {
    literals: HashMap<String, Node>,
    variable: Option<Box<Node>>,
    /// Routes that end here.
    ends: Ends,
    /// Routes that take all that follows.
    greedy: Ends,
}

/// By method.
#[derive(Default)]
struct Ends(Vec<(String, Arc<Route>)>);

/// A route, and what the path says of its variables.
pub struct Match {
    pub route: Arc<Route>,
    pub parameters: Map<String, Value>,
}

impl Ends {
    fn find(&self, method: &str) -> Option<&Arc<Route>> {
        let named = |name: &str| self.0.iter().find(|(own, _)| own == name);
        named(method)
            .or_else(|| named("ANY"))
            .map(|(_, route)| route)
    }
}

impl Router {
    /// A key that is none is no route.
    pub fn add(&mut self, route: Arc<Route>) {
        if route.route_key == DEFAULT_ROUTE {
            self.default = Some(route);
            return;
        }
        let Some(key) = RouteKey::parse(&route.route_key) else {
            return;
        };
        let method = key.method.to_owned();
        let mut node = &mut self.root;
        for segment in key.segments {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.to_owned()).or_default(),
                Segment::Variable(_) => node.variable.get_or_insert_default(),
                Segment::Greedy(_) => {
                    node.greedy.0.push((method, Arc::clone(&route)));
                    return;
                }
            };
        }
        node.ends.0.push((method, Arc::clone(&route)));
    }

    /// The best route for a request; `path` is as the client encoded it.
    pub fn find(&self, method: &str, path: &str) -> Option<Match> {
        // A slash divides the path even where it is encoded, as AWS has it: so no variable but a greedy
        // one ever has a slash in it.
        let decoded = decoded_path(path.strip_prefix('/').unwrap_or(path));
        let segments: Vec<&str> = if decoded.is_empty() {
            Vec::new()
        } else {
            decoded.split('/').collect()
        };
        let mut budget = MOST_STEPS;
        let whole = self.root.find(method, &segments, &mut budget);
        let found = whole.or_else(|| self.root.find_greedy(method, &segments, &mut budget));
        let route = found.or(self.default.as_ref())?;
        Some(Match {
            parameters: parameters(&route.route_key, &segments),
            route: Arc::clone(route),
        })
    }
}

/// Nodes looked at for one request: paths with many variables in common could otherwise take long.
const MOST_STEPS: usize = 10_000;

impl Node {
    /// A route whose path is as long as this one.
    fn find(&self, method: &str, segments: &[&str], budget: &mut usize) -> Option<&Arc<Route>> {
        *budget = budget.checked_sub(1)?;
        let Some((first, rest)) = segments.split_first() else {
            return self.ends.find(method);
        };
        let literal = self.literals.get(*first);
        literal
            .and_then(|node| node.find(method, rest, budget))
            .or_else(|| {
                let variable = self.variable.as_deref().filter(|_| !first.is_empty());
                variable?.find(method, rest, budget)
            })
    }

    /// The greedy route that stands deepest.
    fn find_greedy(
        &self,
        method: &str,
        segments: &[&str],
        budget: &mut usize,
    ) -> Option<&Arc<Route>> {
        *budget = budget.checked_sub(1)?;
        let (first, rest) = segments.split_first()?;
        let literal = self.literals.get(*first);
        literal
            .and_then(|node| node.find_greedy(method, rest, budget))
            .or_else(|| {
                let variable = self.variable.as_deref().filter(|_| !first.is_empty());
                variable?.find_greedy(method, rest, budget)
            })
            .or_else(|| {
                let is_something = !(first.is_empty() && rest.is_empty());
                self.greedy.find(method).filter(|_| is_something)
            })
    }
}

fn parameters(key: &str, segments: &[&str]) -> Map<String, Value> {
    let mut parameters = Map::new();
    let Some(key) = RouteKey::parse(key) else {
        return parameters;
    };
    for (at, segment) in key.segments.iter().enumerate() {
        let value = match segment {
            Segment::Literal(_) => continue,
            Segment::Variable(name) => (name, (*segments.get(at).unwrap_or(&"")).to_owned()),
            Segment::Greedy(name) => (name, segments.get(at..).unwrap_or_default().join("/")),
        };
        parameters.insert((*value.0).to_owned(), Value::String(value.1));
    }
    parameters
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(keys: &[&str]) -> Router {
        let mut router = Router::default();
        for key in keys {
            router.add(Arc::new(Route {
                route_key: (*key).to_owned(),
                ..Route::default()
            }));
        }
        router
    }

    fn found(router: &Router, method: &str, path: &str) -> Option<String> {
        let found = router.find(method, path)?;
        Some(found.route.route_key.clone())
    }

    /// AWS's own example.
    #[test]
    fn the_most_specific_route_takes_it() {
        let router = router(&[
            "GET /pets/dog/1",
            "GET /pets/dog/{id}",
            "GET /pets/{proxy+}",
            "ANY /{proxy+}",
            "$default",
        ]);
        for (method, path, key) in [
            ("GET", "/pets/dog/1", "GET /pets/dog/1"),
            ("GET", "/pets/dog/2", "GET /pets/dog/{id}"),
            ("GET", "/pets/cat/1", "GET /pets/{proxy+}"),
            ("POST", "/test/5", "ANY /{proxy+}"),
            ("POST", "/pets/dog/1", "ANY /{proxy+}"),
            ("GET", "/", "$default"),
        ] {
            assert_eq!(found(&router, method, path).as_deref(), Some(key), "{path}");
        }
    }

    #[test]
    fn variables_are_decoded_and_not_empty() {
        let router = router(&["GET /a/{x}/b/{rest+}", "ANY /a/{x}"]);
        let it = router.find("GET", "/a/%20y/b/c/d%2Fe").unwrap();
        assert_eq!(it.parameters["x"], " y");
        assert_eq!(it.parameters["rest"], "c/d/e");
        assert_eq!(found(&router, "PUT", "/a/1").as_deref(), Some("ANY /a/{x}"));
        for none in ["/a/1%2F2", "/a/", "/a/1/b/", "/a/1/b", "/", "/b"] {
            assert_eq!(found(&router, "GET", none), None, "{none}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_path_is_read_without_a_panic(path in ".{0,60}") {
            let router = router(&["GET /{a}/{b}", "GET /{a+}", "GET /x"]);
            let _ = router.find("GET", &path);
        }
    }
}
