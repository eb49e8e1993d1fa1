//! Kernel isolation for one process tree: namespaces, cgroups, seccomp, landlock, mounts.
