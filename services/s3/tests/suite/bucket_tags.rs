//! Tags that a bucket is made with, and S3 Control's way to them, which Terraform takes.

use crate::world::{Answer, REGION, World};

const ACCOUNT: (&str, &str) = ("x-amz-account-id", "000000000000");
const TAGS: &str = "/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Ab-1";

fn tags(of: &[(&str, &str)]) -> String {
    let tag =
        |(key, value): &(&str, &str)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
    let tags: String = of.iter().map(tag).collect();
    format!("<Tags>{tags}</Tags>")
}

async fn control(world: &World, method: &str, uri: &str, body: &str) -> Answer {
    world.send(method, uri, &[ACCOUNT], body.to_owned()).await
}

async fn make(world: &World, inner: &str) -> Answer {
    let body = format!(
        "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <LocationConstraint>{REGION}</LocationConstraint>{inner}</CreateBucketConfiguration>"
    );
    world.send("PUT", "/b-1", &[], body).await
}

#[tokio::test]
async fn a_bucket_is_made_with_tags() {
    let world = World::new();
    let twice = tags(&[("a", "1"), ("a", "2")]);
    make(&world, &twice).await.fails(400, "InvalidTag");
    make(&world, "<Tags><Tag></Tags>")
        .await
        .fails(400, "MalformedXML");
    world.get("/b-1").await.fails(404, "NoSuchBucket");

    let wanted = tags(&[("a", "1"), ("b + c", "")]);
    make(&world, &wanted).await.ok();
    let kept = world.get("/b-1?tagging").await.ok();
    let tag_set = "<TagSet><Tag><Key>a</Key><Value>1</Value></Tag>\
                   <Tag><Key>b + c</Key><Value></Value></Tag></TagSet>";
    assert!(kept.text().contains(tag_set), "{}", kept.text());
    let head = world.send("HEAD", "/b-1", &[], "").await.ok();
    assert_eq!(head.header("x-amz-bucket-region"), Some(REGION));
}

#[tokio::test]
async fn s3_control_lists_adds_and_removes_tags() {
    let world = World::with_bucket().await;
    let listed = control(&world, "GET", TAGS, "").await.ok();
    let empty = "<ListTagsForResourceResult \
                 xmlns=\"http://awss3control.amazonaws.com/doc/2018-08-20/\"><Tags></Tags>\
                 </ListTagsForResourceResult>";
    assert!(listed.text().ends_with(empty), "{}", listed.text());

    let request = |inner: &str| {
        format!(
            "<TagResourceRequest xmlns=\"http://awss3control.amazonaws.com/doc/2018-08-20/\">\
             {inner}</TagResourceRequest>"
        )
    };
    let both = request(&tags(&[("a", "1"), ("b", "2")]));
    let added = control(&world, "POST", TAGS, &both).await.ok();
    assert_eq!(added.status, 204);
    // What is there already gets the new value, and the rest stays.
    let changed = request(&tags(&[("a", "3 + 4")]));
    control(&world, "POST", TAGS, &changed).await.ok();
    let listed = control(&world, "GET", TAGS, "").await.ok();
    let expected = tags(&[("a", "3 + 4"), ("b", "2")]);
    assert!(listed.text().contains(&expected), "{}", listed.text());
    let kept = world.get("/b-1?tagging").await.ok();
    assert!(kept.text().contains("<Key>b</Key><Value>2</Value>"));

    let uri = format!("{TAGS}?tagKeys=a&tagKeys=none");
    assert_eq!(control(&world, "DELETE", &uri, "").await.ok().status, 204);
    let listed = control(&world, "GET", TAGS, "").await.ok();
    assert!(listed.text().contains(&tags(&[("b", "2")])));

    let many: Vec<_> = (0..50).map(|at| at.to_string()).collect();
    let many: Vec<_> = many.iter().map(|key| (key.as_str(), "v")).collect();
    let refused = control(&world, "POST", TAGS, &request(&tags(&many))).await;
    refused.fails(400, "BadRequest");
}

#[tokio::test]
async fn what_s3_control_refuses() {
    let world = World::with_bucket().await;
    for (method, uri, status, code) in [
        ("GET", TAGS.replace("b-1", "b-2"), 404, "NoSuchResource"),
        ("PUT", TAGS.to_owned(), 405, "MethodNotAllowed"),
        ("POST", TAGS.to_owned(), 400, "MalformedXML"),
        ("GET", "/v20180820/jobs".to_owned(), 501, "NotImplemented"),
        (
            "GET",
            "/v20180820/tags/arn:aws:s3:us-east-1:000000000000:accesspoint/a".to_owned(),
            501,
            "NotImplemented",
        ),
    ] {
        let answer = control(&world, method, &uri, "").await;
        let answer = answer.fails(status, code);
        assert!(answer.text().contains("<ErrorResponse"), "{method} {uri}");
    }
    let other = [("x-amz-account-id", "111111111111")];
    world
        .send("GET", TAGS, &other, "")
        .await
        .fails(403, "AccessDenied");
    // Without an account it is a key of a bucket of that name.
    world.get(TAGS).await.fails(404, "NoSuchBucket");
}
