//! What a stage serves, laid out for requests.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::router::Router;
use crate::records::{
    ApiRecord, Authorizer, Cors, Integration, IntegrationResponse, Route, RouteResponse, Snapshot,
    WEBSOCKET,
};

pub struct Compiled {
    /// Of an HTTP API.
    pub router: Router,
    /// By key; of a WebSocket API, and for settings.
    pub routes: HashMap<String, Arc<Route>>,
    pub integrations: HashMap<String, Arc<Integration>>,
    /// By integration.
    pub integration_responses: HashMap<String, Vec<IntegrationResponse>>,
    /// By route.
    pub route_responses: HashMap<String, Vec<RouteResponse>>,
    pub authorizers: HashMap<String, Arc<Authorizer>>,
    pub cors: Option<Cors>,
    /// Mapping templates of a WebSocket API, read once, by their text.
    pub templates: HashMap<String, Result<vtl::Template, vtl::ParseError>>,
    /// Whether some requests have to be signed.
    pub needs_signatures: bool,
}

impl Compiled {
    pub fn new(api: &ApiRecord, snapshot: &Snapshot) -> Self {
        let routes: HashMap<_, _> = snapshot
            .routes
            .iter()
            .map(|route| (route.route_key.clone(), Arc::new(route.clone())))
            .collect();
        let mut router = Router::default();
        if api.protocol_type != WEBSOCKET {
            for route in routes.values() {
                router.add(Arc::clone(route));
            }
        }
        let mut compiled = Self {
            router,
            needs_signatures: routes.values().any(|it| it.authorization_type == "AWS_IAM"),
            routes,
            integrations: HashMap::new(),
            integration_responses: HashMap::new(),
            route_responses: HashMap::new(),
            authorizers: HashMap::new(),
            cors: snapshot.cors.clone(),
            templates: HashMap::new(),
        };
        let requests = snapshot.integrations.iter();
        let requests = requests.filter_map(|it| it.request_templates.as_ref());
        let responses = snapshot.integration_responses.iter();
        let responses = responses.filter_map(|it| it.response_templates.as_ref());
        for text in requests.chain(responses).flat_map(|it| it.values()) {
            let read = vtl::Template::parse(text);
            compiled.templates.insert(text.clone(), read);
        }
        for integration in &snapshot.integrations {
            let id = integration.integration_id.clone();
            let integration = Arc::new(integration.clone());
            compiled.integrations.insert(id, integration);
        }
        for authorizer in &snapshot.authorizers {
            let id = authorizer.authorizer_id.clone();
            let authorizer = Arc::new(authorizer.clone());
            compiled.authorizers.insert(id, authorizer);
        }
        for response in &snapshot.integration_responses {
            let of = compiled
                .integration_responses
                .entry(response.parent.clone());
            of.or_default().push(response.clone());
        }
        for response in &snapshot.route_responses {
            let of = compiled.route_responses.entry(response.parent.clone());
            of.or_default().push(response.clone());
        }
        compiled
    }

    /// The integration that a route leads to.
    pub fn integration(&self, route: &Route) -> Option<&Arc<Integration>> {
        let id = route.target.as_deref()?.strip_prefix("integrations/")?;
        self.integrations.get(id)
    }
}
