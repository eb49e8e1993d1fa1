//! Requests to API destinations: authorized by their connections when they are sent, so that no
//! secret lies in a queue.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use base::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use parking_lot::Mutex;
use routing::deliveries::{Endpoints, Exchange, Failure, HttpParts};
use service::Reach;
use service::ports::WebClient;
use store::Batch;

use crate::Events;
use crate::domain::connection::{Authorization, Parameters, complete_url, form};
use crate::domain::names;
use crate::records::{API_DESTINATIONS, CONNECTIONS, Connection, Named};

/// How long an authorization endpoint may take.
const PATIENCE: Duration = Duration::from_secs(5);
const MOST_READ: usize = 64 * 1024;
/// A token is not used in its last moments.
const EARLY: Duration = Duration::from_secs(30);
/// What a token is good for that does not say it.
const DEFAULT_LIFE: Duration = Duration::from_mins(5);

/// Access tokens by connection, in memory only.
#[derive(Default)]
pub struct Tokens(Mutex<HashMap<Named, (String, Timestamp)>>);

/// What deliveries ask. Weak, since the deliveries are the service's.
pub struct Authorizer(pub Weak<Events>);

#[async_trait]
impl Endpoints for Authorizer {
    async fn exchange(
        &self,
        arn: &str,
        parts: &HttpParts,
        body: &str,
    ) -> Result<Exchange, Failure> {
        let gone = || Failure::passing("INTERNAL_ERROR", "EventBridge is ending");
        let events = self.0.upgrade().ok_or_else(gone)?;
        events.exchange(arn, parts, body).await
    }

    fn refused(&self, arn: &str) {
        if let Some(events) = self.0.upgrade() {
            events.forget_token(arn);
        }
    }
}

impl Events {
    async fn exchange(
        &self,
        arn: &str,
        parts: &HttpParts,
        body: &str,
    ) -> Result<Exchange, Failure> {
        let missing = || Failure::lasting("NO_RESOURCE", &format!("{arn} does not exist."));
        let name = names::of_arn_with_id(arn, "api-destination").ok_or_else(missing)?;
        let read =
            |error: store::StoreError| Failure::passing("INTERNAL_ERROR", &error.to_string());
        let destination = API_DESTINATIONS.get(&*self.store, name.key()).await;
        let destination = destination.map_err(read)?.ok_or_else(missing)?;
        let of = names::of_arn_with_id(&destination.connection, "connection");
        let of = of.ok_or_else(missing)?;
        let connection = CONNECTIONS.get(&*self.store, of.key()).await;
        let connection = connection.map_err(read)?.ok_or_else(missing)?;
        if connection.state == "DEAUTHORIZED" {
            let why = format!("The connection {} is not authorized.", of.name);
            return Err(Failure::lasting("CONNECTION_DEAUTHORIZED", &why));
        }
        let mut headers = vec![
            pair("content-type", "application/json; charset=utf-8"),
            pair("user-agent", "Amazon/EventBridge/ApiDestinations"),
        ];
        // The connection's come last and so win.
        for (key, value) in &parts.headers {
            set(&mut headers, key, value);
        }
        for one in &connection.parameters.headers {
            set(&mut headers, &one.key, &one.value);
        }
        match &connection.authorization {
            Authorization::Basic { username, password } => {
                let both = STANDARD.encode(format!("{username}:{password}"));
                set(&mut headers, "authorization", &format!("Basic {both}"));
            }
            Authorization::ApiKey { name, value } => set(&mut headers, name, value),
            Authorization::OAuth { .. } => {
                let token = self.token(&of, &connection).await?;
                set(&mut headers, "authorization", &format!("Bearer {token}"));
            }
        }
        let mut query: Vec<_> = parts.query.clone();
        for one in &connection.parameters.query {
            query.retain(|(key, _)| *key != one.key);
            query.push((one.key.clone(), one.value.clone()));
        }
        Ok(Exchange {
            method: destination.method,
            url: complete_url(&destination.endpoint, &parts.path, &query),
            headers,
            body: connection.parameters.added_to(body.to_owned()),
            reach: destination.reach.and(connection.reach),
        })
    }

