//! What a template says.

use std::sync::Arc;

/// A sequence of nodes, shared with what `#define` and `#macro` make of it.
pub type Block = Arc<[Node]>;

#[derive(Debug)]
pub enum Node {
    Text(String),
    /// With the backslashes before it.
    Reference {
        reference: Reference,
        backslashes: usize,
    },
    Set {
        target: Reference,
        value: Expression,
    },
    If {
        branches: Vec<(Expression, Block)>,
        otherwise: Option<Block>,
    },
    Foreach {
        variable: String,
        over: Expression,
        body: Block,
    },
    Define {
        variable: String,
        body: Block,
    },
    Macro(Arc<Macro>),
    /// A call of a macro if there is one of that name, and text if not.
    Call {
        name: String,
        arguments: Vec<Expression>,
        source: String,
    },
    Evaluate(Expression),
    Break,
    Stop,
}

#[derive(Debug)]
pub struct Macro {
    pub name: String,
    pub parameters: Vec<String>,
    pub body: Block,
}

/// `$!{name.step.step(…)[…]}`.
#[derive(Debug)]
pub struct Reference {
    pub name: String,
    pub steps: Vec<Step>,
    /// Writes nothing, and not its source, where it has no value.
    pub silent: bool,
    /// As written.
    pub source: String,
}

#[derive(Debug)]
pub enum Step {
    Property(String),
    Call(String, Vec<Expression>),
    Index(Expression),
}

#[derive(Debug)]
pub enum Expression {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Arc<str>),
    /// A text in double quotes with references or directives in it.
    Interpolated(Block),
    Reference(Box<Reference>),
    List(Vec<Expression>),
    Range(Box<Expression>, Box<Expression>),
    Map(Vec<(Expression, Expression)>),
    Not(Box<Expression>),
    Negative(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}
