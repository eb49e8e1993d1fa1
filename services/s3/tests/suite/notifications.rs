//! Notification configurations, and what events say.

use base::ManualClock;
use service::{Principal, RequestContext};

use crate::world::{NOW, REGION, World, context};

pub const FUNCTION: &str = "arn:aws:lambda:ap-northeast-1:000000000000:function:handler";
pub const SLOW: &str = "arn:aws:lambda:ap-northeast-1:000000000000:function:slow";
const QUEUE: &str = "arn:aws:sqs:ap-northeast-1:000000000000:uploads";

pub fn function(arn: &str, event: &str, more: &str) -> String {
    format!(
        "<CloudFunctionConfiguration><CloudFunction>{arn}</CloudFunction><Event>{event}</Event>\
         {more}</CloudFunctionConfiguration>"
    )
}

fn queue(arn: &str, event: &str, more: &str) -> String {
    format!(
        "<QueueConfiguration><Queue>{arn}</Queue><Event>{event}</Event>{more}\
         </QueueConfiguration>"
    )
}

pub fn filter(rules: &[(&str, &str)]) -> String {
    let rules: String = rules
        .iter()
        .map(|(name, value)| {
            format!("<FilterRule><Name>{name}</Name><Value>{value}</Value></FilterRule>")
        })
        .collect();
    format!("<Filter><S3Key>{rules}</S3Key></Filter>")
}

pub async fn configure(world: &World, parts: &[String]) -> crate::world::Answer {
    let body = format!(
        "<NotificationConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{}\
         </NotificationConfiguration>",
        parts.concat()
    );
    world.send("PUT", "/b-1?notification", &[], body).await
}

pub async fn ready() -> World {
    ready_at(&ManualClock::starting_at(NOW)).await
}

pub async fn ready_at(clock: &ManualClock) -> World {
    let world = World::at(clock);
    world.make_bucket("b-1").await;
    know(&world);
    world
}

pub fn know(world: &World) {
    for arn in [FUNCTION, SLOW] {
        world.api.known_functions.lock().insert(arn.to_owned());
    }
    world.api.queues.lock().insert("uploads".to_owned());
}

#[tokio::test]
async fn a_put_invokes_the_function() {
    let world = ready().await;
    let created = function(FUNCTION, "s3:ObjectCreated:*", "<Id>mine</Id>");
    configure(&world, &[created]).await.ok();
    let put = world.put("/b-1/dir/red%20flower%2B1.jpg", "hello").await;
    let (request, record) = world.functions.invocation().await;
    assert_eq!(request.function.to_string(), FUNCTION);
    let Principal::Service {
        name,
        source_arn,
        source_account,
    } = &request.context.principal
    else {
        panic!("{:?}", request.context.principal)
    };
    assert_eq!(*name, "s3.amazonaws.com");
    assert_eq!(source_arn.as_ref().unwrap().to_string(), "arn:aws:s3:::b-1");
    assert_eq!(source_account.unwrap().as_str(), "000000000000");

    assert_eq!(record["eventVersion"], "2.1");
    assert_eq!(record["eventSource"], "aws:s3");
    assert_eq!(record["awsRegion"], REGION);
    assert_eq!(record["eventTime"], "2026-11-23T20:35:44.123Z");
    assert_eq!(record["eventName"], "ObjectCreated:Put");
    assert_eq!(record["userIdentity"]["principalId"], "000000000000");
    assert_eq!(record["requestParameters"]["sourceIPAddress"], "192.0.2.7");
    let id = put.header("x-amz-request-id").unwrap();
    assert_eq!(record["responseElements"]["x-amz-request-id"], id);
    assert_eq!(
        record["responseElements"]["x-amz-id-2"],
        put.header("x-amz-id-2").unwrap()
    );
    assert_eq!(record["s3"]["configurationId"], "mine");
    assert_eq!(record["s3"]["bucket"]["name"], "b-1");
    assert_eq!(record["s3"]["bucket"]["arn"], "arn:aws:s3:::b-1");
    assert_eq!(record["s3"]["object"]["key"], "dir/red+flower%2B1.jpg");
    assert_eq!(record["s3"]["object"]["size"], 5);
    assert_eq!(
        record["s3"]["object"]["eTag"],
        "5d41402abc4b2a76b9719d911017c592"
    );
    world.settle().await;
    assert_eq!(
        world.records("routing.delivery").await,
        0,
        "what is delivered is forgotten"
    );
}

