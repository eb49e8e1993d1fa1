//! Versions and delete markers.

use proptest::prelude::*;

use crate::world::{Answer, World};

pub async fn versioned(status: &str) -> World {
    let world = World::with_bucket().await;
    set(&world, status).await;
    world
}

pub async fn set(world: &World, status: &str) {
    let body =
        format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
    world.put("/b-1?versioning", body).await;
}

fn version_of(answer: &Answer) -> String {
    answer.header("x-amz-version-id").unwrap().to_owned()
}

/// What ListObjectVersions says of each version: key, id, whether it is the latest.
fn listed(answer: &Answer, element: &str) -> Vec<(String, String, bool)> {
    answer
        .elements(element)
        .into_iter()
        .map(|entry| {
            let text = |name: &str| {
                let (_, rest) = entry.split_once(&format!("<{name}>")).unwrap();
                rest.split('<').next().unwrap().to_owned()
            };
            (text("Key"), text("VersionId"), text("IsLatest") == "true")
        })
        .collect()
}

#[tokio::test]
async fn a_bucket_says_whether_it_has_versions() {
    let world = World::with_bucket().await;
    let unset = world.get("/b-1?versioning").await.ok();
    assert_eq!(unset.element("Status"), None);
    for status in ["Enabled", "Suspended", "Enabled"] {
        set(&world, status).await;
        let got = world.get("/b-1?versioning").await.ok();
        assert_eq!(got.element("Status"), Some(status));
    }
    for (body, status, code) in [
        (
            "<VersioningConfiguration/>",
            400,
            "IllegalVersioningConfigurationException",
        ),
        (
            "<VersioningConfiguration><Status>Off</Status></VersioningConfiguration>",
            400,
            "MalformedXML",
        ),
        (
            "<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>\
             </VersioningConfiguration>",
            403,
            "AccessDenied",
        ),
    ] {
        let answer = world.send("PUT", "/b-1?versioning", &[], body).await;
        answer.fails(status, code);
    }
}

#[tokio::test]
async fn every_put_makes_a_version_and_a_delete_a_marker() {
    let world = World::with_bucket().await;
    world.put("/b-1/k", "from before").await;
    set(&world, "Enabled").await;
    let first = version_of(&world.put("/b-1/k", "one").await);
    let second = version_of(&world.put("/b-1/k", vec![2; 100_000]).await);
    assert_ne!(first, second);
    let gone = world.send("DELETE", "/b-1/k", &[], "").await.ok();
    assert_eq!(gone.header("x-amz-delete-marker"), Some("true"));
    let marker = version_of(&gone);

    for method in ["GET", "HEAD"] {
        let missing = world.send(method, "/b-1/k", &[], "").await;
        assert_eq!(missing.status, 404);
        assert_eq!(missing.header("x-amz-delete-marker"), Some("true"));
        assert_eq!(version_of(&missing), marker);
        let uri = format!("/b-1/k?versionId={marker}");
        let refused = world.send(method, &uri, &[], "").await;
        assert_eq!(refused.status, 405);
        assert_eq!(refused.header("x-amz-delete-marker"), Some("true"));
        assert_eq!(refused.header("allow"), Some("DELETE"));
        assert!(refused.header("last-modified").is_some());
    }
    for (id, body) in [("null", "from before"), (first.as_str(), "one")] {
        let got = world.get(&format!("/b-1/k?versionId={id}")).await.ok();
        assert_eq!((got.text(), version_of(&got).as_str()), (body, id));
    }
    assert!(world.get("/b-1").await.ok().elements("Key").is_empty());

    let all = world.get("/b-1?versions").await.ok();
    let key = |id: &str, latest| ("k".to_owned(), id.to_owned(), latest);
    assert_eq!(
        listed(&all, "Version"),
        [key(&second, false), key(&first, false), key("null", false)]
    );
    assert_eq!(listed(&all, "DeleteMarker"), [key(&marker, true)]);

    // Without its marker the object is back.
    let uri = format!("/b-1/k?versionId={marker}");
    let undone = world.send("DELETE", &uri, &[], "").await.ok();
    assert_eq!(undone.header("x-amz-delete-marker"), Some("true"));
    assert_eq!(version_of(&undone), marker);
    assert_eq!(version_of(&world.get("/b-1/k").await.ok()), second);
    let uri = format!("/b-1/k?versionId={second}");
    world.send("DELETE", &uri, &[], "").await.ok();
    assert_eq!(world.get("/b-1/k").await.ok().text(), "one");
    assert_eq!(world.records("s3.blob").await, 0);
    world.get(&uri).await.fails(404, "NoSuchVersion");

    world
        .send("DELETE", "/b-1", &[], "")
        .await
        .fails(409, "BucketNotEmpty");
    for id in [first.as_str(), "null"] {
        let uri = format!("/b-1/k?versionId={id}");
        world.send("DELETE", &uri, &[], "").await.ok();
    }
    assert_eq!(
        world.records("s3.head").await + world.records("s3.version").await,
        0
    );
    world.send("DELETE", "/b-1", &[], "").await.ok();
}

