//! ListDurableExecutionsByFunction: heads in the order of their starts.

use base::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use service::ServiceError;
use store::Key;

use super::records::{HEADS, Head, NAMES, STARTS};
use super::{Durable, refusals};
use crate::domain::function_name::Place;
use crate::error;
use crate::generated::ExecutionStatus;

/// Records read at once.
const PAGE: usize = 200;

/// What is wanted of a function's executions.
pub struct Filter {
    pub place: Place,
    pub function: String,
    /// `None` for all.
    pub versions: Option<Vec<String>>,
    pub name: Option<String>,
    pub statuses: Option<Vec<ExecutionStatus>>,
    pub after: Option<Timestamp>,
    pub before: Option<Timestamp>,
    pub oldest_first: bool,
}

impl Filter {
    fn takes(&self, head: &Head) -> bool {
        let is_of = |versions: &Vec<String>| versions.contains(&head.version);
        self.versions.as_ref().is_none_or(is_of)
            && self.name.as_ref().is_none_or(|name| *name == head.name)
            && self
                .statuses
                .as_ref()
                .is_none_or(|it| it.contains(&head.status))
            && self.after.is_none_or(|after| head.started > after)
            && self.before.is_none_or(|before| head.started < before)
    }

    fn prefix(&self) -> (&str, &str, &str) {
        let place = &self.place;
        (
            place.account.as_str(),
            place.region.as_str(),
            &self.function,
        )
    }
}

impl Durable {
    /// Up to `limit` executions after the marker, and the marker of the rest.
    ///
    /// # Errors
    /// A marker that is none.
    pub async fn list(
        &self,
        filter: &Filter,
        marker: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Head>, Option<String>), ServiceError> {
        if let Some(name) = &filter.name {
            return self.list_named(filter, name).await;
        }
        let mut after = marker
            .filter(|marker| !marker.is_empty())
            .map(|marker| STANDARD.decode(marker).map(Key::from_bytes))
            .transpose()
            .map_err(|_| refusals::invalid_marker())?;
        let mut found = Vec::new();
        loop {
            let page = if filter.oldest_first {
                let scan = STARTS.scan(&self.store, filter.prefix(), after.as_ref(), PAGE);
                scan.await
            } else {
                let scan = STARTS.scan_reversed(&self.store, filter.prefix(), after.as_ref(), PAGE);
                scan.await
            };
            let page = page.map_err(error::store_failed)?;
            for row in page.rows {
                // The one that is one too many tells that there are more.
                if found.len() == limit {
                    let marker = after.map(|key| STANDARD.encode(key.as_bytes()));
                    return Ok((found, marker));
                }
                let head = HEADS.get(&self.store, &row.value).await;
                let head = head.map_err(error::store_failed)?;
                found.extend(head.filter(|head| filter.takes(head)));
                after = Some(row.key);
            }
            if page.next.is_none() {
                return Ok((found, None));
            }
        }
    }

    /// There is one of a name at most.
    async fn list_named(
        &self,
        filter: &Filter,
        name: &str,
    ) -> Result<(Vec<Head>, Option<String>), ServiceError> {
        let (account, region, function) = filter.prefix();
        let id = NAMES
            .get(&self.store, (account, region, function, name))
            .await;
        let Some(id) = id.map_err(error::store_failed)? else {
            return Ok((Vec::new(), None));
        };
        let head = HEADS
            .get(&self.store, &id)
            .await
            .map_err(error::store_failed)?;
        let found = head.filter(|head| filter.takes(head));
        Ok((found.into_iter().collect(), None))
    }
}
