//! The paths that each resource can be changed at.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html>

use super::patch::Kind::{Bool, Float, Int, Item, Text, Whole};
use super::patch::{Rule, fixed, free};

pub const ACCOUNT: &[Rule] = &[fixed("/cloudwatchRoleArn", Text)];

pub const API_KEY: &[Rule] = &[
    fixed("/customerId", Text),
    fixed("/description", Text),
    fixed("/enabled", Bool),
    fixed("/name", Text),
    Rule {
        member: Some("stageKeys"),
        ..free("/stages/{}", Item)
    },
];

pub const AUTHORIZER: &[Rule] = &[
    fixed("/authType", Text),
    free("/authorizerCredentials", Text),
    fixed("/authorizerResultTtlInSeconds", Int),
    fixed("/authorizerUri", Text),
    fixed("/identitySource", Text),
    free("/identityValidationExpression", Text),
    fixed("/name", Text),
    free("/providerARNs/{}", Item),
    fixed("/type", Text),
];

pub const BASE_PATH_MAPPING: &[Rule] = &[
    fixed("/basePath", Text),
    Rule {
        member: Some("restApiId"),
        ..fixed("/restapiId", Text)
    },
    Rule {
        member: Some("restApiId"),
        ..fixed("/restApiId", Text)
    },
    free("/stage", Text),
];

pub const DEPLOYMENT: &[Rule] = &[fixed("/description", Text)];
pub const DOCUMENTATION_PART: &[Rule] = &[fixed("/properties", Text)];
pub const DOCUMENTATION_VERSION: &[Rule] = &[fixed("/description", Text)];

pub const DOMAIN_NAME: &[Rule] = &[
    fixed("/certificateArn", Text),
    fixed("/certificateName", Text),
    free("/endpointConfiguration/types/{}", Item),
    fixed("/ownershipVerificationCertificateArn", Text),
    fixed("/policy", Text),
    fixed("/regionalCertificateArn", Text),
    fixed("/regionalCertificateName", Text),
    fixed("/securityPolicy", Text),
];

pub const GATEWAY_RESPONSE: &[Rule] = &[
    free("/responseParameters/{}", Text),
    free("/responseTemplates/{}", Text),
    free("/statusCode", Text),
];

pub const INTEGRATION: &[Rule] = &[
    free("/cacheKeyParameters/{}", Item),
    fixed("/cacheNamespace", Text),
    fixed("/connectionId", Text),
    fixed("/connectionType", Text),
    free("/contentHandling", Text),
    free("/credentials", Text),
    fixed("/httpMethod", Text),
    fixed("/passthroughBehavior", Text),
    free("/requestParameters/{}", Text),
    free("/requestTemplates/{}", Text),
    fixed("/timeoutInMillis", Int),
    fixed("/tlsConfig/insecureSkipVerification", Bool),
    fixed("/type", Text),
    fixed("/uri", Text),
];

pub const INTEGRATION_RESPONSE: &[Rule] = &[
    free("/contentHandling", Text),
    free("/responseParameters/{}", Text),
    free("/responseTemplates/{}", Text),
    free("/selectionPattern", Text),
];

pub const METHOD: &[Rule] = &[
    fixed("/apiKeyRequired", Bool),
    free("/authorizationScopes/{}", Item),
    fixed("/authorizationType", Text),
    fixed("/authorizerId", Text),
    fixed("/operationName", Text),
    free("/requestModels/{}", Text),
    free("/requestParameters/{}", Bool),
    fixed("/requestValidatorId", Text),
];

pub const METHOD_RESPONSE: &[Rule] = &[
    free("/responseModels/{}", Text),
    free("/responseParameters/{}", Bool),
];

pub const MODEL: &[Rule] = &[fixed("/description", Text), fixed("/schema", Text)];

pub const REQUEST_VALIDATOR: &[Rule] = &[
    fixed("/name", Text),
    fixed("/validateRequestBody", Bool),
    fixed("/validateRequestParameters", Bool),
];

pub const RESOURCE: &[Rule] = &[fixed("/parentId", Text), fixed("/pathPart", Text)];

pub const REST_API: &[Rule] = &[
    fixed("/apiKeySource", Text),
    free("/binaryMediaTypes/{}", Item),
    fixed("/description", Text),
    fixed("/disableExecuteApiEndpoint", Bool),
    fixed("/endpointConfiguration/ipAddressType", Text),
    free("/endpointConfiguration/types/{}", Item),
    free("/endpointConfiguration/vpcEndpointIds/{}", Item),
    fixed("/minimumCompressionSize", Int),
    fixed("/name", Text),
    fixed("/policy", Text),
    fixed("/version", Text),
];

/// Beside methods' settings, which `ops::stages` reads.
pub const STAGE: &[Rule] = &[
    free("/accessLogSettings", Whole),
    fixed("/accessLogSettings/destinationArn", Text),
    fixed("/accessLogSettings/format", Text),
    fixed("/cacheClusterEnabled", Bool),
    fixed("/cacheClusterSize", Text),
    free("/canarySettings", Whole),
    free("/canarySettings/deploymentId", Text),
    free("/canarySettings/percentTraffic", Float),
    free("/canarySettings/stageVariableOverrides/{}", Text),
    free("/canarySettings/useStageCache", Bool),
    fixed("/clientCertificateId", Text),
    fixed("/deploymentId", Text),
    fixed("/description", Text),
    fixed("/documentationVersion", Text),
    fixed("/tracingEnabled", Bool),
    free("/variables/{}", Text),
];

pub const USAGE_PLAN: &[Rule] = &[
    fixed("/description", Text),
    fixed("/name", Text),
    free("/productCode", Text),
    free("/quota", Whole),
    free("/quota/limit", Int),
    free("/quota/offset", Int),
    free("/quota/period", Text),
    free("/throttle", Whole),
    free("/throttle/burstLimit", Int),
    free("/throttle/rateLimit", Float),
];

/// Of one method of a stage in a plan, after `/apiStages/{stage}/throttle/{path}/{method}`.
pub const METHOD_THROTTLE: &[Rule] = &[free("/burstLimit", Int), free("/rateLimit", Float)];
