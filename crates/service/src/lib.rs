//! The contract between the gateway and a service.
