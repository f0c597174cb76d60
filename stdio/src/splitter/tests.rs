use super::*;

fn lines(bytes_max: usize, parts: &[&str]) -> Vec<String> {
    let mut splitter = Splitter::new(bytes_max);
    let mut lines = Vec::new();
    for part in parts {
        splitter.take(part.as_bytes(), |line| {
            let (mark, line) = match line {
                Line::Whole(line) => ("", line),
                Line::TooLong(line) => ("too long: ", line),
            };
            lines.push(format!("{mark}{}", String::from_utf8_lossy(line)));
        });
    }
    lines
}

#[test]
fn lines_are_the_same_however_they_come_in_parts() {
    let text = "one\n\ntwo\r\n\r\nthree three\nrest";
    let expected = ["one", "two", "three three"];
    assert_eq!(lines(100, &[text]), expected);
    for at in 0..=text.len() {
        let (first, second) = text.split_at(at);
        assert_eq!(lines(100, &[first, second]), expected, "cut at {at}");
    }
    let bytes: Vec<&str> = text.split("").collect();
    assert_eq!(lines(100, &bytes), expected);
}

#[test]
fn a_line_that_is_too_long_is_passed_over_and_the_next_one_is_not() {
    let parts = ["1234\n12345\n", "12", "345", "6789\n", "ok\n"];
    let expected = ["1234", "too long: 1234", "too long: 1234", "ok"];
    assert_eq!(lines(4, &parts), expected);
}
