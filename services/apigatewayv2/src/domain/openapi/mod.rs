//! OpenAPI 3 definitions of HTTP APIs: read with API Gateway's extensions, and written.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-open-api.html>
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html>

mod write;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::records::{
    Authorizer, Cors, DEFAULT_ROUTE, Integration, JwtConfiguration, Route, Texts,
};

pub use write::write;

const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];
const ANY: &str = "x-amazon-apigateway-any-method";
const INTEGRATION: &str = "x-amazon-apigateway-integration";
const INTEGRATIONS: &str = "x-amazon-apigateway-integrations";
const AUTHORIZER: &str = "x-amazon-apigateway-authorizer";
const AUTH: &str = "x-amazon-apigateway-auth";
const CORS: &str = "x-amazon-apigateway-cors";
const VERSION: &str = "x-amazon-apigateway-importexport-version";
const TAG_VALUE: &str = "x-amazon-apigateway-tag-value";

/// What is to become of the path of the definition's server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BasePath {
    Ignore,
    Prepend,
    Split,
}

/// What a definition says. Authorizers have the names of their schemes as ids, and routes name them
/// so; an integration stands with its route.
#[derive(Debug, Default)]
pub struct Definition {
    pub name: String,
    pub description: Option<String>,
    pub version: Option<String>,
    pub cors: Option<Cors>,
    pub tags: Texts,
    pub authorizers: Vec<Authorizer>,
    pub routes: Vec<(Route, Option<Integration>)>,
    pub warnings: Vec<String>,
}

/// Reads a definition, as JSON or YAML.
///
/// # Errors
/// What is wrong with it.
pub fn read(text: &str, base: BasePath) -> Result<Definition, String> {
    let document: Value = match serde_json::from_str(text) {
        Ok(document) => document,
        Err(_) => serde_yaml_ng::from_str(text)
            .map_err(|error| format!("Unable to parse API definition: {error}"))?,
    };
    let version = document.get("openapi").and_then(Value::as_str);
    if !version.is_some_and(|version| version.starts_with("3.")) {
        return Err(
            "Unable to parse API definition because of a malformed integration at path /: \
                    only OpenAPI 3 is supported for HTTP APIs"
                .to_owned(),
        );
    }
    let info = document.get("info");
    let of_info = |name: &str| {
        let value = info?.get(name)?;
        value.as_str().map(str::to_owned)
    };
    let mut definition = Definition {
        name: of_info("title").ok_or("The definition's info has no title")?,
        description: of_info("description"),
        version: of_info("version"),
        cors: document.get(CORS).map(cors).transpose()?,
        ..Definition::default()
    };
    for tag in list(document.get("tags")) {
        let name = tag.get("name").and_then(Value::as_str);
        let value = tag.get(TAG_VALUE).and_then(Value::as_str);
        if let (Some(name), Some(value)) = (name, value) {
            definition.tags.insert(name.to_owned(), value.to_owned());
        }
    }
    let schemes = document.pointer("/components/securitySchemes");
    for (name, scheme) in members(schemes) {
        match scheme.get(AUTHORIZER) {
            Some(given) => definition.authorizers.push(authorizer(name, given)?),
            None => definition.warnings.push(format!(
                "Security scheme {name} has no {AUTHORIZER} and is ignored"
            )),
        }
    }
    let prefix = prefix(&document, base);
    for (path, item) in members(document.get("paths")) {
        for (method, operation) in members(Some(item)) {
            let method = match method.as_str() {
                ANY => "ANY".to_owned(),
                method if METHODS.contains(&method) => method.to_ascii_uppercase(),
                _ => continue,
            };
            let key = if path.trim_start_matches('/') == DEFAULT_ROUTE {
                DEFAULT_ROUTE.to_owned()
            } else {
                format!("{method} {prefix}{path}")
            };
            let route = read_route(&document, &mut definition, key, operation)?;
            definition.routes.push(route);
        }
    }
    Ok(definition)
}

fn prefix(document: &Value, base: BasePath) -> String {
    let server = list(document.get("servers")).first();
    let url = server
        .and_then(|server| server.get("url")?.as_str())
        .unwrap_or_default();
    let mut path = url
        .split_once("://")
        .map_or(url, |(_, rest)| rest.find('/').map_or("", |at| &rest[at..]));
    let variable = server.and_then(|it| it.pointer("/variables/basePath/default")?.as_str());
    if path == "/{basePath}" {
        path = variable.unwrap_or_default();
    }
    let path = path.trim_matches('/');
    let rest = match base {
        BasePath::Ignore => "",
        BasePath::Prepend => path,
        BasePath::Split => path.split_once('/').map_or("", |(_, rest)| rest),
    };
    if rest.is_empty() {
        String::new()
    } else {
        format!("/{rest}")
    }
}