#[tokio::test]
async fn every_kind_of_event() {
    let world = ready().await;
    let all = function(
        FUNCTION,
        "s3:ObjectCreated:*</Event><Event>s3:ObjectRemoved:*</Event><Event>s3:ObjectTagging:*",
        "",
    );
    configure(&world, &[all]).await.ok();
    let mut sequencers = Vec::new();
    let mut expect = async |name: &str, key: &str| {
        let (_, record) = world.functions.invocation().await;
        assert_eq!(record["eventName"], name);
        assert_eq!(record["s3"]["object"]["key"], key);
        if let Some(sequencer) = record["s3"]["object"]["sequencer"].as_str() {
            sequencers.push(sequencer.to_owned());
        }
        record
    };
    world.put("/b-1/k", "x").await;
    expect("ObjectCreated:Put", "k").await;
    world
        .send("PUT", "/b-1/copy", &[("x-amz-copy-source", "b-1/k")], "")
        .await
        .ok();
    expect("ObjectCreated:Copy", "copy").await;

    let begun = world.send("POST", "/b-1/parts?uploads", &[], "").await.ok();
    let id = begun.element("UploadId").unwrap();
    let part = format!("/b-1/parts?partNumber=1&uploadId={id}");
    let etag = world.send("PUT", &part, &[], "abc").await.ok().etag();
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>\
         </CompleteMultipartUpload>"
    );
    world
        .send("POST", &format!("/b-1/parts?uploadId={id}"), &[], list)
        .await
        .ok();
    let record = expect("ObjectCreated:CompleteMultipartUpload", "parts").await;
    assert_eq!(record["s3"]["object"]["size"], 3);
    assert!(
        record["s3"]["object"]["eTag"]
            .as_str()
            .unwrap()
            .ends_with("-1")
    );

    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    world.send("PUT", "/b-1/k?tagging", &[], tags).await.ok();
    let record = expect("ObjectTagging:Put", "k").await;
    assert_eq!(record["eventVersion"], "2.3");
    assert!(record["s3"]["object"].get("sequencer").is_none());
    world.send("DELETE", "/b-1/k?tagging", &[], "").await.ok();
    expect("ObjectTagging:Delete", "k").await;

    world.send("DELETE", "/b-1/k", &[], "").await.ok();
    let record = expect("ObjectRemoved:Delete", "k").await;
    assert!(record["s3"]["object"].get("size").is_none());
    assert!(record["s3"]["object"].get("eTag").is_none());
    let both = "<Delete><Object><Key>copy</Key></Object><Object><Key>parts</Key></Object></Delete>";
    world.send("POST", "/b-1?delete", &[], both).await.ok();
    expect("ObjectRemoved:Delete", "copy").await;
    expect("ObjectRemoved:Delete", "parts").await;
    world.send("DELETE", "/b-1/k", &[], "").await.ok();
    world.settle().await;
    assert!(
        world.functions.is_idle().await,
        "what was not there was not removed"
    );
    assert!(sequencers.is_sorted(), "{sequencers:?}");
}

#[tokio::test]
async fn filters_choose_the_destination() {
    let world = ready().await;
    let images = filter(&[("Prefix", "images/"), ("suffix", ".jpg")]);
    let logs = filter(&[("prefix", "logs/")]);
    configure(
        &world,
        &[
            function(FUNCTION, "s3:ObjectCreated:Put", &images),
            queue(QUEUE, "s3:ObjectCreated:*", &logs),
        ],
    )
    .await
    .ok();
    let (url, test) = world.api.message().await;
    assert_eq!(url, "http://localhost/000000000000/uploads");
    assert_eq!(test["Service"], "Amazon S3");
    assert_eq!(test["Event"], "s3:TestEvent");
    assert_eq!(test["Bucket"], "b-1");
    assert!(test["Time"].is_string() && test["RequestId"].is_string());

    world.put("/b-1/other.jpg", "x").await;
    world.put("/b-1/images/a.png", "x").await;
    world.put("/b-1/images/a.jpg", "x").await;
    world.put("/b-1/logs/1", "x").await;
    let (_, record) = world.functions.invocation().await;
    assert_eq!(record["s3"]["object"]["key"], "images/a.jpg");
    let (_, message) = world.api.message().await;
    assert_eq!(message["Records"][0]["s3"]["object"]["key"], "logs/1");
    assert!(world.functions.is_idle().await);

    let got = world.get("/b-1?notification").await.ok();
    assert_eq!(got.element("CloudFunction"), Some(FUNCTION));
    assert_eq!(got.element("Queue"), Some(QUEUE));
    assert_eq!(got.elements("Value"), ["images/", ".jpg", "logs/"]);
    assert_eq!(
        got.elements("Event"),
        ["s3:ObjectCreated:Put", "s3:ObjectCreated:*"]
    );
    assert_eq!(got.elements("Id").len(), 2);

    configure(&world, &[]).await.ok();
    assert!(
        !world
            .get("/b-1?notification")
            .await
            .ok()
            .text()
            .contains("Event")
    );
    world.put("/b-1/images/b.jpg", "x").await;
    world.settle().await;
    assert!(world.functions.is_idle().await);
}

