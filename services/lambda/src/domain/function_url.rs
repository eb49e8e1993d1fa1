//! The HTTP address of a function or an alias.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html>

use base::{Region, Timestamp};
use serde::{Deserialize, Serialize};

use super::random_name::random_name;
use crate::generated::{Cors as GivenCors, FunctionUrlAuthType, InvokeMode};

/// Characters of an address's first label.
const ID_LENGTH: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionUrl {
    /// The host's first label, which no other function has.
    pub id: String,
    pub auth_type: String,
    pub invoke_mode: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
    pub created: Timestamp,
    pub last_modified: Timestamp,
}

/// As it was given: answers tell apart what was left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cors {
    pub allow_credentials: Option<bool>,
    pub allow_headers: Option<Vec<String>>,
    pub allow_methods: Option<Vec<String>>,
    pub allow_origins: Option<Vec<String>>,
    pub expose_headers: Option<Vec<String>>,
    /// In seconds.
    pub max_age: Option<i32>,
}

impl FunctionUrl {
    pub fn new(
        auth_type: FunctionUrlAuthType,
        invoke_mode: Option<InvokeMode>,
        cors: Option<GivenCors>,
        now: Timestamp,
    ) -> Self {
        Self {
            id: random_name(ID_LENGTH),
            auth_type: auth_type.as_str().to_owned(),
            invoke_mode: invoke_mode
                .unwrap_or(InvokeMode::Buffered)
                .as_str()
                .to_owned(),
            cors: cors.and_then(Cors::of),
            created: now,
            last_modified: now,
        }
    }

    /// What a request leaves out stays.
    #[must_use]
    pub fn updated(
        &self,
        auth_type: Option<FunctionUrlAuthType>,
        invoke_mode: Option<InvokeMode>,
        cors: Option<GivenCors>,
        now: Timestamp,
    ) -> Self {
        let mut updated = self.clone();
        updated.last_modified = now;
        if let Some(auth_type) = auth_type {
            auth_type.as_str().clone_into(&mut updated.auth_type);
        }
        if let Some(mode) = invoke_mode {
            mode.as_str().clone_into(&mut updated.invoke_mode);
        }
        if let Some(cors) = cors {
            updated.cors = Cors::of(cors);
        }
        updated
    }

    /// `port` is the server's, which AWS has no need to name.
    pub fn url(&self, region: &Region, port: &str) -> String {
        format!("http://{}.lambda-url.{region}.localhost:{port}/", self.id)
    }
}

impl Cors {
    /// Without any member there are no rules.
    fn of(given: GivenCors) -> Option<Self> {
        let cors = Self {
            allow_credentials: given.allow_credentials,
            allow_headers: given.allow_headers,
            allow_methods: given.allow_methods,
            allow_origins: given.allow_origins,
            expose_headers: given.expose_headers,
            max_age: given.max_age,
        };
        (cors != Self::default()).then_some(cors)
    }

    /// What it says, as it is applied.
    pub fn rules(&self) -> proxy::cors::Rules<'_> {
        fn list(given: Option<&Vec<String>>) -> &[String] {
            given.map_or(&[], Vec::as_slice)
        }
        proxy::cors::Rules {
            origins: list(self.allow_origins.as_ref()),
            methods: list(self.allow_methods.as_ref()),
            headers: list(self.allow_headers.as_ref()),
            exposed: list(self.expose_headers.as_ref()),
            with_credentials: self.allow_credentials == Some(true),
            max_age: self.max_age.map(i64::from),
            says_any: false,
        }
    }

    pub fn shown(&self) -> GivenCors {
        let cors = self.clone();
        GivenCors {
            allow_credentials: cors.allow_credentials,
            allow_headers: cors.allow_headers,
            allow_methods: cors.allow_methods,
            allow_origins: cors.allow_origins,
            expose_headers: cors.expose_headers,
            max_age: cors.max_age,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_keeps_the_address_and_may_take_the_rules_away() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
        let cors = GivenCors {
            max_age: Some(1),
            ..GivenCors::default()
        };
        let first = FunctionUrl::new(FunctionUrlAuthType::None, None, Some(cors), at(1));
        assert_eq!(first.invoke_mode, "BUFFERED");
        assert!(first.cors.is_some());
        let second = first.updated(None, None, Some(GivenCors::default()), at(2));
        assert_eq!(
            second,
            FunctionUrl {
                cors: None,
                last_modified: at(2),
                ..first
            }
        );
        let url = second.url(&"us-east-1".parse().unwrap(), "4566");
        let host = format!("http://{}.lambda-url.us-east-1.localhost:4566/", second.id);
        assert_eq!(url, host);
        assert_eq!(second.id.len(), 32);
    }
}
