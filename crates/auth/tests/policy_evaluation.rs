//! The evaluation rules, one test each.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]
#![allow(clippy::needless_pass_by_value, reason = "json! makes values")]

use auth::policy::{Caller, Context, Decision, Document, Policies, PolicyKind, Request, evaluate};
use base::{AccountId, Arn};
use serde_json::{Value, json};

const QUEUE: &str = "arn:aws:sqs:us-east-1:111111111111:jobs";

fn account() -> AccountId {
    "111111111111".parse().unwrap()
}

fn document(statement: Value, kind: PolicyKind) -> Document {
    let text = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
    Document::parse(&text, kind).unwrap()
}

fn identity(statement: Value) -> Document {
    document(statement, PolicyKind::Identity)
}

fn allow(action: &str, resource: &str) -> Document {
    identity(json!({"Effect": "Allow", "Action": action, "Resource": resource}))
}

fn queue_policy(effect: &str, principal: Value) -> Document {
    let statement = json!({"Effect": effect, "Action": "sqs:*", "Resource": QUEUE,
        "Principal": principal});
    document(statement, PolicyKind::Resource)
}

struct Ask {
    caller: Arn,
    role: Option<Arn>,
    action: &'static str,
    resource: &'static str,
    context: Context,
}

fn user() -> Ask {
    Ask {
        caller: "arn:aws:iam::111111111111:user/team/bob".parse().unwrap(),
        role: None,
        action: "sqs:SendMessage",
        resource: QUEUE,
        context: Context::new(),
    }
}

fn session() -> Ask {
    Ask {
        caller: "arn:aws:sts::111111111111:assumed-role/worker/s1"
            .parse()
            .unwrap(),
        role: Some(
            "arn:aws:iam::111111111111:role/path/worker"
                .parse()
                .unwrap(),
        ),
        ..user()
    }
}

fn stranger() -> Ask {
    Ask {
        caller: "arn:aws:iam::222222222222:user/eve".parse().unwrap(),
        ..user()
    }
}

impl Ask {
    fn decide(
        &self,
        identity: &[Document],
        boundaries: &[Document],
        resource: Option<&Document>,
    ) -> Decision {
        let caller = match &self.role {
            Some(role_arn) => Caller::Session {
                arn: &self.caller,
                role_arn,
                session_id: "AROAX:s1",
            },
            None => Caller::User {
                arn: &self.caller,
                user_id: "AIDAX",
            },
        };
        decide(
            caller,
            self,
            &Policies {
                identity,
                boundaries,
                resource,
            },
        )
    }

    fn may(&self, policy: Document) -> bool {
        self.decide(&[policy], &[], None).is_allowed()
    }

    fn with(mut self, key: &str, value: &str) -> Self {
        self.context.insert(key, value);
        self
    }
}

fn decide(caller: Caller<'_>, ask: &Ask, policies: &Policies<'_>) -> Decision {
    let mut context = ask.context.clone();
    context.insert_caller(&caller);
    let request = Request {
        caller,
        action: ask.action,
        resource: ask.resource,
        resource_account: account(),
        context: &context,
    };
    evaluate(&request, policies)
}

#[test]
fn nothing_is_allowed_unless_a_policy_says_so() {
    assert_eq!(user().decide(&[], &[], None), Decision::ImplicitDeny);
    assert!(user().may(allow("sqs:SendMessage", QUEUE)));
    assert!(!user().may(allow("sqs:ReceiveMessage", QUEUE)));
    assert!(!user().may(allow(
        "sqs:SendMessage",
        "arn:aws:sqs:us-east-1:111111111111:other"
    )));
}

#[test]
fn an_explicit_deny_wins_wherever_it_stands() {
    let deny = identity(json!({"Effect": "Deny", "Action": "sqs:Send*", "Resource": "*"}));
    let all = allow("*", "*");
    let decide = |identity: &[Document], boundaries: &[Document], resource| {
        user().decide(identity, boundaries, resource)
    };
    assert_eq!(
        decide(&[all.clone(), deny.clone()], &[], None),
        Decision::ExplicitDeny
    );
    assert_eq!(
        decide(std::slice::from_ref(&all), &[deny], None),
        Decision::ExplicitDeny
    );
    let resource = queue_policy("Deny", json!("*"));
    assert_eq!(decide(&[all], &[], Some(&resource)), Decision::ExplicitDeny);
}

