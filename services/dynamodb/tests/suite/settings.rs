//! Resource policies and contributor insights.

use base::AccountId;

use crate::support::{Json, World, json, key, with};

const ARN: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/test";

fn policy(action: &str) -> Json {
    let statement = json!({
        "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
        "Action": action, "Resource": ARN,
    });
    json!(json!({"Version": "2012-10-17", "Statement": [statement]}).to_string())
}

#[tokio::test]
async fn policies_have_revisions_and_let_other_accounts_in() {
    let mut world = World::start().await;
    world.table(json!({})).await;
    world.put(key("a", 1)).await;
    let resource = json!({"ResourceArn": ARN});
    assert_eq!(
        world.refused("GetResourcePolicy", resource.clone()).await.0,
        "PolicyNotFoundException"
    );
    let put = |more| with(resource.clone(), more);
    let malformed = put(json!({"Policy": "{"}));
    assert!(
        world
            .invalid("PutResourcePolicy", malformed)
            .await
            .starts_with("Resource-based")
    );
    let first =
        put(json!({"Policy": policy("dynamodb:GetItem"), "ExpectedRevisionId": "NO_POLICY"}));
    let revision = world.ok("PutResourcePolicy", first.clone()).await["RevisionId"].clone();
    let (code, message) = world.refused("PutResourcePolicy", first).await;
    assert_eq!(code, "PolicyNotFoundException");
    let revision_is = format!(
        "a policy exists with revision id {}.",
        revision.as_str().unwrap()
    );
    assert!(message.ends_with(&revision_is), "{message}");
    let known = world.ok("GetResourcePolicy", resource.clone()).await;
    assert_eq!(known["RevisionId"], revision);
    assert_eq!(known["Policy"], policy("dynamodb:GetItem"));

    world.account = "111111111111".parse().unwrap();
    let get = json!({"TableName": ARN, "Key": key("a", 1)});
    assert_eq!(world.ok("GetItem", get.clone()).await["Item"], key("a", 1));
    let scan = world.refused("Scan", json!({"TableName": ARN})).await;
    assert_eq!(scan.0, "AccessDeniedException");
    world.account = "222222222222".parse().unwrap();
    assert_eq!(
        world.refused("GetItem", get.clone()).await.0,
        "AccessDeniedException"
    );
    world.account = AccountId::DEFAULT;
    world.ok("DeleteResourcePolicy", resource.clone()).await;
    assert!(world.ok("DeleteResourcePolicy", resource).await["RevisionId"].is_null());
    world.account = "111111111111".parse().unwrap();
    assert_eq!(
        world.refused("GetItem", get).await.0,
        "AccessDeniedException"
    );
}

#[tokio::test]
async fn insights_are_kept() {
    let world = World::start().await;
    world.table(json!({})).await;
    let table = json!({"TableName": "test"});
    let enable = json!({
        "TableName": "test", "ContributorInsightsAction": "ENABLE",
        "ContributorInsightsMode": "THROTTLED_KEYS",
    });
    world.ok("UpdateContributorInsights", enable).await;
    let world = world.restart().await;
    let described = world.ok("DescribeContributorInsights", table).await;
    assert_eq!(described["ContributorInsightsStatus"], "ENABLED");
    assert_eq!(described["ContributorInsightsMode"], "THROTTLED_KEYS");
    let listed = world.ok("ListContributorInsights", json!({})).await;
    assert_eq!(
        listed["ContributorInsightsSummaries"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let missing = json!({"TableName": "test", "IndexName": "missing"});
    assert_eq!(
        world
            .refused("DescribeContributorInsights", missing)
            .await
            .0,
        "ResourceNotFoundException"
    );
}
