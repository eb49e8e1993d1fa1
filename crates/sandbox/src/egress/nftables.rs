//! nf_tables, spoken directly: no `nft` has to be installed, and a table can be this process's own.
//!
//! The kernel removes an owned table with the socket that made it, so that nothing is left behind
//! by a server that is killed, and no other program's `flush ruleset` takes it away meanwhile.
//! <https://wiki.nftables.org/wiki-nftables/index.php/Portal:DeveloperDocs/nftables_internals>

use std::io;
use std::os::fd::OwnedFd;

use super::netlink::{Answer, Message, Netlink, text};

const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEW_TABLE: u16 = 0;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const GET_CHAIN: u16 = 4;
const NEW_RULE: u16 = 6;
const GET_RULE: u16 = 7;
const DELETE_RULE: u16 = 8;
const GET_GENERATION: u16 = 16;
const NEW_GENERATION: u16 = 15;

const NFGENMSG: usize = 4;
/// Attribute of a batch: the generation of the rules that it was made for.
const BATCH_GENERATION: u16 = 1;
/// Elements of lists, names of tables and chains, and such: the first attribute of nearly all.
const FIRST: u16 = 1;
const TABLE_FLAGS: u16 = 2;
const TABLE_OWNER: u32 = 2;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const CHAIN_POLICY: u16 = 5;
const CHAIN_TYPE: u16 = 7;
const RULE_CHAIN: u16 = 2;
const RULE_HANDLE: u16 = 3;
const RULE_EXPRESSIONS: u16 = 4;
const RULE_COMMENT: u16 = 7;

/// Where the kernel's packets meet a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hook {
    Prerouting = 0,
    Input = 1,
    Forward = 2,
    Output = 3,
    Postrouting = 4,
}

/// A chain of this or another table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    family: u8,
    pub(super) table: String,
    pub(super) name: String,
    /// Number of its hook, where it has one.
    pub(super) hook: Option<u32>,
    /// Lets nothing pass that no rule of its own accepts.
    pub(super) drops: bool,
}

/// A part of a rule.
#[derive(Debug, Clone)]
pub(super) struct Expression {
    name: &'static str,
    /// Attributes, as the expression wants them.
    fill: Vec<Attribute>,
}

#[derive(Debug, Clone)]
enum Attribute {
    Number(u16, u32),
    Byte(u16, u8),
    /// A value to compare or compute with.
    Value(u16, Vec<u8>),
    Verdict(u16, u32),
}

/// The whole of one table, to be made at once.
#[derive(Debug)]
pub(super) struct Table {
    name: String,
    messages: Vec<Message>,
}

/// A socket for the rules of one network namespace.
#[derive(Debug)]
pub(super) struct Nftables(Netlink);

impl Nftables {
    /// Of the calling thread's network namespace.
    pub(super) fn open() -> io::Result<Self> {
        Netlink::open(libc::NETLINK_NETFILTER).map(Self)
    }

    /// By a socket that was opened in another network namespace.
    pub(super) fn of(socket: OwnedFd) -> io::Result<Self> {
        Netlink::of(socket).map(Self)
    }

    /// Which state of the rules this is; changes with every change by anyone.
    pub(super) fn generation(&self) -> io::Result<u32> {
        let kind = SUBSYSTEM << 8 | GET_GENERATION;
        let message = Message::new(kind, libc::NLM_F_ACK, &header(0, 0));
        let answers = self.0.dump(message)?;
        let answer = answers
            .iter()
            .find(|answer| answer.kind == SUBSYSTEM << 8 | NEW_GENERATION);
        let id = answer.and_then(|answer| answer.attribute(NFGENMSG, FIRST));
        let id = id.and_then(|id| id.try_into().ok()).map(u32::from_be_bytes);
        id.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Every chain that IPv4 packets can meet.
    pub(super) fn chains(&self) -> io::Result<Vec<Chain>> {
        let kind = SUBSYSTEM << 8 | GET_CHAIN;
        let mut chains = Vec::new();
        for family in [libc::NFPROTO_IPV4, libc::NFPROTO_INET] {
            let message = Message::new(kind, libc::NLM_F_DUMP, &header(family as u8, 0));
            chains.extend(self.0.dump(message)?.iter().filter_map(chain_of));
        }
        Ok(chains)
    }

    /// Makes a table, unless the rules have changed since that generation: then the error is
    /// `ERESTART`.
    pub(super) fn create(&self, table: Table, generation: u32) -> io::Result<()> {
        self.transact(table.messages, Some(generation))
    }

    /// Makes a table, whatever other rules there are.
    pub(super) fn make(&self, table: Table) -> io::Result<()> {
        self.transact(table.messages, None)
    }

    /// Appends rules to tables of this socket, or of nobody.
    pub(super) fn append(&self, rules: Vec<Message>) -> io::Result<()> {
        self.transact(rules, None)
    }

    /// Removes a table of this socket.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        self.transact(vec![change(DELETE_TABLE, 0).with_text(FIRST, name)], None)
    }

