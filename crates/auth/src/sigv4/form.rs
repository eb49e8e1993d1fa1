//! The signature of a form that a browser posts: over its policy alone.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-authentication-HTTPPOST.html>

use super::key::SigningKey;
use super::scope::parse_credential;
use super::{ALGORITHM, Scope};
use crate::{AuthError, Mechanism, constant_time_eq, sigv2};

/// A form's signature, not yet verified.
#[derive(Clone, Debug)]
pub struct SignedForm {
    pub access_key_id: String,
    /// None of Signature Version 2, which names none.
    pub scope: Option<Scope>,
    /// In hexadecimal; of version 2, in base64.
    signature: String,
}

impl SignedForm {
    /// Of a form's fields.
    ///
    /// # Errors
    /// When it is of another algorithm, or the credential cannot be read.
    pub fn parse(algorithm: &str, credential: &str, signature: &str) -> Result<Self, AuthError> {
        if algorithm != ALGORITHM {
            return Err(AuthError::UnknownScheme {
                header: algorithm.to_owned(),
            });
        }
        let (access_key_id, scope) = parse_credential(credential, Mechanism::Query)?;
        Ok(Self {
            access_key_id,
            scope: Some(scope),
            signature: signature.to_owned(),
        })
    }

    /// Of Signature Version 2, which boto3 still makes for the older regions.
    pub fn version_2(access_key_id: &str, signature: &str) -> Self {
        Self {
            access_key_id: access_key_id.to_owned(),
            scope: None,
            signature: signature.to_owned(),
        }
    }

    /// Whether the policy, in base64 as it was sent, was signed with this secret.
    pub fn is_of(&self, policy: &str, secret: &str) -> bool {
        let expected = match &self.scope {
            Some(scope) => sign_policy(policy, secret, scope),
            None => sigv2::sign_policy(policy, secret),
        };
        constant_time_eq(expected.as_bytes(), self.signature.as_bytes())
    }
}

/// The signature of a policy in base64, in hexadecimal.
pub fn sign_policy(policy: &str, secret: &str, scope: &Scope) -> String {
    hex::encode(SigningKey::derive(secret, scope).sign(policy))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of AWS's page on browser-based uploads.
    #[test]
    fn the_documented_example() {
        let policy = concat!(
            "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9ucyI6IFs",
            "NCiAgICB7ImJ1Y2tldCI6ICJzaWd2NGV4YW1wbGVidWNrZXQifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIi",
            "RrZXkiLCAidXNlci91c2VyMS8iXSwNCiAgICB7ImFjbCI6ICJwdWJsaWMtcmVhZCJ9LA0KICAgIHsic3VjY",
            "2Vzc19hY3Rpb25fcmVkaXJlY3QiOiAiaHR0cDovL3NpZ3Y0ZXhhbXBsZWJ1Y2tldC5zMy5hbWF6b25hd3Mu",
            "Y29tL3N1Y2Nlc3NmdWxfdXBsb2FkLmh0bWwifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR",
            "5cGUiLCAiaW1hZ2UvIl0sDQogICAgeyJ4LWFtei1tZXRhLXV1aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwNCi",
            "AgICB7IngtYW16LXNlcnZlci1zaWRlLWVuY3J5cHRpb24iOiAiQUVTMjU2In0sDQogICAgWyJzdGFydHMtd",
            "2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAiIl0sDQoNCiAgICB7IngtYW16LWNyZWRlbnRpYWwiOiAiQUtJ",
            "QUlPU0ZPRE5ON0VYQU1QTEUvMjAxNTEyMjkvdXMtZWFzdC0xL3MzL2F3czRfcmVxdWVzdCJ9LA0KICAgIHs",
            "ieC1hbXotYWxnb3JpdGhtIjogIkFXUzQtSE1BQy1TSEEyNTYifSwNCiAgICB7IngtYW16LWRhdGUiOiAiMj",
            "AxNTEyMjlUMDAwMDAwWiIgfQ0KICBdDQp9",
        );
        let form = SignedForm::parse(
            "AWS4-HMAC-SHA256",
            "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request",
            "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e",
        )
        .unwrap();
        assert_eq!(form.access_key_id, "AKIAIOSFODNN7EXAMPLE");
        assert!(form.is_of(policy, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"));
        assert!(!form.is_of(policy, "another"));
        let older = SignedForm::version_2("AKIA", &sigv2::sign_policy(policy, "secret"));
        assert!(older.is_of(policy, "secret") && !older.is_of(policy, "another"));
        assert!(!form.is_of("", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"));
    }
}
