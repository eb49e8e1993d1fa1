//! One change of an API: durable first, then visible.

use std::sync::Arc;

use rand::seq::IndexedRandom as _;
use service::{Reach, RequestContext, ServiceError};
use store::{Batch, StoreError};
use tokio::sync::MutexGuard;

use crate::directory::{Api, Child};
use crate::records::{APIS, ApiRecord, Deployment, Stage};
use crate::{ApiGatewayV2, error};

const AUTOMATIC: &str = "Automatic deployment triggered by changes to the Api configuration";

/// The right to change things, and what is about to be changed.
pub struct Change<'a> {
    service: &'a ApiGatewayV2,
    pub api: Api,
    batch: Batch,
    /// Whether requests will see it, at stages that deploy by themselves.
    is_served: bool,
    /// Of the API after the change: what a function has once changed stays within its reach.
    reach: Reach,
    _alone: MutexGuard<'a, ()>,
}

/// A fresh id: ten letters and digits, as an API's and a deployment's; parts of an API have seven.
pub fn fresh_id(length: usize) -> String {
    const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut random = rand::rng();
    let letters = (0..length).filter_map(|_| ALPHABET.choose(&mut random));
    letters.map(|letter| char::from(*letter)).collect()
}

impl ApiGatewayV2 {
    /// The API of that id, if it is the caller's.
    pub fn api(&self, context: &RequestContext, id: &str) -> Result<Arc<Api>, ServiceError> {
        let found = self.directory.api(id);
        found
            .filter(|api| api.account == context.account && api.region == context.region)
            .ok_or_else(|| error::not_found("API", id))
    }

    /// Waits until nobody else changes anything.
    pub async fn change(
        &self,
        context: &RequestContext,
        id: &str,
    ) -> Result<Change<'_>, ServiceError> {
        let alone = self.writer.lock().await;
        let api = (*self.api(context, id)?).clone();
        let reach = api.record.reach.and(context.reach);
        Ok(self.changing(api, reach, alone))
    }

    /// A new API, not yet kept.
    pub async fn begin(&self, context: &RequestContext, record: ApiRecord) -> Change<'_> {
        let alone = self.writer.lock().await;
        let api = Api::new(context.account, context.region.clone(), record);
        self.changing(api, context.reach, alone)
    }

    fn changing<'a>(&'a self, api: Api, reach: Reach, alone: MutexGuard<'a, ()>) -> Change<'a> {
        Change {
            service: self,
            api,
            batch: Batch::new(),
            is_served: false,
            reach,
            _alone: alone,
        }
    }

    pub async fn commit(&self, batch: Result<Batch, StoreError>) -> Result<(), ServiceError> {
        let committed = self.store.commit_made(batch).await;
        committed.map_err(|error| error::unavailable(&error))
    }
}

/// The part of that id.
pub fn find<T: Child>(api: &Api, id: &str) -> Result<Arc<T>, ServiceError> {
    let found = T::all(api).get(id).cloned();
    found.ok_or_else(|| error::not_found(T::KIND, id.rsplit('/').next().unwrap_or(id)))
}

impl Change<'_> {
    /// A new or changed part.
    pub fn put<T: Child>(&mut self, child: T) -> Result<Arc<T>, ServiceError> {
        let id = child.id();
        let key = (self.api.id().to_owned(), id.clone());
        let key = (key.0.as_str(), key.1.as_str());
        let put = T::TABLE.put(&mut self.batch, key, &child);
        put.map_err(|error| error::unavailable(&error))?;
        let child = Arc::new(child);
        T::all_mut(&mut self.api).insert(id, Arc::clone(&child));
        self.is_served |= T::IS_SERVED;
        Ok(child)
    }

    pub fn delete<T: Child>(&mut self, id: &str) {
        T::TABLE.delete(&mut self.batch, (self.api.record.api_id.as_str(), id));
        T::all_mut(&mut self.api).remove(id);
        self.is_served |= T::IS_SERVED;
    }

    /// The API itself, changed.
    pub fn put_api(&mut self, record: ApiRecord) -> Result<(), ServiceError> {
        self.api.record = record;
        self.is_served = true;
        let put = APIS.put(&mut self.batch, self.api.key(), &self.api.record);
        put.map_err(|error| error::unavailable(&error))
    }

    /// A deployment of the API as it is; `follows` where it is to stay so.
    pub fn deploy(
        &mut self,
        description: Option<String>,
        follows: bool,
    ) -> Result<Arc<Deployment>, ServiceError> {
        let deployment = Deployment {
            deployment_id: fresh_id(6),
            auto_deployed: follows,
            created_date: self.service.clock.now(),
            deployment_status: "DEPLOYED".to_owned(),
            description,
            snapshot: (!follows).then(|| self.api.snapshot()),
        };
        self.put(deployment)
    }

    /// Sets what a stage serves.
    pub fn set_deployment(&mut self, stage: &Stage, id: &str) -> Result<Arc<Stage>, ServiceError> {
        let message = format!("Successfully deployed stage with deployment ID '{id}'");
        self.put(Stage {
            deployment_id: Some(id.to_owned()),
            last_updated_date: self.service.clock.now(),
            last_deployment_status_message: Some(message),
            ..stage.clone()
        })
    }

    /// Makes all of it durable, then visible.
    pub async fn commit(mut self) -> Result<Arc<Api>, ServiceError> {
        if self.is_served {
            self.follow()?;
        }
        if self.api.record.reach != self.reach {
            self.api.record.reach = self.reach;
            let put = APIS.put(&mut self.batch, self.api.key(), &self.api.record);
            put.map_err(|error| error::unavailable(&error))?;
        }
        self.api.forget_compiled();
        self.service.commit(Ok(self.batch)).await?;
        let api = Arc::new(self.api);
        let mut apis = self.service.directory.apis.write();
        apis.insert(api.id().to_owned(), Arc::clone(&api));
        Ok(api)
    }

    /// Gives the stages that deploy by themselves another deployment.
    fn follow(&mut self) -> Result<(), ServiceError> {
        let following: Vec<_> = self
            .api
            .stages
            .values()
            .filter(|it| it.auto_deploy)
            .cloned()
            .collect();
        if following.is_empty() {
            return Ok(());
        }
        let before: Vec<String> = following
            .iter()
            .filter_map(|it| it.deployment_id.clone())
            .collect();
        let deployment = self.deploy(Some(AUTOMATIC.to_owned()), true)?;
        for stage in following {
            self.set_deployment(&stage, &deployment.deployment_id)?;
        }
        for id in before {
            let is_automatic = self
                .api
                .deployments
                .get(&id)
                .is_some_and(|it| it.auto_deployed);
            let is_used = self
                .api
                .stages
                .values()
                .any(|it| it.deployment_id.as_ref() == Some(&id));
            if is_automatic && !is_used {
                self.delete::<Deployment>(&id);
            }
        }
        Ok(())
    }
}
