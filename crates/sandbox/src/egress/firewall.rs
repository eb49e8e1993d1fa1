//! The host's own firewall, where it drops what it does not know: Docker's, ufw's and many others'.
//!
//! A rule of ours stands in front of such a chain and lets our devices pass. That opens nothing:
//! the chains of [`super::rules`] come earlier and have refused already what is not to pass. It
//! bears our devices' names, so that one left behind by a killed server matches nothing.

use std::io;

use super::nftables::{Chain, Expression, Hook, Nftables};
use super::rules;

/// Makes sure that our packets pass.
pub(super) fn pass(nftables: &Nftables, prefix: &str) -> io::Result<()> {
    for chain in chains(nftables, |chain| chain.drops)? {
        if !nftables.commented(&chain, &comment(prefix))?.is_empty() {
            continue;
        }
        let mut expressions = vec![rules::may_come(prefix)];
        if at(&chain, Hook::Forward) {
            expressions.push(rules::may_go(prefix));
        }
        let insert = |one: &Vec<Expression>| nftables.insert(&chain, &comment(prefix), one);
        expressions.iter().try_for_each(insert)?;
    }
    Ok(())
}

/// Takes our rules away again.
pub(super) fn forget(nftables: &Nftables, prefix: &str) -> io::Result<()> {
    // Also from those that have come to let everything pass meanwhile.
    for chain in chains(nftables, |_| true)? {
        for handle in nftables.commented(&chain, &comment(prefix))? {
            match nftables.delete(&chain, handle) {
                // Its owner has emptied the chain meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                outcome => outcome?,
            }
        }
    }
    Ok(())
}

/// Chains of others that our packets meet.
fn chains(nftables: &Nftables, wanted: impl Fn(&Chain) -> bool) -> io::Result<Vec<Chain>> {
    let mut chains = nftables.chains()?;
    chains.retain(|chain| {
        let is_met = at(chain, Hook::Input) || at(chain, Hook::Forward);
        is_met && wanted(chain) && !chain.table.starts_with(super::nat::TABLES)
    });
    Ok(chains)
}

fn at(chain: &Chain, hook: Hook) -> bool {
    chain.hook == Some(hook as u32)
}

fn comment(prefix: &str) -> String {
    format!("kagero {prefix}")
}
