//! How far functions reach, as the operator wants it.

use std::sync::Arc;

use exec::{Exec, Outbound};
use proxy::client::Client;
use proxy::reach;

use crate::config::Egress;

pub(crate) fn outbound(egress: Egress) -> Outbound {
    match egress {
        Egress::None => Outbound::None,
        Egress::Auto | Egress::Nat => Outbound::Nat,
        Egress::Host => Outbound::Host,
    }
}

/// Refuses to start without what was asked for by name, and says aloud what is dangerous.
pub(crate) fn check(egress: Egress, exec: &Exec) -> anyhow::Result<()> {
    match egress {
        Egress::Nat => {
            if let Some(why) = exec.host().egress_missing()? {
                anyhow::bail!("functions cannot reach the outside as --egress nat asks: {why}");
            }
        }
        Egress::Host => tracing::warn!(
            "--egress host: functions share this machine's network, and reach every service on it"
        ),
        Egress::Auto | Egress::None => {}
    }
    Ok(())
}

/// Has what the server sends for functions get as far as they do themselves. Whether they have a way
/// out is known some milliseconds later; until then it gets to public addresses only.
pub(crate) fn tell(egress: Egress, exec: &Arc<Exec>, client: &Client) {
    match egress {
        Egress::None => client.functions_reach(reach::Egress::None),
        Egress::Nat => client.functions_reach(reach::Egress::Nat),
        Egress::Host => client.functions_reach(reach::Egress::Host),
        Egress::Auto => {
            let (exec, client) = (Arc::clone(exec), client.clone());
            tokio::task::spawn_blocking(move || {
                let has_way_out = matches!(exec.host().egress_missing(), Ok(None));
                client.functions_reach(if has_way_out {
                    reach::Egress::Nat
                } else {
                    reach::Egress::None
                });
            });
        }
    }
}
