//! All identities in memory, written through to the store.
//!
//! Reads never leave memory, so that finding a caller costs no disk. Changes are made one at a
//! time: a [`Change`] holds the writers' lock, commits one batch, and only then becomes visible.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use base::AccountId;
use parking_lot::{RwLock, RwLockReadGuard};
use serde::Serialize;
use serde::de::DeserializeOwned;
use service::ServiceError;
use store::{Batch, Store, StoreError, Table};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::error;
use crate::records::{ACCESS_KEYS, AccessKey, POLICIES, Policy, ROLES, Role, USERS, User};

/// Roles, users and policies: what an account has under a name.
pub trait Entity: Serialize + DeserializeOwned + Send + Sync + 'static {
    const TABLE: Table<Self>;

    fn account(&self) -> AccountId;
    fn name(&self) -> &str;
    fn all(account: &Account) -> &BTreeMap<String, Arc<Self>>;
    fn all_mut(account: &mut Account) -> &mut BTreeMap<String, Arc<Self>>;
}

macro_rules! entity {
    ($type:ty, $table:ident, $field:ident) => {
        impl Entity for $type {
            const TABLE: Table<Self> = $table;

            fn account(&self) -> AccountId {
                self.account
            }

            fn name(&self) -> &str {
                &self.name
            }

            fn all(account: &Account) -> &BTreeMap<String, Arc<Self>> {
                &account.$field
            }

            fn all_mut(account: &mut Account) -> &mut BTreeMap<String, Arc<Self>> {
                &mut account.$field
            }
        }
    };
}
entity!(Role, ROLES, roles);
entity!(User, USERS, users);
entity!(Policy, POLICIES, policies);

/// An account's entities by lowercase name.
#[derive(Debug, Default)]
pub struct Account {
    pub roles: BTreeMap<String, Arc<Role>>,
    pub users: BTreeMap<String, Arc<User>>,
    pub policies: BTreeMap<String, Arc<Policy>>,
}

#[derive(Debug, Default)]
pub struct State {
    accounts: HashMap<AccountId, Account>,
    /// By id, of all accounts.
    pub keys: BTreeMap<String, Arc<AccessKey>>,
}

impl State {
    pub fn find<E: Entity>(&self, account: AccountId, name: &str) -> Option<Arc<E>> {
        let account = self.accounts.get(&account)?;
        E::all(account).get(&name.to_lowercase()).cloned()
    }

    /// All of an account, by lowercase name in order.
    pub fn list<E: Entity>(&self, account: AccountId) -> impl Iterator<Item = (&String, &Arc<E>)> {
        self.accounts
            .get(&account)
            .into_iter()
            .flat_map(|account| E::all(account))
    }

    /// A user's keys, oldest first.
    pub fn keys_of(&self, account: AccountId, user: &str) -> Vec<Arc<AccessKey>> {
        let user = user.to_lowercase();
        let owned = |key: &&Arc<AccessKey>| key.account == account && key.user == user;
        let mut keys: Vec<_> = self.keys.values().filter(owned).cloned().collect();
        keys.sort_by_key(|key| (key.created, key.id.clone()));
        keys
    }

    fn put<E: Entity>(&mut self, entity: Arc<E>) {
        let account = self.accounts.entry(entity.account()).or_default();
        E::all_mut(account).insert(entity.name().to_lowercase(), entity);
    }
}

pub struct Directory {
    state: RwLock<State>,
    store: Arc<dyn Store>,
    writer: Arc<Mutex<()>>,
}

impl Directory {
    /// Reads everything there is.
    pub async fn load(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let mut state = State::default();
        load_all::<Role>(&*store, &mut state).await?;
        load_all::<User>(&*store, &mut state).await?;
        load_all::<Policy>(&*store, &mut state).await?;
        for row in ACCESS_KEYS.scan(&*store, (), None, usize::MAX).await?.rows {
            state.keys.insert(row.value.id.clone(), Arc::new(row.value));
        }
        Ok(Self {
            state: RwLock::new(state),
            store,
            writer: Arc::default(),
        })
    }

    /// The present state. Not to be held across an await.
    pub fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read()
    }

    /// Begins a change; waits for the one before to end.
    pub async fn change(self: &Arc<Self>) -> Change {
        Change {
            directory: Arc::clone(self),
            turn: Arc::clone(&self.writer).lock_owned().await,
            batch: Batch::new(),
            steps: Vec::new(),
        }
    }
}

async fn load_all<E: Entity>(store: &dyn Store, state: &mut State) -> Result<(), StoreError> {
    for row in E::TABLE.scan(store, (), None, usize::MAX).await?.rows {
        state.put(Arc::new(row.value));
    }
    Ok(())
}

type Step = Box<dyn FnOnce(&mut State) + Send>;

/// Puts and deletes that become durable and visible together.
pub struct Change {
    directory: Arc<Directory>,
    turn: OwnedMutexGuard<()>,
    batch: Batch,
    steps: Vec<Step>,
}

impl Change {
    pub fn read(&self) -> RwLockReadGuard<'_, State> {
        self.directory.read()
    }

    pub fn put<E: Entity>(&mut self, entity: E) -> Result<(), ServiceError> {
        let key = (entity.account().to_string(), entity.name().to_lowercase());
        E::TABLE
            .put(&mut self.batch, key, &entity)
            .map_err(error::store)?;
        let entity = Arc::new(entity);
        self.steps.push(Box::new(move |state| state.put(entity)));
        Ok(())
    }

    pub fn delete<E: Entity>(&mut self, entity: &E) {
        let (account, name) = (entity.account(), entity.name().to_lowercase());
        E::TABLE.delete(&mut self.batch, (account.as_str(), &name));
        self.steps.push(Box::new(move |state| {
            if let Some(account) = state.accounts.get_mut(&account) {
                E::all_mut(account).remove(&name);
            }
        }));
    }

    pub fn put_key(&mut self, key: AccessKey) -> Result<(), ServiceError> {
        ACCESS_KEYS
            .put(&mut self.batch, &key.id, &key)
            .map_err(error::store)?;
        self.steps.push(Box::new(move |state| {
            state.keys.insert(key.id.clone(), Arc::new(key));
        }));
        Ok(())
    }

    pub fn delete_key(&mut self, id: &str) {
        ACCESS_KEYS.delete(&mut self.batch, id);
        let id = id.to_owned();
        self.steps.push(Box::new(move |state| {
            state.keys.remove(&id);
        }));
    }

    /// Makes the change durable, then visible.
    pub async fn commit(self) -> Result<(), ServiceError> {
        let Self {
            directory,
            turn,
            batch,
            steps,
        } = self;
        // A task of its own: a client that hangs up must not leave the store ahead of memory.
        let done = tokio::spawn(async move {
            let turn = turn;
            directory.store.commit(batch).await?;
            let mut state = directory.state.write();
            for step in steps {
                step(&mut state);
            }
            drop(state);
            drop(turn);
            Ok::<_, StoreError>(())
        });
        match done.await {
            Ok(outcome) => outcome.map_err(error::store),
            Err(error) => {
                tracing::error!(%error, "commit identities");
                Err(ServiceError::internal())
            }
        }
    }
}
