//! The keys that issuers of tokens publish: found by OpenID discovery, and kept.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use bytes::Bytes;
use http::Request;
use parking_lot::Mutex;
use proxy::client::Client;
use serde_json::Value;
use service::Reach;

use crate::domain::jwt::{Key, keys};

/// How long keys are kept.
const KEPT: Duration = Duration::from_hours(2);
/// How soon they are asked for again because a token names one that is not there.
const AGAIN: Duration = Duration::from_secs(30);
/// How long an issuer that could not be asked is left alone: whoever sends tokens must not have it asked
/// for each of them.
const ALONE: Duration = Duration::from_secs(5);
/// How long an issuer may take.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// The largest document, in bytes.
const MOST: usize = 150_000;
/// Issuers whose keys are kept at most.
const MOST_ISSUERS: usize = 1_000;

pub struct Issuers {
    client: Client,
    /// Apart by reach: what cannot be asked for one may be for another.
    known: Mutex<HashMap<(String, Reach), Known>>,
}

struct Known {
    keys: Result<Arc<Vec<Key>>, String>,
    at: Timestamp,
}

impl Issuers {
    pub fn new(client: Client) -> Self {
        Self {
            client,
            known: Mutex::default(),
        }
    }

    /// The keys of an issuer, among them the one of this id if it has it.
    ///
    /// # Errors
    /// What is wrong with the issuer.
    pub async fn keys(
        &self,
        issuer: &str,
        key_id: &str,
        reach: Reach,
        now: Timestamp,
    ) -> Result<Arc<Vec<Key>>, String> {
        if let Some(known) = self.known.lock().get(&(issuer.to_owned(), reach)) {
            let age = now.since(known.at);
            let counts = match &known.keys {
                Ok(keys) => {
                    let has_it = keys.iter().any(|key| key.id == key_id);
                    age < AGAIN || (has_it && age < KEPT)
                }
                Err(_) => age < ALONE,
            };
            if counts {
                return known.keys.clone();
            }
        }
        let keys = self.fetch(issuer, reach).await.map(Arc::new);
        let mut known = self.known.lock();
        if known.len() >= MOST_ISSUERS {
            known.clear();
        }
        let fresh = Known {
            keys: keys.clone(),
            at: now,
        };
        known.insert((issuer.to_owned(), reach), fresh);
        keys
    }

    async fn fetch(&self, issuer: &str, reach: Reach) -> Result<Vec<Key>, String> {
        let base = issuer.trim_end_matches('/');
        let discovery = self
            .get(&format!("{base}/.well-known/openid-configuration"), reach)
            .await?;
        let discovery: Value = serde_json::from_slice(&discovery)
            .map_err(|error| format!("the discovery document of {issuer}: {error}"))?;
        let uri = discovery.get("jwks_uri").and_then(Value::as_str);
        let uri =
            uri.ok_or_else(|| format!("the discovery document of {issuer} has no jwks_uri"))?;
        let document = self.get(uri, reach).await?;
        keys(&document).ok_or_else(|| format!("{uri} is no set of keys"))
    }

    async fn get(&self, uri: &str, reach: Reach) -> Result<Bytes, String> {
        let request = Request::get(uri).body(Bytes::new());
        let request = request.map_err(|error| format!("{uri}: {error}"))?;
        let response = self.client.fetch(request, reach, PATIENCE, MOST).await;
        let response = response.map_err(|error| format!("{uri}: {error}"))?;
        if !response.status().is_success() {
            return Err(format!("{uri} answered {}", response.status()));
        }
        Ok(response.into_body())
    }
}