    /// The token that a connection's requests carry, asked for if there is none.
    async fn token(&self, name: &Named, connection: &Connection) -> Result<String, Failure> {
        let now = self.clock.now();
        let known = self.tokens.0.lock().get(name).cloned();
        if let Some((token, _)) = known.filter(|(_, until)| *until > now) {
            return Ok(token);
        }
        let asked = ask(&*self.web, &connection.authorization, connection.reach).await;
        let (token, life) = asked.map_err(|why| Failure::passing("CONNECTION_FAILURE", &why))?;
        let until = now + life.saturating_sub(EARLY);
        let mut tokens = self.tokens.0.lock();
        tokens.insert(name.clone(), (token.clone(), until));
        Ok(token)
    }

    fn forget_token(&self, destination: &str) {
        let Some(name) = names::of_arn_with_id(destination, "api-destination") else {
            return;
        };
        // Which connection it has would have to be read; another token is soon had.
        self.tokens
            .0
            .lock()
            .retain(|of, _| of.account != name.account || of.region != name.region);
    }

    /// Asks for a connection's first token, and notes whether it came.
    pub(crate) fn authorize(self: &Arc<Self>, name: Named, connection: Connection) {
        self.tokens.0.lock().remove(&name);
        if !matches!(connection.authorization, Authorization::OAuth { .. }) {
            return;
        }
        let events = Arc::downgrade(self);
        tokio::spawn(async move {
            let Some(events) = events.upgrade() else {
                return;
            };
            let authorized = events.token(&name, &connection).await;
            let _one_writer = events.writer.lock().await;
            let Ok(Some(mut now)) = CONNECTIONS.get(&*events.store, name.key()).await else {
                return;
            };
            if now.modified != connection.modified || now.state != "AUTHORIZING" {
                return;
            }
            match authorized {
                Ok(_) => {
                    "AUTHORIZED".clone_into(&mut now.state);
                    now.authorized = Some(events.clock.now());
                }
                Err(failure) => {
                    "DEAUTHORIZED".clone_into(&mut now.state);
                    now.reason = Some(failure.message);
                }
            }
            let mut batch = Batch::new();
            let put = CONNECTIONS.put(&mut batch, name.key(), &now);
            if let Err(error) = events.commit(put.map(|()| batch)).await {
                tracing::error!(%error, "a connection's state was not written");
            }
        });
    }
}

/// The client credentials grant.
///
/// <https://www.rfc-editor.org/rfc/rfc6749#section-4.4>
async fn ask(
    web: &dyn WebClient,
    authorization: &Authorization,
    reach: Reach,
) -> Result<(String, Duration), String> {
    let Authorization::OAuth {
        client_id,
        client_secret,
        endpoint,
        method,
        parameters,
    } = authorization
    else {
        return Err("the connection has no authorization endpoint".to_owned());
    };
    let Parameters {
        headers,
        query,
        body,
    } = parameters;
    let pairs = |all: &[crate::domain::connection::Parameter]| -> Vec<_> {
        all.iter()
            .map(|one| (one.key.clone(), one.value.clone()))
            .collect()
    };
    let mut members = vec![
        ("grant_type".to_owned(), "client_credentials".to_owned()),
        ("client_id".to_owned(), client_id.clone()),
        ("client_secret".to_owned(), client_secret.clone()),
    ];
    for (key, value) in pairs(body) {
        members.retain(|(known, _)| *known != key);
        members.push((key, value));
    }
    let mut query = pairs(query);
    let is_get = method == "GET";
    if is_get {
        query.extend(members.clone());
    }
    let mut request = http::Request::builder()
        .method(method.as_str())
        .uri(complete_url(endpoint, &[], &query))
        .header("accept", "application/json")
        .header("content-type", "application/x-www-form-urlencoded");
    for one in headers {
        request = request.header(&one.key, &one.value);
    }
    let body = if is_get {
        String::new()
    } else {
        form(&members)
    };
    let request = request
        .body(Bytes::from(body))
        .map_err(|error| error.to_string())?;
    let answer = web.exchange(request, reach, PATIENCE, MOST_READ).await?;
    let status = answer.status();
    if !status.is_success() {
        return Err(format!("{endpoint} answered {status}"));
    }
    let answer: serde_json::Value = serde_json::from_slice(answer.body())
        .map_err(|_| format!("{endpoint} did not answer with JSON"))?;
    let token = answer["access_token"].as_str();
    let token = token.ok_or_else(|| format!("{endpoint} gave no access_token"))?;
    let life = answer["expires_in"].as_u64().map(Duration::from_secs);
    Ok((token.to_owned(), life.unwrap_or(DEFAULT_LIFE)))
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn set(headers: &mut Vec<(String, String)>, name: &str, value: &str) {
    headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    headers.push(pair(name, value));
}