#[test]
fn actions_match_without_case_and_not_action_is_the_rest() {
    assert!(user().may(allow("SQS:sendmess*", "*")));
    let not =
        |action: &str| identity(json!({"Effect": "Allow", "NotAction": action, "Resource": "*"}));
    assert!(user().may(not("s3:*")));
    assert!(!user().may(not("sqs:*")));
}

#[test]
fn not_resource_is_the_rest() {
    let not = |resource: &str| {
        identity(json!({"Effect": "Allow", "Action": "sqs:*", "NotResource": resource}))
    };
    assert!(user().may(not("arn:aws:sqs:*:*:other")));
    assert!(!user().may(not("arn:aws:sqs:*:*:jobs")));
}

#[test]
fn a_boundary_limits_but_grants_nothing() {
    let (all, send) = (allow("*", "*"), allow("sqs:SendMessage", "*"));
    let receive = allow("sqs:ReceiveMessage", "*");
    let decide = |boundary: &Document| {
        user().decide(
            std::slice::from_ref(&all),
            std::slice::from_ref(boundary),
            None,
        )
    };
    assert_eq!(decide(&send), Decision::Allowed);
    assert_eq!(decide(&receive), Decision::ImplicitDeny);
    assert_eq!(user().decide(&[], &[send], None), Decision::ImplicitDeny);
}

#[test]
fn session_policies_bound_together() {
    let (send, receive) = (
        allow("sqs:SendMessage", "*"),
        allow("sqs:ReceiveMessage", "*"),
    );
    let union = Document::union([receive.clone(), send.clone()]);
    let all = allow("*", "*");
    let decide =
        |boundaries: &[Document]| session().decide(std::slice::from_ref(&all), boundaries, None);
    assert_eq!(decide(&[receive, send]), Decision::ImplicitDeny);
    assert_eq!(decide(&[union]), Decision::Allowed);
}

#[test]
fn within_an_account_a_resource_policy_that_names_the_caller_is_enough() {
    for (principal, expected) in [
        (
            json!({"AWS": "arn:aws:iam::111111111111:user/team/bob"}),
            true,
        ),
        (json!({"AWS": "AIDAX"}), true),
        (json!("*"), true),
        (json!({"AWS": "*"}), true),
        // The account lets its own identity policies decide, and there are none.
        (json!({"AWS": "arn:aws:iam::111111111111:root"}), false),
        (json!({"AWS": "111111111111"}), false),
        (json!({"AWS": "arn:aws:iam::111111111111:user/bob"}), false),
        (json!({"Service": "s3.amazonaws.com"}), false),
    ] {
        let policy = queue_policy("Allow", principal.clone());
        let decision = user().decide(&[], &[], Some(&policy));
        assert_eq!(decision.is_allowed(), expected, "{principal}");
    }
}

#[test]
fn a_boundary_binds_a_session_whose_role_is_named_but_not_a_named_session() {
    let boundary = [allow("s3:*", "*")];
    let role = queue_policy(
        "Allow",
        json!({"AWS": "arn:aws:iam::111111111111:role/path/worker"}),
    );
    assert_eq!(
        session().decide(&[], &boundary, Some(&role)),
        Decision::ImplicitDeny
    );
    assert_eq!(session().decide(&[], &[], Some(&role)), Decision::Allowed);
    let principal = json!({"AWS": "arn:aws:sts::111111111111:assumed-role/worker/s1"});
    let named = queue_policy("Allow", principal);
    assert_eq!(
        session().decide(&[], &boundary, Some(&named)),
        Decision::Allowed
    );
}

#[test]
fn across_accounts_both_sides_must_allow() {
    let identity = [allow("sqs:*", "*")];
    for principal in [
        json!({"AWS": "222222222222"}),
        json!({"AWS": ["arn:aws:iam::222222222222:user/eve"]}),
        json!("*"),
    ] {
        let policy = queue_policy("Allow", principal);
        assert_eq!(
            stranger().decide(&[], &[], Some(&policy)),
            Decision::ImplicitDeny
        );
        assert_eq!(
            stranger().decide(&identity, &[], Some(&policy)),
            Decision::Allowed
        );
    }
    assert_eq!(
        stranger().decide(&identity, &[], None),
        Decision::ImplicitDeny
    );
}

