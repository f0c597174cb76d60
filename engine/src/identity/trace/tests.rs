//! Which `traceparent` names a trace.

use worldshard_transport::parse_head;

use super::*;

fn traced(lines: &str) -> Option<String> {
    let head = format!("GET /ws HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
    let (head, _) = parse_head(head.as_bytes()).unwrap().unwrap();
    TraceId::of(&head).map(|trace| trace.to_string())
}

#[test]
fn a_well_formed_traceparent_names_the_trace() {
    let trace = "0af7651916cd43dd8448eb211c80319c";
    for line in [
        format!("00-{trace}-b7ad6b7169203331-01"),
        format!("01-{trace}-b7ad6b7169203331-00-and-more"),
    ] {
        let header = format!("traceparent: {line}\r\n");
        assert_eq!(traced(&header).as_deref(), Some(trace), "{line}");
    }
}

#[test]
fn any_other_names_none() {
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let zeros = "0".repeat(32);
    for line in [
        String::new(),
        trace.to_owned(),
        format!("ff-{trace}-b7ad6b7169203331-01"),
        format!("00-{trace}-b7ad6b7169203331-01-more"),
        format!("00-{trace}-b7ad6b7169203331"),
        format!("00-{trace}-0000000000000000-01"),
        format!("00-{zeros}-b7ad6b7169203331-01"),
        format!("00-{}-b7ad6b7169203331-01", trace.to_uppercase()),
        format!("00-{}-b7ad6b7169203331-01", &trace[1..]),
    ] {
        assert_eq!(traced(&format!("traceparent: {line}\r\n")), None, "{line}");
    }
    let one = format!("traceparent: 00-{trace}-b7ad6b7169203331-01\r\n");
    assert_eq!(traced(&one.repeat(2)), None, "two");
    assert_eq!(traced(""), None);
}
