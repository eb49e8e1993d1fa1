//! What everybody has, in memory, and the one way to change it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use service::{Reach, RequestContext, ServiceError};

use crate::records::{self, Api, Inventory, Place};
use crate::{ApiGateway, error};

#[derive(Default)]
pub struct Book {
    inventories: BTreeMap<Place, Arc<Inventory>>,
    /// Requests name an API or a domain, and not whose it is.
    apis: HashMap<String, Place>,
    domains: HashMap<String, Place>,
}

impl Book {
    pub fn of(inventories: BTreeMap<Place, Arc<Inventory>>) -> Self {
        let mut book = Self::default();
        for (place, inventory) in inventories {
            book.set(place, inventory);
        }
        book
    }

    pub fn inventory(&self, place: &Place) -> Arc<Inventory> {
        self.inventories
            .get(place)
            .map(Arc::clone)
            .unwrap_or_default()
    }

    /// The API of that id, whoever has it.
    pub fn api(&self, id: &str) -> Option<(&Place, Arc<Inventory>)> {
        let place = self.apis.get(id)?;
        Some((place, self.inventory(place)))
    }

    /// Who has a domain name.
    pub fn domain(&self, name: &str) -> Option<Arc<Inventory>> {
        let place = self.domains.get(name)?;
        Some(self.inventory(place))
    }

    fn set(&mut self, place: Place, inventory: Arc<Inventory>) {
        let before = self.inventory(&place);
        for id in before.apis.keys() {
            if !inventory.apis.contains_key(id) {
                self.apis.remove(id);
            }
        }
        for id in inventory.apis.keys() {
            if !before.apis.contains_key(id) {
                self.apis.insert(id.clone(), place.clone());
            }
        }
        for (name, _) in before.domains.iter() {
            if !inventory.domains.has(name) {
                self.domains.remove(name);
            }
        }
        for (name, _) in inventory.domains.iter() {
            if !before.domains.has(name) {
                self.domains.insert(name.to_owned(), place.clone());
            }
        }
        self.inventories.insert(place, inventory);
    }
}

impl Place {
    pub fn of(context: &RequestContext) -> Self {
        Self {
            account: context.account,
            region: context.region.clone(),
        }
    }
}

impl ApiGateway {
    pub(crate) fn inventory(&self, context: &RequestContext) -> Arc<Inventory> {
        self.book.read().inventory(&Place::of(context))
    }

    pub(crate) fn api(&self, context: &RequestContext, id: &str) -> Result<Arc<Api>, ServiceError> {
        let inventory = self.inventory(context);
        let api = inventory.apis.get(id).map(Arc::clone);
        api.ok_or_else(|| no_api(context, id))
    }

    /// Changes what an account has in a region: all of it or, where the change fails, nothing. It
    /// is durable when this returns.
    pub(crate) async fn change<T>(
        &self,
        context: &RequestContext,
        change: impl FnOnce(&mut Inventory) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let place = Place::of(context);
        let _one_writer = self.writer.lock().await;
        let before = self.book.read().inventory(&place);
        let mut after = Inventory::clone(&before);
        let result = change(&mut after)?;
        narrow(&before, &mut after, context.reach);
        let batch = records::changes(&place, &before, &after);
        let committed = match batch {
            Ok(batch) => self.store.commit(batch).await,
            Err(error) => Err(error),
        };
        committed.map_err(|error| error::unavailable(&error))?;
        self.book.write().set(place, Arc::new(after));
        Ok(result)
    }

    /// Changes one API.
    pub(crate) async fn change_api<T>(
        &self,
        context: &RequestContext,
        id: &str,
        change: impl FnOnce(&mut Api) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        self.change(context, |inventory| match inventory.apis.get_mut(id) {
            Some(api) => change(Arc::make_mut(api)),
            None => Err(no_api(context, id)),
        })
        .await
    }

    /// Whether anybody has an API of that id.
    pub(crate) fn knows_api(&self, id: &str) -> bool {
        self.book.read().api(id).is_some()
    }

    /// Whether anybody has that domain name.
    pub(crate) fn knows_domain(&self, name: &str) -> bool {
        self.book.read().domain(name).is_some()
    }
}

/// What a function has once changed stays within its reach.
fn narrow(before: &Inventory, after: &mut Inventory, reach: Reach) {
    for (id, api) in &mut after.apis {
        let old = before.apis.get(id);
        if old.is_some_and(|old| Arc::ptr_eq(old, api)) {
            continue;
        }
        let reach = old.map_or(Reach::Anywhere, |old| old.reach).and(reach);
        if api.reach != reach {
            Arc::make_mut(api).reach = reach;
        }
    }
}

fn no_api(context: &RequestContext, id: &str) -> ServiceError {
    error::not_found(format!(
        "Invalid API identifier specified {}:{id}",
        context.account
    ))
}
