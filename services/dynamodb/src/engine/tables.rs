//! The tables there are, in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use store::{Store, StoreError};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock as Gate};

use crate::domain::table::Definition;
use crate::records::{SIZES, Sizes, TABLES, TableName};

/// A table of a running server.
pub struct Table {
    pub name: TableName,
    /// `None` once the table has been deleted.
    definition: RwLock<Option<Arc<Definition>>>,
    /// Writes to items pass it together; a change of the definition has it alone.
    gate: Arc<Gate<()>>,
    pub sizes: Mutex<Counted>,
}

/// Sizes, and whether the stored ones are behind.
#[derive(Debug, Default)]
pub struct Counted {
    pub sizes: Sizes,
    pub changed: bool,
}

#[derive(Default)]
pub struct Tables {
    by_name: RwLock<BTreeMap<TableName, Arc<Table>>>,
}

impl Table {
    pub fn new(name: TableName, definition: Definition, sizes: Sizes) -> Arc<Self> {
        Arc::new(Self {
            name,
            definition: RwLock::new(Some(Arc::new(definition))),
            gate: Arc::default(),
            sizes: Mutex::new(Counted {
                sizes,
                changed: false,
            }),
        })
    }

    /// As it is now; `None` once it is deleted.
    pub fn definition(&self) -> Option<Arc<Definition>> {
        self.definition.read().clone()
    }

    pub fn set_definition(&self, definition: Option<Definition>) {
        *self.definition.write() = definition.map(Arc::new);
    }

    /// For a write: while it lasts, the definition stays.
    pub async fn pass(&self) -> OwnedRwLockReadGuard<()> {
        Arc::clone(&self.gate).read_owned().await
    }

    /// For a change of the definition: while it lasts, nothing is written.
    pub async fn close(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.gate).write_owned().await
    }
}

impl Tables {
    pub async fn open(store: &dyn Store) -> Result<Self, StoreError> {
        let tables = Self::default();
        let mut after = None;
        loop {
            let page = TABLES.scan(store, (), after.as_ref(), 500).await?;
            for row in page.rows {
                let name = TableName::from_key(&row.key)?;
                let sizes = SIZES.get(store, row.value.id).await?.unwrap_or_default();
                tables.insert(Table::new(name, row.value, sizes));
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(tables),
            }
        }
    }

    pub fn get(&self, name: &TableName) -> Option<Arc<Table>> {
        self.by_name.read().get(name).cloned()
    }

    pub fn insert(&self, table: Arc<Table>) {
        self.by_name.write().insert(table.name.clone(), table);
    }

    pub fn remove(&self, name: &TableName) {
        self.by_name.write().remove(name);
    }

    pub fn all(&self) -> Vec<Arc<Table>> {
        self.by_name.read().values().cloned().collect()
    }

    /// Names of tables like `first` but after it, in order.
    pub fn after(&self, first: &TableName, limit: usize) -> Vec<String> {
        use std::ops::Bound;
        self.by_name
            .read()
            .range((Bound::Excluded(first), Bound::Unbounded))
            .map(|(name, _)| name)
            .take_while(|name| name.account == first.account && name.region == first.region)
            .take(limit)
            .map(|name| name.name.clone())
            .collect()
    }
}
