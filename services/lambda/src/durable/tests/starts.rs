//! Names, and what is the same again.

use serde_json::json;

use super::rig::Rig;
use crate::durable::Filter;
use crate::generated::ExecutionStatus;

#[tokio::test]
async fn a_name_begins_one_execution() {
    let rig = Rig::new().await;
    let arn = rig.try_start(Some("n"), "1", false).await.unwrap();
    assert_eq!(rig.try_start(Some("n"), "1", false).await.unwrap(), arn);
    let turn = rig.turn().await;
    assert!(rig.is_quiet().await);
    let refused = rig.try_start(Some("n"), "2", false).await.unwrap_err();
    assert_eq!(refused.code, "DurableExecutionAlreadyStartedException");
    assert_eq!(refused.status, 409);
    assert_eq!(refused.message, format!("Execution already started: {arn}"));
    turn.succeed("3");
    rig.ended(&arn).await;
    // It is found after its end too, until it is deleted.
    assert_eq!(rig.try_start(Some("n"), "1", false).await.unwrap(), arn);
    rig.durable.delete(arn.clone()).await.unwrap();
    assert_ne!(rig.try_start(Some("n"), "2", false).await.unwrap(), arn);
}

#[tokio::test]
async fn many_at_once_begin_one() {
    let rig = Rig::new().await;
    let starts = (0..20).map(|_| rig.try_start(Some("n"), "1", false));
    let started = futures::future::join_all(starts).await;
    let first = started[0].as_ref().unwrap();
    assert!(started.iter().all(|other| other.as_ref().unwrap() == first));
    rig.turn().await.succeed("1");
    assert!(rig.is_quiet().await);
}

#[tokio::test]
async fn answers_that_break_the_protocol_fail_the_execution() {
    let rig = Rig::new().await;
    for (answer, message) in [
        (json!(1), "Invalid Status in invocation output."),
        (
            json!({"Status": "OK"}),
            "Invalid Status in invocation output.",
        ),
        (
            json!({"Status": "SUCCEEDED", "Result": "x".repeat((1 << 20) + 1)}),
            "Execution output payload size must be less than or equal to 1048576 bytes.",
        ),
    ] {
        let arn = rig.start().await;
        rig.turn().await.answer(&answer);
        let ended = rig.ended(&arn).await;
        assert_eq!(ended.status, ExecutionStatus::Failed);
        let error = ended.error.unwrap();
        assert_eq!(
            error.error_type.as_deref(),
            Some("InvalidParameterValueException")
        );
        assert_eq!(error.error_message.as_deref(), Some(message));
    }
}

#[tokio::test]
async fn executions_are_listed_by_their_starts() {
    let rig = Rig::new().await;
    let mut started = Vec::new();
    for number in 0..5 {
        let name = format!("n{number}");
        started.push(rig.try_start(Some(&name), "1", false).await.unwrap());
        rig.manual.advance(std::time::Duration::from_secs(1));
    }
    rig.durable.stop(started[1].clone(), None).await.unwrap();
    let filter = |oldest_first| Filter {
        place: started[0].place.clone(),
        function: "order".to_owned(),
        versions: None,
        name: None,
        statuses: None,
        after: None,
        before: None,
        oldest_first,
    };
    let names = |heads: &[super::super::records::Head]| {
        let names = heads.iter().map(|head| head.name.clone());
        names.collect::<Vec<_>>().join(" ")
    };
    let (page, marker) = rig.durable.list(&filter(false), None, 2).await.unwrap();
    assert_eq!(names(&page), "n4 n3");
    let (page, marker) = rig
        .durable
        .list(&filter(false), marker.as_deref(), 3)
        .await
        .unwrap();
    assert_eq!((names(&page).as_str(), marker), ("n2 n1 n0", None));
    let (page, _) = rig.durable.list(&filter(true), None, 100).await.unwrap();
    assert_eq!(names(&page), "n0 n1 n2 n3 n4");
    let stopped = Filter {
        statuses: Some(vec![ExecutionStatus::Stopped]),
        ..filter(true)
    };
    let (page, _) = rig.durable.list(&stopped, None, 100).await.unwrap();
    assert_eq!(names(&page), "n1");
    let between = Filter {
        after: Some(page[0].started),
        before: Some(page[0].started + std::time::Duration::from_secs(2)),
        ..filter(true)
    };
    let (page, _) = rig.durable.list(&between, None, 100).await.unwrap();
    assert_eq!(names(&page), "n2");
    let named = |name: &str| Filter {
        name: Some(name.to_owned()),
        ..filter(true)
    };
    let (page, marker) = rig.durable.list(&named("n3"), None, 1).await.unwrap();
    assert_eq!((names(&page).as_str(), marker), ("n3", None));
    assert!(
        rig.durable
            .list(&named("n9"), None, 1)
            .await
            .unwrap()
            .0
            .is_empty()
    );
    let version = Filter {
        versions: Some(vec!["1".to_owned()]),
        ..filter(true)
    };
    assert!(
        rig.durable
            .list(&version, None, 100)
            .await
            .unwrap()
            .0
            .is_empty()
    );
    assert!(rig.durable.list(&filter(true), Some("?"), 1).await.is_err());
}
