//! Ports that are handed out before the service behind them exists.

use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use service::ServiceError;
use service::ports::{Invocation, InvokeRequest, Invoker};

/// Invokes through Lambda, which is made after those that invoke. Holds no more than a weak
/// reference, so that a composition can be dropped whole.
#[derive(Default)]
pub struct LateInvoker(OnceLock<Weak<dyn Invoker>>);

impl LateInvoker {
    /// Names Lambda. Once per composition.
    pub fn connect(&self, invoker: &Arc<dyn Invoker>) {
        // A second call could only name the same service.
        let _ = self.0.set(Arc::downgrade(invoker));
    }

    fn invoker(&self) -> Result<Arc<dyn Invoker>, ServiceError> {
        self.0.get().and_then(Weak::upgrade).ok_or_else(|| {
            tracing::warn!("an event came before or after the function service");
            ServiceError::internal()
        })
    }
}

#[async_trait]
impl Invoker for LateInvoker {
    async fn invoke(&self, request: InvokeRequest) -> Result<Invocation, ServiceError> {
        self.invoker()?.invoke(request).await
    }

    async fn invoke_async(&self, request: InvokeRequest) -> Result<(), ServiceError> {
        self.invoker()?.invoke_async(request).await
    }
}
