//! AWS wire protocols: bytes to typed requests and back. Knows no service.