#[tokio::test]
async fn a_bucket_of_nothing_but_markers_is_not_empty() {
    let world = versioned("Enabled").await;
    world.send("DELETE", "/b-1/never", &[], "").await.ok();
    let answer = world.send("DELETE", "/b-1", &[], "").await;
    assert!(answer.text().contains("all versions"), "{}", answer.text());
    answer.fails(409, "BucketNotEmpty");
}

#[tokio::test]
async fn while_suspended_there_is_one_version_null() {
    let world = versioned("Enabled").await;
    let kept = version_of(&world.put("/b-1/k", "kept").await);
    set(&world, "Suspended").await;
    for body in ["one", "two"] {
        assert_eq!(version_of(&world.put("/b-1/k", body).await), "null");
    }
    let all = world.get("/b-1?versions").await.ok();
    let key = |id: &str, latest| ("k".to_owned(), id.to_owned(), latest);
    assert_eq!(
        listed(&all, "Version"),
        [key("null", true), key(&kept, false)]
    );
    let gone = world.send("DELETE", "/b-1/k", &[], "").await.ok();
    assert_eq!(
        (
            version_of(&gone).as_str(),
            gone.header("x-amz-delete-marker")
        ),
        ("null", Some("true"))
    );
    let all = world.get("/b-1?versions").await.ok();
    assert_eq!(listed(&all, "Version"), [key(&kept, false)]);
    assert_eq!(listed(&all, "DeleteMarker"), [key("null", true)]);
    world.put("/b-1/k", "three").await;
    let all = world.get("/b-1?versions").await.ok();
    assert!(listed(&all, "DeleteMarker").is_empty());
    set(&world, "Enabled").await;
    world.put("/b-1/k", "four").await;
    let got = world.get("/b-1/k?versionId=null").await.ok();
    assert_eq!(got.text(), "three");
}

#[tokio::test]
async fn ids_that_cannot_be() {
    let world = versioned("Enabled").await;
    world.put("/b-1/k", "x").await;
    for id in ["nonsense", "", "AAAA"] {
        let uri = format!("/b-1/k?versionId={id}");
        world.get(&uri).await.fails(400, "InvalidArgument");
    }
    world
        .get("/b-1/k?versionId=null")
        .await
        .fails(404, "NoSuchVersion");
    let other = version_of(&world.put("/b-1/other", "x").await);
    let uri = format!("/b-1/k?versionId={other}");
    world.get(&uri).await.fails(404, "NoSuchVersion");
    world.send("DELETE", &uri, &[], "").await.ok();
    world.get("/b-1/k").await.ok();
    world
        .get(&format!("/b-1/other?versionId={other}"))
        .await
        .ok();
}