#[tokio::test]
async fn configurations_that_are_refused() {
    let world = ready().await;
    let put = "s3:ObjectCreated:Put";
    let missing = FUNCTION.replace("handler", "missing");
    let no_queue = QUEUE.replace("uploads", "missing");
    let refused = configure(&world, &[function(&missing, put, "")]).await;
    let refused = refused.fails(400, "InvalidArgument");
    assert_eq!(
        refused.element("Message"),
        Some("Unable to validate the following destination configurations")
    );
    assert_eq!(refused.element("ArgumentName1"), Some(missing.as_str()));
    assert!(refused.element("ArgumentValue1").is_some());
    let refused = configure(&world, &[queue(&no_queue, put, "")]).await;
    let refused = refused.fails(400, "InvalidArgument");
    assert_eq!(
        refused.element("ArgumentValue1"),
        Some("The destination queue does not exist")
    );

    let overlapping = [
        function(FUNCTION, put, ""),
        queue(QUEUE, "s3:ObjectCreated:*", ""),
    ];
    let refused = configure(&world, &overlapping)
        .await
        .fails(400, "InvalidArgument");
    assert!(refused.text().contains("Configurations overlap"));
    for wrong in [
        function(FUNCTION, "s3:ObjectMislaid:*", ""),
        function(FUNCTION, put, &filter(&[("infix", "a")])),
        function(FUNCTION, put, &filter(&[("prefix", "a"), ("Prefix", "b")])),
        function("not-an-arn", put, ""),
        function(&FUNCTION.replace(REGION, "eu-west-1"), put, ""),
        queue(&format!("{QUEUE}.fifo"), put, ""),
    ] {
        configure(&world, std::slice::from_ref(&wrong))
            .await
            .fails(400, "InvalidArgument");
    }
    let topic = format!(
        "<TopicConfiguration><Topic>arn:aws:sns:{REGION}:000000000000:t.fifo</Topic>\
         <Event>{put}</Event></TopicConfiguration>"
    );
    let refused = configure(&world, &[topic])
        .await
        .fails(400, "InvalidArgument");
    assert!(refused.text().contains("a standard topic"));
    assert!(
        !world
            .get("/b-1?notification")
            .await
            .ok()
            .text()
            .contains("<Event>")
    );

    let skip = [("x-amz-skip-destination-validation", "true")];
    let body = format!(
        "<NotificationConfiguration>{}</NotificationConfiguration>",
        function(&missing, put, "")
    );
    world
        .send("PUT", "/b-1?notification", &skip, body)
        .await
        .ok();
}

#[tokio::test]
async fn event_bridge_gets_everything() {
    let world = ready().await;
    configure(&world, &["<EventBridgeConfiguration/>".to_owned()])
        .await
        .ok();
    assert!(
        world
            .get("/b-1?notification")
            .await
            .ok()
            .text()
            .contains("EventBridgeConfiguration")
    );
    let trace = "Root=1-6748f0a1-000000000000000000000001";
    let traced = RequestContext {
        trace: Some(trace.to_owned()),
        ..context(REGION, "000000000000")
    };
    world
        .send_as(traced, "PUT", "/b-1/a%20b", &[], "hello")
        .await
        .ok();
    world.events.arrived.notified().await;
    let published = world.events.published.lock();
    let event = &published[0];
    assert_eq!(event.trace.as_deref(), Some(trace));
    assert_eq!(
        (event.text("Source"), event.text("DetailType")),
        ("aws.s3", "Object Created")
    );
    assert_eq!(event.resource(), Some("arn:aws:s3:::b-1"));
    let detail: serde_json::Value = serde_json::from_str(event.text("Detail")).unwrap();
    assert_eq!(detail["object"]["key"], "a b");
    assert_eq!(detail["reason"], "PutObject");
}
