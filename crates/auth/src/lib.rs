//! Who is calling and may they: SigV4, credentials, policy evaluation.
