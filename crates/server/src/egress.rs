//! How far functions reach, as the operator wants it.

use exec::{Exec, Outbound};

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