fn read_route(
    document: &Value,
    definition: &mut Definition,
    key: String,
    operation: &Value,
) -> Result<(Route, Option<Integration>), String> {
    let mut route = Route {
        route_key: key,
        authorization_type: "NONE".to_owned(),
        operation_name: text(operation, "operationId"),
        ..Route::default()
    };
    if operation.pointer(&format!("/{AUTH}/type")) == Some(&json!("AWS_IAM")) {
        "AWS_IAM".clone_into(&mut route.authorization_type);
    }
    let security = operation
        .get("security")
        .or_else(|| document.get("security"));
    for (scheme, scopes) in list(security).iter().flat_map(|one| members(Some(one))) {
        let found = definition
            .authorizers
            .iter()
            .find(|it| it.authorizer_id == *scheme);
        let Some(found) = found else {
            continue;
        };
        let is_jwt = found.authorizer_type == "JWT";
        let kind = if is_jwt { "JWT" } else { "CUSTOM" };
        kind.clone_into(&mut route.authorization_type);
        route.authorizer_id = Some(scheme.clone());
        let scopes = list(Some(scopes)).iter().filter_map(Value::as_str);
        let scopes: Vec<String> = scopes.map(str::to_owned).collect();
        route.authorization_scopes = Some(scopes).filter(|all| is_jwt && !all.is_empty());
    }
    let mut given = operation.get(INTEGRATION);
    if let Some(reference) = given.and_then(|given| given.get("$ref")?.as_str()) {
        let name = reference.rsplit('/').next().unwrap_or_default();
        given = document.pointer(&format!("/components/{INTEGRATIONS}/{name}"));
        if given.is_none() {
            return Err(format!("{reference} leads to no integration"));
        }
    }
    let integration = given.map(integration).transpose()?;
    if integration.is_none() {
        let key = &route.route_key;
        definition
            .warnings
            .push(format!("Route {key} has no integration"));
    }
    Ok((route, integration))
}

fn integration(given: &Value) -> Result<Integration, String> {
    let kind = text(given, "type").ok_or("An integration has no type")?;
    let mut responses = BTreeMap::new();
    for (status, mappings) in members(given.get("responseParameters")) {
        responses.insert(status.clone(), texts(Some(mappings)));
    }
    Ok(Integration {
        integration_type: kind.to_ascii_uppercase(),
        integration_method: text(given, "httpMethod").map(|it| it.replace(ANY, "ANY")),
        integration_uri: text(given, "uri"),
        integration_subtype: text(given, "integrationSubtype"),
        payload_format_version: given.get("payloadFormatVersion").map(plain),
        connection_type: text(given, "connectionType"),
        connection_id: text(given, "connectionId"),
        credentials_arn: text(given, "credentials"),
        description: text(given, "description"),
        request_parameters: Some(texts(given.get("requestParameters"))).filter(|it| !it.is_empty()),
        response_parameters: Some(responses).filter(|it| !it.is_empty()),
        timeout_in_millis: given
            .get("timeoutInMillis")
            .and_then(Value::as_i64)
            .unwrap_or(0),
        ..Integration::default()
    })
}

fn authorizer(name: &str, given: &Value) -> Result<Authorizer, String> {
    let kind = text(given, "type").ok_or_else(|| format!("Authorizer {name} has no type"))?;
    let sources = match given.get("identitySource") {
        Some(Value::String(text)) => text.split(',').map(|it| it.trim().to_owned()).collect(),
        Some(Value::Array(all)) => all.iter().map(plain).collect(),
        _ => Vec::new(),
    };
    let strings = |value: Option<&Value>| list(value).iter().map(plain).collect::<Vec<_>>();
    let jwt = given.get("jwtConfiguration");
    Ok(Authorizer {
        authorizer_id: name.to_owned(),
        name: name.to_owned(),
        authorizer_type: kind.to_ascii_uppercase(),
        authorizer_uri: text(given, "authorizerUri"),
        authorizer_credentials_arn: text(given, "authorizerCredentials"),
        authorizer_payload_format_version: given.get("authorizerPayloadFormatVersion").map(plain),
        authorizer_result_ttl_in_seconds: given
            .get("authorizerResultTtlInSeconds")
            .and_then(Value::as_i64),
        enable_simple_responses: given.get("enableSimpleResponses").and_then(Value::as_bool),
        identity_source: sources,
        identity_validation_expression: text(given, "identityValidationExpression"),
        jwt_configuration: jwt.map(|jwt| JwtConfiguration {
            audience: Some(strings(jwt.get("audience"))),
            issuer: text(jwt, "issuer"),
        }),
    })
}

fn cors(given: &Value) -> Result<Cors, String> {
    let strings = |name: &str| {
        let value = given.get(name)?;
        match value {
            Value::String(one) => Some(vec![one.clone()]),
            other => Some(list(Some(other)).iter().map(plain).collect()),
        }
    };
    if !given.is_object() {
        return Err(format!("{CORS} is no object"));
    }
    Ok(Cors {
        allow_credentials: given.get("allowCredentials").and_then(Value::as_bool),
        allow_headers: strings("allowHeaders"),
        allow_methods: strings("allowMethods"),
        allow_origins: strings("allowOrigins"),
        expose_headers: strings("exposeHeaders"),
        max_age: given.get("maxAge").and_then(Value::as_i64),
    })
}