    /// The handles of the rules of a chain that bear this comment.
    pub(super) fn commented(&self, chain: &Chain, comment: &str) -> io::Result<Vec<u64>> {
        let kind = SUBSYSTEM << 8 | GET_RULE;
        let message = Message::new(kind, libc::NLM_F_DUMP, &header(chain.family, 0))
            .with_text(FIRST, &chain.table)
            .with_text(RULE_CHAIN, &chain.name);
        let comment = comment_of(comment);
        let rules = self.0.dump(message)?;
        let handles = rules.iter().filter_map(|rule| {
            let attribute = |kind| rule.attribute(NFGENMSG, kind);
            // The answer may hold more than was asked for.
            let is_wanted = attribute(FIRST).map(text) == Some(&chain.table)
                && attribute(RULE_CHAIN).map(text) == Some(&chain.name)
                && attribute(RULE_COMMENT) == Some(&comment);
            let handle = attribute(RULE_HANDLE)?.try_into().ok();
            handle.filter(|_| is_wanted).map(u64::from_be_bytes)
        });
        Ok(handles.collect())
    }

    /// Puts a rule in front of a chain that is not ours.
    pub(super) fn insert(
        &self,
        chain: &Chain,
        comment: &str,
        expressions: &[Expression],
    ) -> io::Result<()> {
        let message = change_in(chain.family, NEW_RULE, libc::NLM_F_CREATE);
        let rule = written(message, &chain.table, &chain.name, expressions);
        let rule = rule.with(RULE_COMMENT, &comment_of(comment));
        self.transact(vec![rule], None)
    }

    /// Removes a rule from a chain that is not ours.
    pub(super) fn delete(&self, chain: &Chain, handle: u64) -> io::Result<()> {
        let message = change_in(chain.family, DELETE_RULE, 0)
            .with_text(FIRST, &chain.table)
            .with_text(RULE_CHAIN, &chain.name)
            .with(RULE_HANDLE, &handle.to_be_bytes());
        self.transact(vec![message], None)
    }

    fn transact(&self, changes: Vec<Message>, generation: Option<u32>) -> io::Result<()> {
        // The first is acknowledged as well, since it carries the generation.
        let mut begin = Message::new(BATCH_BEGIN, 0, &header(0, SUBSYSTEM));
        if let Some(generation) = generation {
            begin = begin.with_be32(BATCH_GENERATION, generation);
        }
        let mut batch = vec![begin];
        batch.extend(changes);
        batch.push(Message::new(BATCH_END, 0, &header(0, SUBSYSTEM)));
        self.0.batch(batch)
    }
}

impl Table {
    /// A table of IPv4, owned by the socket that makes it.
    pub(super) fn new(name: &str) -> Self {
        Self::flagged(name, TABLE_OWNER)
    }

    /// A table of IPv4 that stays as long as its network namespace.
    pub(super) fn lasting(name: &str) -> Self {
        Self::flagged(name, 0)
    }

    fn flagged(name: &str, flags: u32) -> Self {
        let table = change(NEW_TABLE, libc::NLM_F_CREATE | libc::NLM_F_EXCL)
            .with_text(FIRST, name)
            .with_be32(TABLE_FLAGS, flags);
        Self {
            name: name.to_owned(),
            messages: vec![table],
        }
    }

    /// A chain that no packet meets, for its name's sake.
    pub(super) fn note(&mut self, name: &str) {
        self.messages.push(self.chain(name));
    }

    /// A chain at a hook; what it does not refuse goes on.
    pub(super) fn hook(&mut self, name: &str, kind: &str, hook: Hook, priority: i32) {
        let chain = self
            .chain(name)
            .nest(CHAIN_HOOK, |at| {
                at.with_be32(1, hook as u32)
                    .with_be32(2, priority.cast_unsigned())
            })
            .with_be32(CHAIN_POLICY, libc::NF_ACCEPT as u32)
            .with_text(CHAIN_TYPE, kind);
        self.messages.push(chain);
    }