#[test]
fn root_may_do_all_in_its_account_that_no_resource_denies() {
    let root = Caller::Root { account: account() };
    let none = Policies::default();
    assert_eq!(decide(root, &user(), &none), Decision::Allowed);
    let deny = queue_policy("Deny", json!("*"));
    let denied = Policies {
        resource: Some(&deny),
        ..none
    };
    assert_eq!(decide(root, &user(), &denied), Decision::ExplicitDeny);
    let other = Caller::Root {
        account: "222222222222".parse().unwrap(),
    };
    assert_eq!(decide(other, &user(), &none), Decision::ImplicitDeny);
}

#[test]
fn services_and_the_anonymous_need_the_resources_word() {
    let s3 = Caller::Service {
        name: "s3.amazonaws.com",
    };
    let named = queue_policy("Allow", json!({"Service": ["s3.amazonaws.com"]}));
    let everyone = queue_policy("Allow", json!("*"));
    let ask = |caller, resource| {
        decide(
            caller,
            &user(),
            &Policies {
                resource,
                ..Policies::default()
            },
        )
    };
    assert_eq!(ask(s3, Some(&named)), Decision::Allowed);
    assert_eq!(ask(s3, None), Decision::ImplicitDeny);
    let sns = Caller::Service {
        name: "sns.amazonaws.com",
    };
    assert_eq!(ask(sns, Some(&named)), Decision::ImplicitDeny);
    assert_eq!(ask(Caller::Anonymous, Some(&everyone)), Decision::Allowed);
    assert_eq!(ask(Caller::Anonymous, Some(&named)), Decision::ImplicitDeny);
}

#[test]
fn not_principal_denies_the_others() {
    let statement = json!({"Effect": "Deny", "Action": "sqs:*", "Resource": QUEUE,
        "NotPrincipal": {"AWS": "arn:aws:iam::111111111111:user/team/bob"}});
    let policy = document(statement, PolicyKind::Resource);
    let all = [allow("*", "*")];
    assert_eq!(user().decide(&all, &[], Some(&policy)), Decision::Allowed);
    assert_eq!(
        session().decide(&all, &[], Some(&policy)),
        Decision::ExplicitDeny
    );
}

#[test]
fn variables_are_filled_in_from_the_caller() {
    let own = allow(
        "sqs:*",
        "arn:aws:sqs:us-east-1:111111111111:${aws:username}-*",
    );
    let ask = |resource| Ask { resource, ..user() }.may(own.clone());
    assert!(ask("arn:aws:sqs:us-east-1:111111111111:bob-jobs"));
    assert!(!ask("arn:aws:sqs:us-east-1:111111111111:eve-jobs"));
    let sessions = Ask {
        resource: "arn:aws:sqs:us-east-1:111111111111:-jobs",
        ..session()
    };
    assert!(!sessions.may(own), "a session has no user name");
}

fn when(condition: Value) -> Document {
    identity(json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}))
}

