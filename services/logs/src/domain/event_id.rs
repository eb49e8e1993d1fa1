//! How an event is named in answers and to subscribers.

/// 56 digits, as AWS's: the instant, the stream's fingerprint, the number within the stream.
pub fn event_id(at: u64, stream: &str, sequence: u64) -> String {
    // FNV-1a: stable across versions, which the standard library's hashes are not.
    let fingerprint = stream
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!(
        "{at:020}{:016}{sequence:020}",
        fingerprint % 10_000_000_000_000_000
    )
}
