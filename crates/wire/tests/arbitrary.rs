//! Nothing a client sends makes decoding panic, and what it accepts keeps within the model.

mod support;

use proptest::prelude::*;
use support::{decode, head, iam, lambda, logs, sqs, sts};
use wire::{Operation, ServiceSchema, Shape, Unit};

const SERVICES: [&ServiceSchema; 5] = [
    &iam::SCHEMA,
    &lambda::SCHEMA,
    &logs::SCHEMA,
    &sqs::SCHEMA,
    &sts::SCHEMA,
];

/// Text that is often close to what the parsers look for.
fn nearly_json() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(":"),
        Just(","),
        Just("null"),
        Just("\"QueueUrl\""),
        Just("\"Entries\""),
        Just("\"Id\""),
        Just("\"MessageBody\""),
        Just("\"logEvents\""),
        Just("\"timestamp\""),
        Just("\"\\u12\""),
        Just("1e999"),
        Just("-9223372036854775809"),
        Just("\"AAA=\""),
        Just("true"),
        Just("\u{0}"),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn nearly_form() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("Tags.member"),
        Just("Tags.member.1.Key"),
        Just("Tags"),
        Just("RoleName"),
        Just("Attribute.1.Name"),
        Just("Attribute.Value"),
        Just("Attribute..Name"),
        Just("SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.BinaryValue"),
        Just("MessageAttribute.99999999999.Name"),
        Just("MessageAttribute.-1.Name"),
        Just("AttributeName.é"),
        Just("%"),
        Just("%4"),
        Just("QueueUrl."),
        Just("."),
        Just(""),
    ];
    let pair = (name, "[a-z0-9%+=.]{0,6}").prop_map(|(name, value)| format!("{name}={value}"));
    prop::collection::vec(pair, 0..12).prop_map(|pairs| pairs.join("&"))
}

fn json_everywhere(body: &[u8]) {
    for service in SERVICES {
        for operation in service.operations {
            let target = format!(
                "{}.{}",
                service.target_prefix.unwrap_or("x"),
                operation.name
            );
            let uri = operation.uri.replace(['{', '}', '+'], "");
            let head = head(operation.method, &uri, &[("x-amz-target", &target)]);
            let _ = decode(service, &head, body);
        }
    }
}

fn form_everywhere(rest: &str) {
    for service in SERVICES {
        for operation in service.operations {
            let action = format!(
                "Action={}&Version={}&{rest}",
                operation.name, service.api_version
            );
            let form = ("content-type", "application/x-www-form-urlencoded");
            let _ = decode(service, &head("POST", "/a/b", &[form]), action.as_bytes());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        json_everywhere(&body);
        form_everywhere(&String::from_utf8_lossy(&body));
    }

    #[test]
    fn nearly_right_bodies_never_panic(json in nearly_json(), form in nearly_form()) {
        json_everywhere(json.as_bytes());
        form_everywhere(&form);
    }

    #[test]
    fn any_path_and_header_never_panics(
        path in "/[ -~]{0,60}",
        header in "[ -~]{0,30}",
    ) {
        let Ok(request) = http::Request::builder()
            .method("GET").uri(path).header("x-amz-target", header).body(()) else {
            return Ok(());
        };
        let (head, ()) = request.into_parts();
        for service in SERVICES {
            let _ = decode(service, &head, b"");
            wire::serves_path(service, &head.method, head.uri.path());
        }
    }

    /// What goes through a generated struct comes out the same.
    #[test]
    fn structs_keep_what_they_hold(
        url in ".{0,20}", body in ".{0,20}", delay in prop::option::of(any::<i32>()),
        blob in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let attribute = sqs::MessageAttributeValue {
            binary_value: Some(blob.into()),
            data_type: "Binary".to_owned(),
            ..Default::default()
        };
        let input = sqs::SendMessageRequest {
            queue_url: url,
            message_body: body,
            delay_seconds: delay,
            message_attributes: Some([("a".to_owned(), attribute)].into()),
            ..Default::default()
        };
        let back = <sqs::SendMessage as Operation>::Input::from_value(input.clone().into_value());
        prop_assert_eq!(back, input);
    }
}

#[test]
fn enums_read_their_own_texts_and_no_other() {
    for state in lambda::State::VALUES {
        assert_eq!(lambda::State::parse(state.as_str()), Some(*state));
    }
    assert_eq!(lambda::State::parse("active"), None);
    assert_eq!(lambda::State::Active.to_string(), "Active");
}

#[test]
fn secrets_stay_out_of_debug() {
    let key = iam::AccessKey {
        access_key_id: "AKIA".to_owned(),
        secret_access_key: "hunter2".to_owned(),
        ..Default::default()
    };
    let shown = format!("{key:?}");
    assert!(
        shown.contains("AKIA") && !shown.contains("hunter2"),
        "{shown}"
    );
}

#[test]
fn an_operation_without_output_has_unit() {
    fn is_unit<O: Operation<Output = Unit>>() {}
    is_unit::<sqs::DeleteQueue>();
    assert_eq!(Unit {}.into_value(), wire::Value::Map(Vec::new()));
}
