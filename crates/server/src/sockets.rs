//! The gateway inside environments: calls on those sockets are the function's.

use std::any::Any;
use std::net::TcpListener;
use std::sync::{Arc, OnceLock, Weak};

use base::Arn;
use exec::{EnvironmentIdentity, GatewaySockets};
use gateway::Gateway;
use service::Principal;
use tokio::sync::watch;

/// Hands environments' sockets to the gateway, which is made after the executor that needs this.
#[derive(Default)]
pub struct Sockets(OnceLock<Weak<Gateway>>);

impl Sockets {
    /// Names the gateway. Once per server.
    pub fn connect(&self, gateway: &Arc<Gateway>) {
        // A reset keeps the gateway, so a second call would name the same one.
        let _ = self.0.set(Arc::downgrade(gateway));
    }
}

impl GatewaySockets for Sockets {
    fn open(
        &self,
        listener: TcpListener,
        caller: EnvironmentIdentity,
    ) -> Box<dyn Any + Send + Sync> {
        let (guard, stop) = watch::channel(false);
        let gateway = self.0.get().and_then(Weak::upgrade);
        match (gateway, tokio::net::TcpListener::from_std(listener)) {
            (Some(gateway), Ok(listener)) => {
                let region = caller.region.clone();
                let identity = Some((principal(caller), region));
                tokio::spawn(gateway.serve(listener, identity, stop));
            }
            (_, Err(error)) => tracing::warn!(%error, "serve AWS APIs inside an environment"),
            (None, _) => tracing::warn!("an environment started before the gateway"),
        }
        Box::new(guard)
    }
}

/// The role's session, as AssumeRole would name it: the function's name is the session's.
fn principal(caller: EnvironmentIdentity) -> Principal {
    let role_name = caller.role.resource.rsplit('/').next().unwrap_or_default();
    let session = caller
        .function
        .resource
        .rsplit(':')
        .next()
        .unwrap_or_default()
        .to_owned();
    let arn = Arn {
        service: "sts".to_owned(),
        resource: format!("assumed-role/{role_name}/{session}"),
        ..caller.role.clone()
    };
    Principal::Session {
        arn,
        role_arn: caller.role,
        session_id: session,
    }
}