#[tokio::test]
async fn copies_tags_and_attributes_name_versions() {
    let world = versioned("Enabled").await;
    let first = version_of(&world.put("/b-1/k", "one").await);
    let second = version_of(&world.put("/b-1/k", "two").await);
    let source = format!("/b-1/k?versionId={first}");
    let copied = world
        .send("PUT", "/b-1/k", &[("x-amz-copy-source", &source)], "")
        .await
        .ok();
    assert_eq!(
        copied.header("x-amz-copy-source-version-id"),
        Some(first.as_str())
    );
    assert!(copied.text().contains("<CopyObjectResult xmlns="));
    assert_ne!(version_of(&copied), second);
    assert_eq!(world.get("/b-1/k").await.ok().text(), "one");

    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>";
    let uri = format!("/b-1/k?tagging&versionId={first}");
    assert_eq!(version_of(&world.put(&uri, tags).await), first);
    assert_eq!(world.get(&uri).await.ok().elements("Key"), ["a"]);
    let current = world.get("/b-1/k?tagging").await.ok();
    assert!(current.elements("Key").is_empty());
    assert_eq!(version_of(&current), version_of(&copied));
    let old = world.get(&format!("/b-1/k?versionId={first}")).await.ok();
    assert_eq!(old.header("x-amz-tagging-count"), Some("1"));
    world.send("DELETE", &uri, &[], "").await.ok();
    assert!(world.get(&uri).await.ok().elements("Key").is_empty());

    let attributes = [("x-amz-object-attributes", "ETag,ObjectSize")];
    let uri = format!("/b-1/k?attributes&versionId={second}");
    let got = world.send("GET", &uri, &attributes, "").await.ok();
    assert_eq!(version_of(&got), second);
    world
        .get(&format!("/b-1/k?acl&versionId={second}"))
        .await
        .ok();

    let marker = version_of(&world.send("DELETE", "/b-1/k", &[], "").await.ok());
    let source = format!("/b-1/k?versionId={marker}");
    world
        .send("PUT", "/b-1/new", &[("x-amz-copy-source", &source)], "")
        .await
        .fails(400, "InvalidRequest");
    world
        .send("PUT", "/b-1/new", &[("x-amz-copy-source", "/b-1/k")], "")
        .await
        .fails(404, "NoSuchKey");
    let uri = format!("/b-1/k?tagging&versionId={marker}");
    world
        .send("PUT", &uri, &[], tags)
        .await
        .fails(405, "MethodNotAllowed");
}

#[tokio::test]
async fn many_versions_of_one_key_go_in_one_request() {
    let world = versioned("Enabled").await;
    let named = |id: &str| format!("<Object><Key>k</Key><VersionId>{id}</VersionId></Object>");
    let mut objects = String::new();
    for body in ["1", "2", "3"] {
        let id = version_of(&world.put("/b-1/k", body).await);
        objects.push_str(&named(&id));
    }
    let marked = world.send("DELETE", "/b-1/k", &[], "").await.ok();
    let marker = version_of(&marked);
    objects.push_str(&named(&marker));
    objects += "<Object><Key>k</Key><VersionId>bad</VersionId></Object>";
    objects += "<Object><Key>other</Key></Object>";
    let body = format!("<Delete>{objects}</Delete>");
    let answer = world.send("POST", "/b-1?delete", &[], body).await.ok();
    assert_eq!(answer.elements("Deleted").len(), 5);
    assert_eq!(answer.elements("DeleteMarkerVersionId").len(), 2);
    assert!(answer.elements("DeleteMarkerVersionId").contains(&&*marker));
    assert_eq!(answer.elements("Code"), ["InvalidArgument"]);
    let all = world.get("/b-1?versions").await.ok();
    assert!(listed(&all, "Version").is_empty());
    let markers = listed(&all, "DeleteMarker");
    assert_eq!((markers.len(), markers[0].0.as_str()), (1, "other"));
}

#[tokio::test]
async fn pages_of_versions() {
    let world = versioned("Enabled").await;
    for key in ["a", "dir/x", "dir/y", "z"] {
        for body in ["1", "2", "3"] {
            world.put(&format!("/b-1/{key}"), body).await;
        }
        world
            .send("DELETE", &format!("/b-1/{key}"), &[], "")
            .await
            .ok();
    }
    let all = world.get("/b-1?versions").await.ok();
    let whole: Vec<_> = [listed(&all, "Version"), listed(&all, "DeleteMarker")].concat();
    assert_eq!(whole.len(), 16);
    for size in [1, 2, 3, 5, 16] {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let uri = format!("/b-1?versions&max-keys={size}{after}");
            let page = world.get(&uri).await.ok();
            seen.extend([listed(&page, "Version"), listed(&page, "DeleteMarker")].concat());
            if page.element("IsTruncated") == Some("false") {
                break;
            }
            after = format!(
                "&key-marker={}&version-id-marker={}",
                page.element("NextKeyMarker").unwrap(),
                page.element("NextVersionIdMarker").unwrap()
            );
        }
        seen.sort();
        let mut expected = whole.clone();
        expected.sort();
        assert_eq!(seen, expected, "{size}");
    }
    let rolled = world.get("/b-1?versions&delimiter=/&max-keys=5").await.ok();
    assert_eq!(rolled.element("NextKeyMarker"), Some("dir/"));
    assert_eq!(rolled.element("NextVersionIdMarker"), None);
    let rest = world
        .get("/b-1?versions&delimiter=/&key-marker=dir/")
        .await
        .ok();
    assert!(listed(&rest, "Version").iter().all(|(key, ..)| key == "z"));
    let within = world
        .get("/b-1?versions&prefix=dir/&key-marker=dir/x")
        .await
        .ok();
    assert_eq!(listed(&within, "Version").len(), 3);
    world
        .get("/b-1?versions&version-id-marker=null")
        .await
        .fails(400, "InvalidArgument");
}

