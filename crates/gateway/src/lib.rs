//! One port: listen, route, authenticate, authorize, dispatch, encode, log.