    pub(super) fn rule(&mut self, chain: &str, expressions: &[Expression]) {
        self.messages.push(rule(&self.name, chain, expressions));
    }

    fn chain(&self, name: &str) -> Message {
        change(NEW_CHAIN, libc::NLM_F_CREATE)
            .with_text(FIRST, &self.name)
            .with_text(CHAIN_NAME, name)
    }
}

/// A rule at the end of a chain.
pub(super) fn rule(table: &str, chain: &str, expressions: &[Expression]) -> Message {
    let message = change(NEW_RULE, libc::NLM_F_CREATE | libc::NLM_F_APPEND);
    written(message, table, chain, expressions)
}

fn written(message: Message, table: &str, chain: &str, expressions: &[Expression]) -> Message {
    message
        .with_text(FIRST, table)
        .with_text(RULE_CHAIN, chain)
        .nest(RULE_EXPRESSIONS, |list| {
            expressions.iter().fold(list, |list, expression| {
                list.nest(FIRST, |element| expression.write(element))
            })
        })
}

impl Expression {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            fill: Vec::new(),
        }
    }

    pub(super) fn number(mut self, kind: u16, number: u32) -> Self {
        self.fill.push(Attribute::Number(kind, number));
        self
    }

    pub(super) fn byte(mut self, kind: u16, byte: u8) -> Self {
        self.fill.push(Attribute::Byte(kind, byte));
        self
    }

    pub(super) fn value(mut self, kind: u16, value: &[u8]) -> Self {
        self.fill.push(Attribute::Value(kind, value.to_vec()));
        self
    }

    pub(super) fn verdict(mut self, kind: u16, verdict: i32) -> Self {
        let verdict = verdict.cast_unsigned();
        self.fill.push(Attribute::Verdict(kind, verdict));
        self
    }

    fn write(&self, element: Message) -> Message {
        element.with_text(FIRST, self.name).nest(2, |filled| {
            self.fill
                .iter()
                .fold(filled, |filled, attribute| match attribute {
                    Attribute::Number(kind, number) => filled.with_be32(*kind, *number),
                    Attribute::Byte(kind, byte) => filled.with(*kind, &[*byte]),
                    Attribute::Value(kind, value) => {
                        filled.nest(*kind, |one| one.with(FIRST, value))
                    }
                    Attribute::Verdict(kind, code) => filled.nest(*kind, |one| {
                        one.nest(2, |verdict| verdict.with_be32(FIRST, *code))
                    }),
                })
        })
    }
}

/// A change of the rules for IPv4.
fn change(kind: u16, flags: i32) -> Message {
    change_in(libc::NFPROTO_IPV4 as u8, kind, flags)
}

fn change_in(family: u8, kind: u16, flags: i32) -> Message {
    let header = header(family, 0);
    Message::new(SUBSYSTEM << 8 | kind, flags | libc::NLM_F_ACK, &header)
}

/// A comment as `nft` writes and shows it: its kind, its length, its text.
fn comment_of(comment: &str) -> Vec<u8> {
    let mut bytes = vec![0, comment.len() as u8 + 1];
    bytes.extend_from_slice(comment.as_bytes());
    bytes.push(0);
    bytes
}

/// `struct nfgenmsg`.
fn header(family: u8, resource: u16) -> [u8; NFGENMSG] {
    let [high, low] = resource.to_be_bytes();
    [family, 0, high, low]
}

fn chain_of(answer: &Answer) -> Option<Chain> {
    let attribute = |kind| answer.attribute(NFGENMSG, kind);
    let number = |value: &[u8]| value.try_into().ok().map(u32::from_be_bytes);
    let hook = attribute(CHAIN_HOOK)
        .into_iter()
        .flat_map(super::netlink::attributes)
        .find_map(|(kind, value)| (kind == 1).then(|| number(value)))
        .flatten();
    let policy = attribute(CHAIN_POLICY).and_then(number);
    Some(Chain {
        family: *answer.body.first()?,
        table: text(attribute(FIRST)?).to_owned(),
        name: text(attribute(CHAIN_NAME)?).to_owned(),
        hook,
        drops: policy == Some(libc::NF_DROP as u32),
    })
}