#[test]
fn condition_operators() {
    let cases = [
        (json!({"StringEquals": {"k": ["a", "b"]}}), "b", "c"),
        (json!({"StringNotEquals": {"k": ["a", "b"]}}), "c", "b"),
        (json!({"StringEqualsIgnoreCase": {"k": "A"}}), "a", "b"),
        (json!({"StringNotEqualsIgnoreCase": {"k": "A"}}), "b", "a"),
        (json!({"StringEquals": {"k": "a*"}}), "a*", "ab"),
        (json!({"StringLike": {"k": "a*?"}}), "abc", "a"),
        (json!({"StringNotLike": {"k": "a*"}}), "b", "ab"),
        (json!({"NumericLessThan": {"k": 10}}), "9.5", "10"),
        (json!({"NumericLessThanEquals": {"k": "10"}}), "10", "11"),
        (json!({"NumericGreaterThan": {"k": "10"}}), "11", "10"),
        (json!({"NumericGreaterThanEquals": {"k": "10"}}), "10", "x"),
        (json!({"NumericEquals": {"k": "10"}}), "10.0", "1"),
        (json!({"NumericNotEquals": {"k": "10"}}), "1", "10"),
        (
            json!({"DateLessThan": {"k": "2026-01-02T00:00:00Z"}}),
            "2026-01-01T23:59:59Z",
            "2026-01-02",
        ),
        (
            json!({"DateGreaterThanEquals": {"k": "1767312000"}}),
            "2026-01-02T00:00:00Z",
            "2026-01-01",
        ),
        (json!({"Bool": {"k": true}}), "TRUE", "false"),
        (
            json!({"IpAddress": {"k": ["10.0.0.0/8", "::1"]}}),
            "10.9.8.7",
            "11.0.0.1",
        ),
        (
            json!({"IpAddress": {"k": "2001:db8::/32"}}),
            "2001:db8:1::2",
            "2001:db9::",
        ),
        (
            json!({"NotIpAddress": {"k": "10.0.0.0/8"}}),
            "11.0.0.1",
            "10.0.0.1",
        ),
        (json!({"IpAddress": {"k": "0.0.0.0/0"}}), "1.2.3.4", "::1"),
        (
            json!({"ArnLike": {"k": "arn:aws:s3:*:*:in-*"}}),
            "arn:aws:s3:::in-box",
            "arn:aws:s3:::out",
        ),
        (
            json!({"ArnNotEquals": {"k": "arn:aws:s3:::a"}}),
            "arn:aws:s3:::b",
            "arn:aws:s3:::a",
        ),
        (json!({"Null": {"k": "false"}}), "a", ""),
        (
            json!({"Null": {"other": "true"}, "StringEquals": {"k": "a"}}),
            "a",
            "b",
        ),
        (
            json!({"StringEquals": {"K": "a", "AWS:UserName": "${aws:username}"}}),
            "a",
            "b",
        ),
    ];
    for (condition, passes, fails) in cases {
        assert!(
            user().with("k", passes).may(when(condition.clone())),
            "{condition} {passes}"
        );
        let ask = if fails.is_empty() {
            user()
        } else {
            user().with("k", fails)
        };
        assert!(!ask.may(when(condition.clone())), "{condition} {fails}");
    }
}

#[test]
fn a_missing_key_fails_unless_negated_or_if_exists() {
    assert!(!user().may(when(json!({"StringEquals": {"k": "a"}}))));
    assert!(user().may(when(json!({"StringNotEquals": {"k": "a"}}))));
    assert!(user().may(when(json!({"StringEqualsIfExists": {"k": "a"}}))));
    assert!(
        !user()
            .with("k", "b")
            .may(when(json!({"StringEqualsIfExists": {"k": "a"}})))
    );
}

#[test]
fn set_operators_look_at_every_value() {
    let with = |values: &[&str]| {
        values
            .iter()
            .fold(user(), |ask, value| ask.with("k", value))
    };
    let all = || when(json!({"ForAllValues:StringEquals": {"k": ["a", "b"]}}));
    let any = || when(json!({"ForAnyValue:StringEquals": {"k": ["a", "b"]}}));
    let any_not = || when(json!({"ForAnyValue:StringNotEquals": {"k": ["a"]}}));
    for (values, in_all, in_any, in_any_not) in [
        (&[][..], true, false, false),
        (&["a"], true, true, false),
        (&["a", "c"], false, true, true),
        (&["c"], false, false, true),
    ] {
        assert_eq!(with(values).may(all()), in_all, "all {values:?}");
        assert_eq!(with(values).may(any()), in_any, "any {values:?}");
        assert_eq!(
            with(values).may(any_not()),
            in_any_not,
            "any not {values:?}"
        );
    }
}

#[test]
fn a_trust_policy_is_about_its_own_role() {
    let trust = |principal: Value| {
        let statement =
            json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal});
        document(statement, PolicyKind::Trust)
    };
    let role = "arn:aws:iam::111111111111:role/r";
    let ask = Ask {
        action: "sts:AssumeRole",
        resource: role,
        ..user()
    };
    let named = trust(json!({"AWS": "arn:aws:iam::111111111111:user/team/bob"}));
    assert_eq!(ask.decide(&[], &[], Some(&named)), Decision::Allowed);
    let root = trust(json!({"AWS": "111111111111"}));
    assert_eq!(ask.decide(&[], &[], Some(&root)), Decision::ImplicitDeny);
    assert_eq!(
        ask.decide(&[allow("sts:AssumeRole", role)], &[], Some(&root)),
        Decision::Allowed
    );
}
