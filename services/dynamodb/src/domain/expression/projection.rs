//! Projections: a list of paths that stay out of each other's way.

use super::cursor::Cursor;
use super::findings::Rank;
use crate::domain::path::Path;

pub fn parse(cursor: &mut Cursor<'_>) -> Result<Vec<Path>, String> {
    let mut paths = vec![cursor.path()?];
    while cursor.take(",") {
        paths.push(cursor.path()?);
    }
    cursor.expect_end()?;
    if let Some(clash) = Path::clash_among(&paths.iter().collect::<Vec<_>>()) {
        cursor.findings.note(Rank::Paths, clash);
    }
    Ok(paths)
}
