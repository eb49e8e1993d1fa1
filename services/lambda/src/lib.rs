//! AWS Lambda.
