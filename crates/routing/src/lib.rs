//! Carries events to functions: async queue, pollers, retries.
