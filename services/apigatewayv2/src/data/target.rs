//! Which API, stage and deployment a request meets.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-stages.html>
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-mappings.html>

use std::sync::Arc;

use http::{HeaderMap, Uri};
use proxy::address::{self, Kind, segment};
use proxy::request::decoded_path;

use crate::compiled::Compiled;
use crate::directory::{Api, Directory};
use crate::records::{DEFAULT_STAGE, Domain, Stage};

#[derive(Clone)]
pub struct Target {
    pub api: Arc<Api>,
    pub stage: Arc<Stage>,
    pub compiled: Arc<Compiled>,
    /// Below the stage, as the client encoded it: routes are of it.
    pub path: String,
    /// With the stage or the mapping, where the client named one: events tell it.
    pub full_path: String,
}

impl Target {
    /// `None` if there is no such API, stage or deployment.
    pub fn find(directory: &Directory, headers: &HeaderMap, uri: &Uri) -> Option<Self> {
        if let Some(address) = address::of(headers, uri) {
            if address.kind != Kind::Api {
                return None;
            }
            let api = directory.api(&address.id.to_ascii_lowercase())?;
            if api.record.disable_execute_api_endpoint {
                return None;
            }
            if let Some(named) = address.stage {
                let full_path = format!("/{named}{}", address.path);
                let stage = Arc::clone(api.stages.get(&decoded_path(named))?);
                return Self::of(api, stage, address.path.to_owned(), full_path);
            }
            return Self::by_path(api, address.path);
        }
        let authority = address::authority(headers, uri)?;
        let domain = directory.domain(address::host(authority))?.record;
        let (api, stage, path) = mapped(&domain, uri.path())?;
        let api = directory.api(&api)?;
        let stage = Arc::clone(api.stages.get(&stage)?);
        Self::of(api, stage, path, uri.path().to_owned())
    }

    /// The path's first segment, where it names a stage; else the default stage.
    fn by_path(api: Arc<Api>, path: &str) -> Option<Self> {
        let (first, rest) = segment(path.strip_prefix('/').unwrap_or(path));
        if let Some(stage) = api.stages.get(&decoded_path(first)).cloned() {
            let full = if stage.stage_name == DEFAULT_STAGE {
                rest
            } else {
                path
            };
            return Self::of(api, stage, rest.to_owned(), full.to_owned());
        }
        let stage = Arc::clone(api.stages.get(DEFAULT_STAGE)?);
        Self::of(api, stage, path.to_owned(), path.to_owned())
    }

    fn of(api: Arc<Api>, stage: Arc<Stage>, path: String, full_path: String) -> Option<Self> {
        let compiled = api.served(&stage)?;
        Some(Self {
            api,
            stage,
            compiled,
            path,
            full_path,
        })
    }
}

/// The mapping with the longest key that the path begins with: its API, its stage, the path below.
fn mapped(domain: &Domain, path: &str) -> Option<(String, String, String)> {
    let below = |key: &str| -> Option<String> {
        if key.is_empty() {
            return Some(path.to_owned());
        }
        let rest = path.strip_prefix('/')?.strip_prefix(key)?;
        match rest {
            "" => Some("/".to_owned()),
            rest if rest.starts_with('/') => Some(rest.to_owned()),
            _ => None,
        }
    };
    let fitting = domain.mappings.values().filter_map(|mapping| {
        let key = &mapping.api_mapping_key;
        Some((key.len(), mapping, below(key)?))
    });
    let (_, mapping, rest) = fitting.max_by_key(|(length, ..)| *length)?;
    Some((mapping.api_id.clone(), mapping.stage.clone(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::ApiMapping;

    #[test]
    fn the_longest_mapping_takes_it() {
        let mut domain = Domain::default();
        for (id, key) in [("1", ""), ("2", "v1"), ("3", "v1/admin")] {
            let mapping = ApiMapping {
                api_mapping_id: id.to_owned(),
                api_id: id.to_owned(),
                stage: "s".to_owned(),
                api_mapping_key: key.to_owned(),
            };
            domain.mappings.insert(id.to_owned(), mapping);
        }
        let of = |path| mapped(&domain, path).map(|(api, _, rest)| format!("{api} {rest}"));
        assert_eq!(of("/x").as_deref(), Some("1 /x"));
        assert_eq!(of("/v1").as_deref(), Some("2 /"));
        assert_eq!(of("/v1/x").as_deref(), Some("2 /x"));
        assert_eq!(of("/v1/admin/x").as_deref(), Some("3 /x"));
        assert_eq!(of("/v12").as_deref(), Some("1 /v12"));
    }
}