fn text(object: &Value, name: &str) -> Option<String> {
    object.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // YAML reads 1.0 as a number.
        Value::Number(number) => {
            let text = number.to_string();
            if text.contains('.') {
                text
            } else {
                format!("{text}.0")
            }
        }
        other => other.to_string(),
    }
}

fn texts(object: Option<&Value>) -> Texts {
    let members = members(object);
    members
        .map(|(name, value)| (name.clone(), plain(value)))
        .collect()
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn members(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{ApiRecord, Snapshot};

    const DEFINITION: &str = r##"
openapi: "3.0.1"
info: {title: shop, version: "1"}
servers: [{url: "https://example.com/base/v1"}]
paths:
  /pets/{id}:
    get:
      security: [{tokens: [read]}]
      x-amazon-apigateway-integration:
        type: aws_proxy
        httpMethod: POST
        uri: arn:aws:lambda:us-east-1:000000000000:function:f
        payloadFormatVersion: 2.0
  /$default:
    x-amazon-apigateway-any-method:
      x-amazon-apigateway-integration: {$ref: "#/components/x-amazon-apigateway-integrations/web"}
components:
  securitySchemes:
    tokens:
      type: oauth2
      x-amazon-apigateway-authorizer:
        type: jwt
        identitySource: $request.header.Authorization
        jwtConfiguration: {issuer: "https://i.example", audience: [a]}
  x-amazon-apigateway-integrations:
    web: {type: http_proxy, httpMethod: ANY, uri: "https://example.com", payloadFormatVersion: "1.0"}
x-amazon-apigateway-cors: {allowOrigins: ["*"]}
"##;

    #[test]
    fn a_definition_is_read() {
        let it = read(DEFINITION, BasePath::Ignore).unwrap();
        assert_eq!(it.name, "shop");
        assert!(it.warnings.is_empty(), "{:?}", it.warnings);
        let find = |key: &str| {
            it.routes
                .iter()
                .find(|(route, _)| route.route_key == key)
                .unwrap()
        };
        let (route, integration) = find("GET /pets/{id}");
        assert_eq!(route.authorization_type, "JWT");
        assert_eq!(route.authorization_scopes.as_deref().unwrap(), ["read"]);
        let integration = integration.as_ref().unwrap();
        assert_eq!(integration.payload_format_version.as_deref(), Some("2.0"));
        let (_, web) = find("$default");
        assert_eq!(web.as_ref().unwrap().integration_type, "HTTP_PROXY");
        assert_eq!(it.cors.unwrap().allow_origins.unwrap(), ["*"]);
        let prepended = read(DEFINITION, BasePath::Prepend).unwrap();
        assert!(
            prepended
                .routes
                .iter()
                .any(|(route, _)| route.route_key == "GET /base/v1/pets/{id}")
        );
        let split = read(DEFINITION, BasePath::Split).unwrap();
        assert!(
            split
                .routes
                .iter()
                .any(|(route, _)| route.route_key == "GET /v1/pets/{id}")
        );
    }

    #[test]
    fn what_is_written_is_read_again() {
        let it = read(DEFINITION, BasePath::Ignore).unwrap();
        let mut served = Snapshot {
            authorizers: it.authorizers.clone(),
            cors: it.cors.clone(),
            ..Snapshot::default()
        };
        for (at, (route, integration)) in it.routes.iter().enumerate() {
            let mut integration = integration.clone().unwrap();
            integration.integration_id = at.to_string();
            let target = Some(format!("integrations/{at}"));
            served.routes.push(Route {
                target,
                ..route.clone()
            });
            served.integrations.push(integration);
        }
        let api = ApiRecord {
            name: "shop".to_owned(),
            ..ApiRecord::default()
        };
        let written = write(&api, "http://x", &served, true);
        let again = read(&written.to_string(), BasePath::Ignore).unwrap();
        let keys = |it: &Definition| {
            let mut keys: Vec<_> = it.routes.iter().map(|it| it.0.route_key.clone()).collect();
            keys.sort();
            keys
        };
        assert_eq!(keys(&it), keys(&again));
        assert_eq!(it.cors, again.cors);
        assert_eq!(it.authorizers, again.authorizers);
        assert!(write(&api, "http://x", &served, false).get(CORS).is_none());
    }

    #[test]
    fn what_is_no_definition_is_refused() {
        for bad in ["", "{", "swagger: '2.0'", "[]", "openapi: 3.0.1"] {
            assert!(read(bad, BasePath::Ignore).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,120}") {
            let _ = read(&text, BasePath::Split);
            let _ = read(&format!("openapi: 3.0.1\ninfo: {{title: x}}\npaths: {text}"), BasePath::Split);
        }
    }
}
