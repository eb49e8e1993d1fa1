//! `java.util`'s lists, maps and sets.

use std::rc::Rc;

use super::{index_of, same};
use crate::RenderError;
use crate::eval::Run;
use crate::heap::Members;
use crate::value::{ListId, MapId, Value};

pub fn list(
    run: &mut Run<'_>,
    list: ListId,
    name: &str,
    arguments: &[Value],
) -> Result<Value, RenderError> {
    let count = run.heap.items(list).len();
    Ok(match (name, arguments) {
        ("size" | "length", []) => Value::int(count),
        ("isEmpty", []) => Value::Bool(count == 0),
        ("get", [_]) => {
            let items = run.heap.items(list);
            index_of(arguments.first())
                .and_then(|at| items.get(at).cloned())
                .unwrap_or(Value::Null)
        }
        ("add", [item]) => {
            run.heap.items_mut(list, 1)?.push(item.clone());
            Value::Bool(true)
        }
        ("add", [_, item]) => {
            if let Some(at) = index_of(arguments.first()).filter(|at| *at <= count) {
                run.heap.step(count - at)?;
                run.heap.items_mut(list, 1)?.insert(at, item.clone());
            }
            Value::Null
        }
        ("set", [_, item]) => match index_of(arguments.first()).filter(|at| *at < count) {
            Some(at) => {
                let items = run.heap.items_mut(list, 1)?;
                std::mem::replace(&mut items[at], item.clone())
            }
            None => Value::Null,
        },
        ("addAll", [Value::List(other)]) => {
            let more = run.heap.items(*other).to_vec();
            let any = !more.is_empty();
            run.heap.items_mut(list, more.len())?.extend(more);
            Value::Bool(any)
        }
        ("remove", [Value::Int(_)]) => match index_of(arguments.first()).filter(|at| *at < count) {
            Some(at) => {
                run.heap.step(count)?;
                run.heap.items_mut(list, 0)?.remove(at)
            }
            None => Value::Null,
        },
        ("remove", [item]) => match found(run, list, item)? {
            Some(at) => {
                run.heap.items_mut(list, 0)?.remove(at);
                Value::Bool(true)
            }
            None => Value::Bool(false),
        },
        ("clear", []) => {
            run.heap.items_mut(list, 0)?.clear();
            Value::Null
        }
        ("contains", [item]) => Value::Bool(found(run, list, item)?.is_some()),
        ("containsAll", [Value::List(other)]) => {
            let others = run.heap.items(*other).to_vec();
            let mut all = true;
            for item in &others {
                all = all && found(run, list, item)?.is_some();
            }
            Value::Bool(all)
        }
        ("indexOf", [item]) => match found(run, list, item)? {
            Some(at) => Value::int(at),
            None => Value::Int(-1),
        },
        ("subList", [_, _]) => {
            let range = index_of(arguments.first()).zip(index_of(arguments.get(1)));
            let part = range.and_then(|(start, end)| run.heap.items(list).get(start..end));
            match part.map(<[Value]>::to_vec) {
                Some(part) => run.heap.list(part)?,
                None => Value::Null,
            }
        }
        // What loops go over is the list itself.
        ("iterator" | "toArray" | "stream", []) => Value::List(list),
        _ => Value::Null,
    })
}

fn found(run: &mut Run<'_>, list: ListId, item: &Value) -> Result<Option<usize>, RenderError> {
    for at in 0..run.heap.items(list).len() {
        run.heap.step(1)?;
        let Some(other) = run.heap.items(list).get(at).cloned() else {
            break;
        };
        if same(run, &other, item)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

pub fn map(
    run: &mut Run<'_>,
    map: MapId,
    name: &str,
    arguments: &[Value],
) -> Result<Value, RenderError> {
    let count = run.heap.members(map).len();
    let key: Option<Rc<str>> = match arguments.first() {
        Some(Value::Text(key)) => Some(Rc::clone(key)),
        Some(Value::Map(_)) | None => None,
        Some(other) => Some(run.heap.display(other)?.into()),
    };
    let key = key.as_ref();
    let value = |run: &Run<'_>| {
        let members = run.heap.members(map);
        key.and_then(|key| members.get(key)).cloned()
    };
    Ok(match (name, arguments) {
        ("size", []) => Value::int(count),
        ("isEmpty", []) => Value::Bool(count == 0),
        ("get", [_]) => value(run).unwrap_or(Value::Null),
        ("getOrDefault", [_, otherwise]) => value(run).unwrap_or_else(|| otherwise.clone()),
        ("containsKey", [_]) => Value::Bool(value(run).is_some()),
        ("containsValue", [sought]) => {
            let values = values(run, map)?;
            let mut any = false;
            for value in &values {
                any = any || same(run, value, sought)?;
            }
            Value::Bool(any)
        }
        ("put" | "putIfAbsent", [_, new]) => {
            let before = value(run);
            if let Some(key) = key.filter(|_| name == "put" || before.is_none()) {
                let members = run.heap.members_mut(map, 1)?;
                members.insert(Rc::clone(key), new.clone());
            }
            before.unwrap_or(Value::Null)
        }
        ("putAll", [Value::Map(other)]) => {
            let more = run.heap.members(*other).clone();
            run.heap.members_mut(map, more.len())?.extend(more);
            Value::Null
        }
        ("remove", [_]) => {
            run.heap.step(count)?;
            let members = run.heap.members_mut(map, 0)?;
            let removed = key.and_then(|key| members.shift_remove(key));
            removed.unwrap_or(Value::Null)
        }
        ("clear", []) => {
            *run.heap.members_mut(map, 0)? = Members::new();
            Value::Null
        }
        ("keySet" | "keys", []) => {
            run.heap.hold(count * 16)?;
            let keys = run.heap.members(map).keys();
            let keys = keys.map(|key| Value::Text(Rc::clone(key))).collect();
            run.heap.list(keys)?
        }
        ("values", []) => {
            let values = values(run, map)?;
            run.heap.list(values)?
        }
        ("entrySet", []) => {
            run.heap.hold(count * 64)?;
            let entries = run.heap.members(map).iter();
            let entries = entries
                .map(|(key, value)| Value::Entry(Rc::new((Rc::clone(key), value.clone()))))
                .collect();
            run.heap.list(entries)?
        }
        _ => Value::Null,
    })
}

fn values(run: &mut Run<'_>, map: MapId) -> Result<Vec<Value>, RenderError> {
    let values: Vec<_> = run.heap.members(map).values().cloned().collect();
    run.heap.hold(values.len() * 16)?;
    Ok(values)
}
