//! What a subscriber gets of the events that its filter lets through.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html#LambdaFunctionExample>

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde_json::json;

/// Most bytes of a function's event, a little less than Lambda takes of an asynchronous one.
const MAX_PAYLOAD: usize = 1_000_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SubscribedEvent {
    pub id: String,
    /// In milliseconds.
    pub timestamp: u64,
    pub message: String,
}

/// What the events have in common.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin<'a> {
    pub owner: &'a str,
    pub log_group: &'a str,
    pub log_stream: &'a str,
    pub subscription_filters: [&'a str; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    #[serde(rename = "messageType")]
    kind: &'static str,
    #[serde(flatten)]
    origin: Origin<'a>,
    log_events: &'a [SubscribedEvent],
}

/// The events of functions that carry these, in as few as they fit. One that is too large alone is
/// left for Lambda to refuse.
pub fn payloads(origin: Origin<'_>, events: &[SubscribedEvent]) -> Vec<String> {
    let payload = payload(origin, events);
    if payload.len() <= MAX_PAYLOAD || events.len() < 2 {
        return vec![payload];
    }
    let (first, second) = events.split_at(events.len() / 2);
    let mut all = payloads(origin, first);
    all.extend(payloads(origin, second));
    all
}

fn payload(origin: Origin<'_>, events: &[SubscribedEvent]) -> String {
    let message = Message {
        kind: "DATA_MESSAGE",
        origin,
        log_events: events,
    };
    let message = serde_json::to_vec(&message).expect("text and numbers become JSON");
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    let written = packed.write_all(&message).and_then(|()| packed.finish());
    let packed = written.expect("memory takes all that is written");
    json!({"awslogs": {"data": STANDARD.encode(packed)}}).to_string()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn unpacked(payload: &str) -> serde_json::Value {
        let event: serde_json::Value = serde_json::from_str(payload).unwrap();
        let packed = STANDARD.decode(event["awslogs"]["data"].as_str().unwrap());
        let mut text = String::new();
        flate2::read::GzDecoder::new(packed.unwrap().as_slice())
            .read_to_string(&mut text)
            .unwrap();
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_batch_that_is_too_large_comes_in_parts() {
        let origin = Origin {
            owner: "123456789012",
            log_group: "g",
            log_stream: "s",
            subscription_filters: ["f"],
        };
        // Digits of a generator of random numbers, which hardly compress.
        let mut state = 1_u64;
        let mut noise = |length| {
            let digit = |_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                char::from(b' ' + u8::try_from(state >> 58).unwrap())
            };
            (0..length).map(digit).collect::<String>()
        };
        let events: Vec<_> = (0..5)
            .map(|number| SubscribedEvent {
                id: number.to_string(),
                timestamp: number,
                message: noise(250_000),
            })
            .collect();
        let all = payloads(origin, &events);
        assert!(all.len() > 1 && all.iter().all(|one| one.len() <= MAX_PAYLOAD));
        let ids: Vec<_> = all
            .iter()
            .flat_map(|one| unpacked(one)["logEvents"].as_array().unwrap().clone())
            .map(|event| event["id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(ids, ["0", "1", "2", "3", "4"]);
    }
}
