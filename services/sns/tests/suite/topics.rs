//! Topics and subscriptions, and whose they are.

use crate::world::{World, text, texts};
use wire::Value;

#[tokio::test]
async fn names_and_attributes() {
    let world = World::new().await;
    for (name, attributes, expected) in [
        ("a b", &[][..], "Invalid parameter: Topic Name"),
        ("a.fifo", &[][..], "Invalid parameter: Topic Name"),
        (
            "a",
            &[("FifoTopic", "true")][..],
            "Invalid parameter: Fifo Topic names must end with .fifo",
        ),
        (
            "a",
            &[("Colour", "red")][..],
            "Invalid parameter: AttributeName",
        ),
    ] {
        let members = [("Name", text(name)), ("Attributes", texts(attributes))];
        let found = world.refusal("CreateTopic", &members).await;
        assert!(found.starts_with(expected), "{found}");
    }
    world.topic("a", &[("DisplayName", "x")]).await;
    let other = [
        ("Name", text("a")),
        ("Attributes", texts(&[("DisplayName", "y")])),
    ];
    assert_eq!(
        world.refusal("CreateTopic", &other).await,
        "Invalid parameter: Attributes Reason: Topic already exists with different attributes"
    );
}

#[tokio::test]
async fn lists_come_in_hundreds() {
    let world = World::new().await;
    for n in 0..150 {
        world.topic(&format!("t{n:03}"), &[]).await;
    }
    let first = world.ok("ListTopics", &[]).await;
    assert_eq!(first.get("Topics").unwrap().as_list().unwrap().len(), 100);
    let token = first.get("NextToken").unwrap().clone();
    let second = world.ok("ListTopics", &[("NextToken", token)]).await;
    assert_eq!(second.get("Topics").unwrap().as_list().unwrap().len(), 50);
    assert!(
        second
            .get("NextToken")
            .is_none_or(|token| *token == Value::Null)
    );
}

#[tokio::test]
async fn accounts_are_apart() {
    let world = World::new().await;
    let topic = world.topic("t", &[]).await;
    let other = "111111111111";
    for (operation, members) in [
        ("GetTopicAttributes", vec![("TopicArn", text(&topic))]),
        ("DeleteTopic", vec![("TopicArn", text(&topic))]),
        (
            "Publish",
            vec![("TopicArn", text(&topic)), ("Message", text("m"))],
        ),
    ] {
        let error = world.call_as(other, operation, &members).await.unwrap_err();
        assert_eq!(error.code, "AuthorizationErrorException", "{operation}");
    }
    let permission = [
        ("TopicArn", text(&topic)),
        ("Label", text("l")),
        ("AWSAccountId", Value::List(vec![text(other)])),
        ("ActionName", Value::List(vec![text("Publish")])),
    ];
    world.ok("AddPermission", &permission).await;
    let message = [("TopicArn", text(&topic)), ("Message", text("m"))];
    world.call_as(other, "Publish", &message).await.unwrap();
    let third = world.call_as("222222222222", "Publish", &message).await;
    assert_eq!(third.unwrap_err().code, "AuthorizationErrorException");
    let label = [("TopicArn", text(&topic)), ("Label", text("l"))];
    world.ok("RemovePermission", &label).await;
    world.call_as(other, "Publish", &message).await.unwrap_err();
    let listed = world.call_as(other, "ListTopics", &[]).await.unwrap();
    assert_eq!(listed.get("Topics").unwrap().as_list().unwrap().len(), 0);
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let world = World::new().await;
    let topic = world.topic("t", &[("DisplayName", "x")]).await;
    let policy = r#"{"kind": ["a"]}"#;
    world
        .subscribe_queue(&topic, "q", &[("FilterPolicy", policy)])
        .await;
    let world = world.restart().await;
    let answer = world
        .ok("GetTopicAttributes", &[("TopicArn", text(&topic))])
        .await;
    let attributes = answer.get("Attributes").unwrap();
    assert_eq!(attributes.get("DisplayName"), Some(&text("x")));
    assert_eq!(attributes.get("SubscriptionsConfirmed"), Some(&text("1")));
    let listed = world.ok("ListSubscriptions", &[]).await;
    let one = &listed.get("Subscriptions").unwrap().as_list().unwrap()[0];
    let arn = one.get("SubscriptionArn").unwrap().clone();
    let answer = world
        .ok("GetSubscriptionAttributes", &[("SubscriptionArn", arn)])
        .await;
    let attributes = answer.get("Attributes").unwrap();
    assert_eq!(attributes.get("FilterPolicy"), Some(&text(policy)));
}

#[tokio::test]
async fn devices_of_applications() {
    let world = World::new().await;
    let platform = [
        ("Name", text("app")),
        ("Platform", text("GCM")),
        ("Attributes", texts(&[("PlatformCredential", "secret")])),
    ];
    let made = world.ok("CreatePlatformApplication", &platform).await;
    let application = made.get("PlatformApplicationArn").unwrap().clone();
    assert_eq!(
        application,
        text("arn:aws:sns:us-east-1:000000000000:app/GCM/app")
    );
    let shown = [("PlatformApplicationArn", application.clone())];
    let attributes = world.ok("GetPlatformApplicationAttributes", &shown).await;
    let attributes = attributes.get("Attributes").unwrap();
    assert_eq!(attributes.get("PlatformCredential"), None);
    let device = |data: &str| {
        vec![
            ("PlatformApplicationArn", application.clone()),
            ("Token", text("t")),
            ("CustomUserData", text(data)),
        ]
    };
    let first = world.ok("CreatePlatformEndpoint", &device("a")).await;
    let again = world.ok("CreatePlatformEndpoint", &device("a")).await;
    assert_eq!(first, again);
    let refused = world.refusal("CreatePlatformEndpoint", &device("b")).await;
    assert!(refused.contains("already exists with the same Token, but different attributes"));
    let endpoint = first.get("EndpointArn").unwrap().clone();
    let push = [("TargetArn", endpoint.clone()), ("Message", text("hello"))];
    world.ok("Publish", &push).await;
    let written = world.sns.outgoing().await.unwrap();
    assert_eq!(written.len(), 1);
    assert_eq!(written[0]["message"], "hello");
    let off = [
        ("EndpointArn", endpoint.clone()),
        ("Attributes", texts(&[("Enabled", "false")])),
    ];
    world.ok("SetEndpointAttributes", &off).await;
    assert_eq!(
        world.refusal("Publish", &push).await,
        "Endpoint is disabled"
    );
    world.ok("DeletePlatformApplication", &shown).await;
    let gone = [("EndpointArn", endpoint)];
    assert_eq!(
        world.refusal("GetEndpointAttributes", &gone).await,
        "Endpoint does not exist"
    );
}

#[tokio::test]
async fn text_messages_are_written_down() {
    let world = World::new().await;
    let sms = [
        ("PhoneNumber", text("+15551234567")),
        ("Message", text("hi")),
    ];
    world.ok("Publish", &sms).await;
    let written = world.sns.outgoing().await.unwrap();
    assert_eq!(written[0]["protocol"], "sms");
    assert_eq!(written[0]["endpoint"], "+15551234567");
    let attributes = [("attributes", texts(&[("DefaultSMSType", "Transactional")]))];
    world.ok("SetSMSAttributes", &attributes).await;
    let set = world.ok("GetSMSAttributes", &[]).await;
    let set = set.get("attributes").unwrap();
    assert_eq!(set.get("DefaultSMSType"), Some(&text("Transactional")));
}
