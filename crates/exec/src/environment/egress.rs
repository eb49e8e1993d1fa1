//! How far a function reaches: what the server allows, or less where the function asks for less.

use crate::config::Outbound;
use crate::function::FunctionSpec;

/// The function's own variable for it: `none`, `nat` or `host`.
pub(crate) const VARIABLE: &str = "KAGERO_EGRESS";

/// What this function reaches, and what its log should say about that.
pub(super) fn outbound(allowed: Outbound, function: &FunctionSpec) -> (Outbound, Option<String>) {
    match function.environment.get(VARIABLE) {
        Some(asked) => narrowed(allowed, asked),
        None => (allowed, None),
    }
}

fn narrowed(allowed: Outbound, asked: &str) -> (Outbound, Option<String>) {
    let wanted = match asked {
        "none" => Outbound::None,
        "nat" => Outbound::Nat,
        "host" => Outbound::Host,
        "auto" => return (allowed, None),
        // Rather too little than what was meant to be prevented.
        _ => {
            let warning =
                format!("{VARIABLE}={asked:?} is none of none, nat, host and auto: taken for none");
            return (Outbound::None, Some(warning));
        }
    };
    if wanted <= allowed {
        return (wanted, None);
    }
    let warning = format!("{VARIABLE}={asked} is more than this server allows; see --egress");
    (allowed, Some(warning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_may_ask_for_less() {
        use Outbound::{Host, Nat, None as Nothing};
        for (allowed, asked, granted) in [
            (Nat, "none", Nothing),
            (Nat, "nat", Nat),
            (Nat, "auto", Nat),
            (Host, "nat", Nat),
            (Host, "host", Host),
        ] {
            assert_eq!(narrowed(allowed, asked), (granted, None));
        }
    }

    #[test]
    fn it_does_not_get_more_and_is_told_so() {
        for (allowed, asked) in [
            (Outbound::None, "nat"),
            (Outbound::None, "host"),
            (Outbound::Nat, "host"),
        ] {
            let (granted, warning) = narrowed(allowed, asked);
            assert_eq!(granted, allowed);
            assert!(warning.unwrap().contains("more than this server allows"));
        }
        let (granted, warning) = narrowed(Outbound::Host, "of");
        assert_eq!(granted, Outbound::None);
        assert!(warning.unwrap().contains("taken for none"));
    }
}
