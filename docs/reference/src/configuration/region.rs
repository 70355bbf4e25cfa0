//! Parts of a page that a program writes, between two comments.

/// The page with the region of `name` replaced; `None` where it has none.
pub(super) fn replaced(page: &str, name: &str, tables: &str) -> Option<String> {
    let begin = format!("<!-- {name}: written by `cargo run -p reference -- configuration` -->\n");
    let end = format!("<!-- end of {name} -->");
    let (before, rest) = page.split_once(&begin)?;
    let (_, behind) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{tables}{end}{behind}"))
}
