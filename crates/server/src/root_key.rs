//! The access key of the account's root user: configured, or made at the first start and kept.

use std::sync::Arc;

use async_trait::async_trait;
use base::{AccountId, RequestId};
use serde::{Deserialize, Serialize};
use service::Principal;
use service::ports::{Credentials, IssuedCredential};
use store::{Batch, Store, StoreError, Table};

use crate::config::RootKey;

/// One record, under an empty key.
const ROOT_KEY: Table<Stored> = Table::new("server.root-key", 1);

#[derive(Serialize, Deserialize)]
struct Stored {
    id: String,
    secret: String,
}

/// The key kept in the store, made now if there is none.
pub async fn kept(store: &dyn Store) -> Result<RootKey, StoreError> {
    if let Some(Stored { id, secret }) = ROOT_KEY.get(store, ()).await? {
        return Ok(RootKey { id, secret });
    }
    let random = || RequestId::random().to_string().replace('-', "");
    let made = Stored {
        id: format!("AKIA{}", &random().to_uppercase()[..16]),
        secret: (random() + &random())[..40].to_owned(),
    };
    let mut batch = Batch::new();
    ROOT_KEY.put(&mut batch, (), &made)?;
    store.commit(batch).await?;
    Ok(RootKey {
        id: made.id,
        secret: made.secret,
    })
}

/// Knows the root user's key, and asks IAM for every other.
pub struct WithRoot {
    pub root: Option<RootKey>,
    pub iam: Arc<dyn Credentials>,
}

#[async_trait]
impl Credentials for WithRoot {
    async fn find(&self, id: &str, session_token: Option<&str>) -> Option<IssuedCredential> {
        match &self.root {
            Some(root) if root.id == id && session_token.is_none() => Some(IssuedCredential {
                secret: root.secret.clone(),
                session_token: None,
                expires_at: None,
                principal: Principal::Root {
                    account: AccountId::DEFAULT,
                },
                account: AccountId::DEFAULT,
                identity_policies: Vec::new(),
                boundaries: Vec::new(),
            }),
            _ => self.iam.find(id, session_token).await,
        }
    }

    async fn of(&self, principal: &Principal) -> Option<IssuedCredential> {
        self.iam.of(principal).await
    }
}
