//! A strict reader of Prometheus' text format 0.0.4: whatever the format does not allow fails the test.

use std::collections::{BTreeMap, BTreeSet};

/// A scrape that was read.
#[derive(Debug, Default)]
pub(crate) struct Scrape {
    /// The kind of each metric, by its name.
    pub(crate) kinds: BTreeMap<String, String>,
    /// The value of each series: the name of its sample and its labels, in order.
    pub(crate) series: BTreeMap<(String, Labels), f64>,
}

pub(crate) type Labels = BTreeMap<String, String>;

impl Scrape {
    /// Reads a whole answer.
    ///
    /// # Panics
    /// Where it is not as the format demands.
    pub(crate) fn read(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line has no end");
        let mut scrape = Self::default();
        let mut family = String::new();
        let mut helped = BTreeSet::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect("a help has words");
                assert!(is_name(name) && !help.is_empty(), "{line}");
                assert!(helped.insert(name.to_owned()), "two helps: {line}");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a type has a kind");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert!(helped.contains(name), "no help before {line}");
                let before = scrape.kinds.insert(name.to_owned(), kind.to_owned());
                assert!(before.is_none(), "two families: {line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                family = name.to_owned();
            } else {
                let (name, labels, value) = sample(line);
                let kind = &scrape.kinds[&family];
                let suffixes: &[&str] = match kind.as_str() {
                    "histogram" => &["_bucket", "_sum", "_count"],
                    _ => &[""],
                };
                let own = suffixes.iter().any(|end| name == format!("{family}{end}"));
                assert!(own, "a sample outside of its family {family}: {line}");
                assert!(kind == "gauge" || value >= 0.0, "{line}");
                let before = scrape.series.insert((name, labels), value);
                assert!(before.is_none(), "a series twice: {line}");
            }
        }
        scrape.check_histograms();
        scrape
    }

    /// The value of a series without labels but these.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels = labels.iter().map(|(key, is)| ((*key).into(), (*is).into()));
        let key = (name.to_owned(), labels.collect());
        let value = self.series.get(&key);
        *value.unwrap_or_else(|| panic!("no series {key:?}"))
    }

    /// All series of a name together.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        let of_name = self.series.iter().filter(|((of, _), _)| of == name);
        of_name.map(|(_, value)| value).sum()
    }

    /// All series of a name that have this label, together.
    pub(crate) fn sum_of(&self, name: &str, label: &str, is: &str) -> f64 {
        let wanted = |(of, labels): &(String, Labels)| {
            of == name && labels.get(label).is_some_and(|value| value == is)
        };
        let found = self.series.iter().filter(|(key, _)| wanted(key));
        found.map(|(_, value)| value).sum()
    }

    fn check_histograms(&self) {
        for (name, _) in self.kinds.iter().filter(|(_, kind)| *kind == "histogram") {
            let bucket = format!("{name}_bucket");
            let mut by_series: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
            for ((of, labels), value) in &self.series {
                if *of == bucket {
                    let mut labels = labels.clone();
                    let bound = labels.remove("le").expect("a bucket has a bound");
                    by_series
                        .entry(labels)
                        .or_default()
                        .push((number(&bound), *value));
                }
            }
            for (labels, mut buckets) in by_series {
                buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
                assert!(
                    buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1),
                    "{name}"
                );
                let (last, count) = buckets[buckets.len() - 1];
                assert!(last.is_infinite(), "{name} has no +Inf");
                let key = |end: &str| (format!("{name}{end}"), labels.clone());
                assert_eq!(self.series[&key("_count")], count, "{name}");
                assert!(self.series.contains_key(&key("_sum")), "{name}");
            }
        }
    }
}

/// One line: its name, its labels and its value.
fn sample(line: &str) -> (String, Labels, f64) {
    let (series, value) = line.rsplit_once(' ').expect("a sample has a value");
    let Some((name, rest)) = series.split_once('{') else {
        assert!(is_name(series), "{line}");
        return (series.to_owned(), Labels::new(), number(value));
    };
    assert!(is_name(name), "{line}");
    let mut rest = rest.strip_suffix('}').expect("labels have an end");
    let mut labels = Labels::new();
    while !rest.is_empty() {
        let (key, after) = rest
            .split_once("=\"")
            .expect("a label has a value in quotes");
        assert!(is_name(key) && !key.contains(':'), "{line}");
        let (is, after) = quoted(after, line);
        assert!(labels.insert(key.to_owned(), is).is_none(), "{line}");
        rest = match after.strip_prefix(',') {
            Some(more) if !more.is_empty() => more,
            Some(_) => panic!("a comma at the end: {line}"),
            None => {
                assert!(after.is_empty(), "{line}");
                after
            }
        };
    }
    (name.to_owned(), labels, number(value))
}

/// Reads up to the quote that ends a value; what stands behind it.
fn quoted<'a>(text: &'a str, line: &str) -> (String, &'a str) {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &text[at + 1..]),
            '\\' => match letters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, escaped @ ('\\' | '"'))) => value.push(escaped),
                other => panic!("an escape that is none, {other:?}: {line}"),
            },
            other => value.push(other),
        }
    }
    panic!("a value without an end: {line}");
}

fn number(text: &str) -> f64 {
    match text {
        "+Inf" => f64::INFINITY,
        _ => {
            let number: f64 = text.parse().unwrap_or_else(|_| panic!("no number: {text}"));
            assert!(number.is_finite(), "{text}");
            number
        }
    }
}

fn is_name(name: &str) -> bool {
    let mut letters = name.chars();
    let begins = |letter: char| letter.is_ascii_alphabetic() || letter == '_' || letter == ':';
    letters.next().is_some_and(begins)
        && letters.all(|letter| begins(letter) || letter.is_ascii_digit())
}