#[tokio::test]
async fn conditions_are_about_the_current_version() {
    let world = versioned("Enabled").await;
    let etag = world.put("/b-1/k", "one").await.etag();
    let stale = [("if-match", "\"0\"")];
    world
        .send("DELETE", "/b-1/k", &stale, "")
        .await
        .fails(412, "PreconditionFailed");
    world
        .send("DELETE", "/b-1/k", &[("if-match", &etag)], "")
        .await
        .ok();
    let only_new = [("if-none-match", "*")];
    world.send("PUT", "/b-1/k", &only_new, "two").await.ok();
    world
        .send("PUT", "/b-1/k", &only_new, "three")
        .await
        .fails(412, "PreconditionFailed");
}

#[derive(Clone, Debug)]
enum Step {
    Put,
    Delete,
    DeleteVersion(usize),
    Set(&'static str),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Put),
        2 => Just(Step::Delete),
        3 => (0..8_usize).prop_map(Step::DeleteVersion),
        1 => Just(Step::Set("Enabled")),
        1 => Just(Step::Set("Suspended")),
    ];
    prop::collection::vec(step, 0..25)
}

/// A key's versions as S3 keeps them, the newest last: id, and the body unless it is a marker.
#[derive(Default)]
struct Model {
    enabled: Option<bool>,
    versions: Vec<(String, Option<String>)>,
}

impl Model {
    fn add(&mut self, id: String, body: Option<String>) {
        if id == "null" {
            self.versions.retain(|(id, _)| id != "null");
        }
        self.versions.push((id, body));
    }
}

async fn check(world: &World, model: &Model) {
    let current = model.versions.last().and_then(|(_, body)| body.as_deref());
    let got = world.get("/b-1/k").await;
    let found = got.status.is_success().then(|| got.text());
    assert_eq!(found, current, "{:?}", model.versions);
    let listed_current = world.get("/b-1").await.ok();
    assert_eq!(
        listed_current.elements("Key").len(),
        usize::from(current.is_some())
    );
    let all = world.get("/b-1?versions").await.ok();
    for (element, are_markers) in [("Version", false), ("DeleteMarker", true)] {
        let expected: Vec<_> = model
            .versions
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, (_, body))| body.is_none() == are_markers)
            .map(|(at, (id, _))| ("k".to_owned(), id.clone(), at + 1 == model.versions.len()))
            .collect();
        assert_eq!(listed(&all, element), expected);
    }
    for (id, body) in &model.versions {
        let got = world.get(&format!("/b-1/k?versionId={id}")).await;
        match body {
            Some(body) => assert_eq!(got.ok().text(), body),
            None => assert_eq!(got.status, 405),
        }
    }
}

async fn run(steps: Vec<Step>) {
    let world = World::with_bucket().await;
    let mut model = Model::default();
    for (number, step) in steps.into_iter().enumerate() {
        match step {
            Step::Put => {
                let body = format!("body {number}");
                let put = world.put("/b-1/k", body.clone()).await;
                let id = put.header("x-amz-version-id").unwrap_or("null");
                assert_eq!(
                    put.header("x-amz-version-id").is_some(),
                    model.enabled.is_some()
                );
                assert_eq!(id != "null", model.enabled == Some(true));
                model.add(id.to_owned(), Some(body));
            }
            Step::Delete => {
                let gone = world.send("DELETE", "/b-1/k", &[], "").await.ok();
                match model.enabled {
                    None => model.versions.clear(),
                    Some(_) => model.add(version_of(&gone), None),
                }
            }
            Step::DeleteVersion(at) if at < model.versions.len() => {
                let (id, body) = model.versions.remove(at);
                let uri = format!("/b-1/k?versionId={id}");
                let gone = world.send("DELETE", &uri, &[], "").await.ok();
                let was_marker = gone.header("x-amz-delete-marker").is_some();
                assert_eq!(was_marker, body.is_none());
            }
            Step::DeleteVersion(_) => {}
            Step::Set(status) => {
                set(&world, status).await;
                model.enabled = Some(status == "Enabled");
            }
        }
        check(&world, &model).await;
    }
    let inline = model.versions.iter().filter(|(_, body)| body.is_some());
    assert_eq!(world.records("s3.inline").await, inline.count());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn any_history_is_kept_as_s3_keeps_it(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}
