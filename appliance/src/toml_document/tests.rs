use super::*;

fn lines_of(mistakes: Result<(), Mistakes>) -> Vec<String> {
    mistakes.unwrap_err().0.iter().map(ToString::to_string).collect()
}

fn read(text: &str, reader: impl FnOnce(&Section<'_>)) -> Result<(), Mistakes> {
    let document = Document::read(text);
    reader(&document.root());
    document.close(Some(()))
}

#[test]
fn every_mistake_is_told_with_its_line_and_key() {
    let text = "name = 3\ncolor = \"red\"\n\n[inner]\naddress = \"nowhere\"\ncount = 9\n\n[[part]]\nlist = [\n  \"a\",\n  5,\n]\n\n[[part]]\n";
    let mistakes = read(text, |root| {
        assert_eq!(root.text("name"), None);
        assert_eq!(root.optional_text("colour"), None);
        let inner = root.section("inner").unwrap();
        assert_eq!(inner.parsed::<std::net::SocketAddr>("address"), None);
        assert_eq!(inner.integer("count", 1..=8), None);
        assert!(root.section("outer").is_none());
        for part in root.sections("part") {
            assert_eq!(part.texts("list"), None);
        }
    });
    assert_eq!(
        lines_of(mistakes),
        [
            "line 1, name: write a text in quotes, not an integer",
            "line 1, outer: is missing",
            "line 2, color: unknown key, did you mean \"colour\"?",
            "line 5, inner.address: invalid socket address syntax",
            "line 6, inner.count: write an integer from 1 to 8",
            "line 11, part[1].list: write a text in quotes, not an integer",
            "line 14, part[2].list: is missing",
        ]
    );
}

#[test]
fn broken_syntax_is_told_beside_the_mistakes_of_the_whole_lines() {
    let text = "name = \nsurprise = 1\ncount = 9\ncount = 8\n[inner\n";
    let mistakes = read(text, |root| {
        root.text("name");
        root.text("absent");
        root.integer("count", 1..=8);
        root.optional_section("inner");
    });
    let lines = lines_of(mistakes);
    for start in ["line 1: ", "line 2, surprise: unknown key", "line 3, count: ", "line 4: duplicate key", "line 5: "] {
        assert!(lines.iter().any(|line| line.starts_with(start)), "{start} in {lines:#?}");
    }
    assert!(!lines.iter().any(|line| line.contains("missing") || line.contains(", name:")), "{lines:#?}");
}

#[test]
fn what_has_no_mistake_is_read() {
    let text = "t = 'x'\ni = 0x10\nb = true\nl = [\n 'a',\n 'b']\nm = { A = '1' }\n";
    read(text, |root| {
        assert_eq!(root.text("t").as_deref(), Some("x"));
        assert_eq!(root.integer("i", 0..=16), Some(16));
        assert_eq!(root.boolean("b"), Some(true));
        let element = |line, text: &str| Element { line, text: text.to_owned() };
        assert_eq!(root.texts("l"), Some(vec![element(5, "a"), element(6, "b")]));
        assert_eq!(root.text_map("m").unwrap().get("A").map(String::as_str), Some("1"));
        assert!(root.has_table("m") && !root.has_table("t") && root.text_map("none").unwrap().is_empty());
    })
    .unwrap();
}

#[test]
fn a_long_list_is_read_in_time() {
    let text = format!("l = [\n{}]\n", "\"a\",\n".repeat(200_000));
    read(&text, |root| {
        let last = root.texts("l").unwrap().pop().unwrap();
        assert_eq!(last.line, 200_001);
    })
    .unwrap();
}
