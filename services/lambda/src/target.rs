//! What the name of a function, a version or an alias leads to.

use std::sync::Arc;

use auth::policy::Document;
use service::ServiceError;

use crate::domain::function_name::{FunctionName, Qualifier};
use crate::domain::permission::Statement;
use crate::domain::version::VersionId;
use crate::error;
use crate::function::{Alias, Function, Version};

/// What a name leads to.
pub struct Target {
    pub function: Arc<Function>,
    /// The version that is named, or the first of the alias.
    pub version: Arc<Version>,
    pub alias: Option<Arc<Alias>>,
    is_qualified: bool,
}

impl Target {
    /// What `name` leads to in its function, if that has such a version or alias.
    pub fn of(function: Arc<Function>, name: &FunctionName) -> Option<Self> {
        let (version, alias) = match &name.qualifier {
            None | Some(Qualifier::Latest) => (Arc::clone(&function.latest), None),
            Some(Qualifier::Version(text)) => {
                let version = function.version(text.parse().ok()?)?;
                (Arc::clone(version), None)
            }
            Some(Qualifier::Alias(text)) => {
                let alias = function.aliases.get(text)?;
                let version = function.version(alias.record.routing.version)?;
                (Arc::clone(version), Some(Arc::clone(alias)))
            }
        };
        Some(Self {
            is_qualified: name.qualifier.is_some(),
            function,
            version,
            alias,
        })
    }

    /// Refuses an invocation by the name of a function on a capacity provider of which nothing has
    /// been published for that.
    pub fn check_published(&self) -> Result<(), ServiceError> {
        let capacity = &self.version.record.settings.capacity;
        if capacity.is_some() && !self.is_qualified && self.latest_published().is_none() {
            return Err(error::no_published_version());
        }
        Ok(())
    }

    fn latest_published(&self) -> Option<&Arc<Version>> {
        self.function.version(VersionId::LatestPublished)
    }

    /// The version for one invocation: of an alias, by weight; of a function on a capacity provider,
    /// what is published to be that.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-version-publishing.html>
    pub fn route(&self) -> &Arc<Version> {
        let Some(alias) = &self.alias else {
            let published = (!self.is_qualified && self.version.record.settings.capacity.is_some())
                .then(|| self.latest_published())
                .flatten();
            return published.unwrap_or(&self.version);
        };
        let routing = &alias.record.routing;
        if routing.additional.is_none() {
            return &self.version;
        }
        let picked = routing.pick(rand::random());
        self.function.version(picked).unwrap_or(&self.version)
    }

    /// The statements of exactly what is named.
    pub fn statements(&self) -> &[Statement] {
        match (&self.alias, self.version.record.version) {
            (Some(alias), _) => &alias.record.policy,
            // Policies are of the function or of a published version.
            (None, VersionId::Latest) if self.is_qualified => &[],
            (None, _) => &self.version.record.policy,
        }
    }

    /// The same as a policy, if there are any.
    pub fn policy(&self) -> Option<&Document> {
        match &self.alias {
            Some(alias) => alias.policy(),
            None if self.statements().is_empty() => None,
            None => self.version.policy(),
        }
    }

    /// Of exactly what is named.
    pub fn revision_id(&self) -> &str {
        match &self.alias {
            Some(alias) => &alias.record.revision_id,
            None => &self.version.record.revision_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alias::{Additional, Routing};
    use crate::domain::function_name::Place;
    use crate::function::tests::{function, published};
    use crate::records::AliasRecord;

    #[test]
    fn an_alias_whose_weight_is_all_leads_to_its_second_version() {
        let record = function("None");
        let mut function = Function::new(record.clone());
        for number in [1, 2] {
            let version = published(&record, number);
            function.versions.insert(version.record.version, version);
        }
        let additional = Additional {
            version: 2,
            weight: 1.0,
        };
        let alias = AliasRecord {
            account: record.account,
            region: record.region.clone(),
            function: record.name.clone(),
            name: "live".to_owned(),
            description: String::new(),
            routing: Routing::with(VersionId::Published(1), Some(additional)).unwrap(),
            policy: Vec::new(),
            provisioned: None,
            revision_id: "a".to_owned(),
        };
        function
            .aliases
            .insert("live".to_owned(), Alias::new(alias));
        let function = Arc::new(function);
        let target = |qualifier: Option<&str>| {
            let here: Place = record.place();
            let name = FunctionName::parse("hello", qualifier, &here).unwrap();
            Target::of(Arc::clone(&function), &name)
        };
        let live = target(Some("live")).unwrap();
        // What is shown of it is its first version.
        assert_eq!(live.version.record.version, VersionId::Published(1));
        assert_eq!(live.route().record.version, VersionId::Published(2));
        assert_eq!(live.revision_id(), "a");
        let latest = target(None).unwrap();
        assert_eq!(latest.route().record.version, VersionId::Latest);
        for missing in ["3", "01", "other", "99999999999999999999999"] {
            assert!(target(Some(missing)).is_none(), "{missing}");
        }
    }
}
