//! One file an operation, or a resource where operations are trivial.

pub mod api_destinations;
pub mod archives;
pub mod buses;
pub mod connections;
pub mod permissions;
pub mod put_events;
pub mod put_rule;
pub mod replays;
pub mod rules;
pub mod tags;
pub mod targets;
pub mod test_event_pattern;

use std::sync::Arc;

use service::{RequestContext, ServiceError};
use store::{Batch, StoreError};

use crate::domain::names;
use crate::records::{BUSES, Bus, Named, RULES, Rule};
use crate::{Events, error};

pub type State = Arc<Events>;

impl Events {
    /// A bus that is there, of the caller's account.
    pub(crate) fn own_bus(
        &self,
        context: &RequestContext,
        text: Option<&str>,
    ) -> Result<(Named, Arc<Bus>), ServiceError> {
        let name = names::bus(context, text)?;
        let found = self
            .directory
            .bus(&name)
            .filter(|_| name.account == context.account);
        match found {
            Some(bus) => Ok((name, bus)),
            None => Err(error::bus_not_found(&name.name)),
        }
    }

    pub(crate) fn own_rule(
        &self,
        context: &RequestContext,
        bus: Option<&str>,
        rule: &str,
    ) -> Result<(Named, Arc<Rule>), ServiceError> {
        let (bus, _) = self.own_bus(context, bus)?;
        match self.directory.rule(&bus, rule) {
            Some(found) => Ok((bus, found)),
            None => Err(error::rule_not_found(rule, &bus.name)),
        }
    }

    pub(crate) async fn save_bus(&self, name: Named, bus: Bus) -> Result<(), ServiceError> {
        let mut batch = Batch::new();
        let put = BUSES.put(&mut batch, name.key(), &bus);
        self.commit(put.map(|()| batch)).await?;
        self.directory.put_bus(name, bus);
        Ok(())
    }

    /// Writes a rule that keeps its schedule.
    pub(crate) async fn save_rule(
        &self,
        bus: &Named,
        name: &str,
        rule: Rule,
    ) -> Result<(), ServiceError> {
        let mut batch = Batch::new();
        let put = RULES.put(&mut batch, (bus.key(), name), &rule);
        self.commit(put.map(|()| batch)).await?;
        self.directory.put_rule(bus, name, rule);
        Ok(())
    }

    /// All records of a table that are the caller's, in order of names.
    pub(crate) async fn own_records<T: serde::de::DeserializeOwned>(
        &self,
        table: &store::Table<T>,
        context: &RequestContext,
    ) -> Result<Vec<(Named, T)>, ServiceError> {
        let own = (context.account.as_str(), context.region.as_str());
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = table.scan(&*self.store, own, after.as_ref(), 500).await;
            let page = page.map_err(|error| error::unavailable(&error))?;
            for row in page.rows {
                let name = crate::directory::name_of(&row.key);
                let (name, _) = name.map_err(|error| error::unavailable(&error))?;
                found.push((name, row.value));
            }
            after = page.next;
            if after.is_none() {
                return Ok(found);
            }
        }
    }

    pub(crate) async fn commit(
        &self,
        batch: Result<Batch, StoreError>,
    ) -> Result<(), ServiceError> {
        let committed = self.store.commit_made(batch).await;
        committed.map_err(|error| error::unavailable(&error))
    }
}
