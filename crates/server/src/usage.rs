//! From the executor's usage records to the ledger's.

use std::sync::Arc;
use std::time::Duration;

use exec::{UsageRecord, UsageSink};
use metering::{Ledger, Phases, Usage};

pub struct LedgerSink(pub Arc<Ledger>);

impl UsageSink for LedgerSink {
    fn record(&self, usage: UsageRecord) {
        let UsageRecord {
            at,
            function,
            request_id,
            memory_mb,
            max_memory_mb,
            cold,
            phases,
            billed_ms,
            succeeded,
        } = usage;
        self.0.record(Usage {
            at,
            account: function.account,
            region: function.region,
            function: function.name,
            version: function.version,
            request_id,
            memory_mb,
            max_memory_mb,
            cold,
            phases: Phases {
                environment_us: micros(phases.environment),
                runtime_us: micros(phases.runtime),
                code_us: micros(phases.code),
                init_us: micros(phases.init),
                handler_us: micros(phases.handler),
            },
            billed_ms,
            succeeded,
        });
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
