//! Draws what is known of a server, down to 80 columns and 24 lines. Never asks.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row, Table};

use super::numbers::{Rates, ShardNumbers, Snapshot};

/// What is shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Screen {
    url: String,
    now: Snapshot,
    before: Option<Snapshot>,
    /// Shards above the first that is shown.
    scrolled: usize,
    /// Why the last look failed.
    pub(crate) trouble: Option<String>,
}

impl Screen {
    pub(crate) fn of(url: &str, now: Snapshot, before: Option<&Snapshot>) -> Self {
        Self {
            url: url.to_owned(),
            now,
            before: before.cloned(),
            scrolled: 0,
            trouble: None,
        }
    }

    /// Shows what was seen now.
    pub(crate) fn show(&mut self, next: Snapshot) {
        self.before = Some(std::mem::replace(&mut self.now, next));
        self.trouble = None;
    }

    /// Goes down by so many shards, or up.
    pub(crate) fn scroll(&mut self, by: isize) {
        let last = self.now.shards.len().saturating_sub(1);
        self.scrolled = self.scrolled.saturating_add_signed(by).min(last);
    }
}

/// Draws a screen.
pub(crate) fn draw(frame: &mut Frame<'_>, screen: &Screen) {
    let parts = [
        Constraint::Length(2),
        Constraint::Min(4),
        Constraint::Length(7),
    ];
    let [head, shards, foot] = Layout::vertical(parts).areas(frame.area());
    frame.render_widget(totals(screen), head);
    frame.render_widget(table(screen, shards), shards);
    let halves = [Constraint::Percentage(50), Constraint::Percentage(50)];
    let [left, right] = Layout::horizontal(halves).areas(foot);
    frame.render_widget(
        counts(" sessions by tenant ", &screen.now.tenants, left),
        left,
    );
    frame.render_widget(
        counts(" sessions ended by ", &screen.now.closes, right),
        right,
    );
}

fn totals(screen: &Screen) -> Paragraph<'_> {
    let now = &screen.now;
    let mut all = Rates::default();
    let (mut sessions, mut entities) = (0, 0);
    for shard in &now.shards {
        let rates = now.rates(shard, screen.before.as_ref());
        all.bytes_in += rates.bytes_in;
        all.bytes_out += rates.bytes_out;
        all.messages_in += rates.messages_in;
        sessions += shard.sessions;
        entities += shard.entities;
    }
    let state = match (&screen.trouble, now.draining, now.stale.is_empty()) {
        (Some(trouble), ..) => trouble.clone(),
        (None, true, _) => "draining".to_owned(),
        (None, false, false) => format!("stale shards: {:?}", now.stale),
        (None, false, true) => "all shards live".to_owned(),
    };
    let first = format!("worldshard {}  {}  {state}", screen.url, now.runtime);
    let second = format!(
        "{} connections, {sessions} sessions, {entities} entities, in {}/s ({:.0} msg/s), out {}/s",
        now.connections,
        bytes(all.bytes_in),
        all.messages_in,
        bytes(all.bytes_out),
    );
    let bold = Style::new().add_modifier(Modifier::BOLD);
    Paragraph::new(vec![Line::styled(first, bold), Line::from(second)])
}

fn table<'a>(screen: &'a Screen, area: Rect) -> Table<'a> {
    let right = |text: String| Cell::from(Text::from(text).alignment(Alignment::Right));
    let names = [
        "SHARD", "TICK/s", "P99 ms", "LAG", "SESS", "ENTITIES", "GHOSTS", "MAILBOX", "IN/s",
        "OUT/s",
    ];
    let header = Row::new(names.map(|name| right(name.to_owned())));
    // Two lines are the border, one is the header.
    let fit = usize::from(area.height.saturating_sub(3)).max(1);
    let most = screen.now.shards.len().saturating_sub(fit);
    let first = screen.scrolled.min(most);
    let shown = screen.now.shards.iter().skip(first).take(fit);
    let rows = shown.map(|shard| {
        let rates = screen.now.rates(shard, screen.before.as_ref());
        let row = Row::new(cells(shard, rates).map(right));
        match screen.now.stale.contains(&shard.shard) {
            true => row.style(Style::new().add_modifier(Modifier::REVERSED)),
            false => row,
        }
    });
    let widths = [5, 6, 7, 6, 6, 8, 7, 9, 8, 8].map(Constraint::Length);
    let range = format!(
        " shards {} to {} of {} ",
        first.min(screen.now.shards.len()) + 1,
        (first + fit).min(screen.now.shards.len()),
        screen.now.shards.len()
    );
    let help = Line::from(" q ends, arrows go through shards ").alignment(Alignment::Right);
    let block = Block::new()
        .borders(Borders::TOP | Borders::BOTTOM)
        .title(range)
        .title(help);
    Table::new(rows, widths)
        .header(header.style(Style::new().add_modifier(Modifier::BOLD)))
        .column_spacing(1)
        .block(block)
}

fn cells(shard: &ShardNumbers, rates: Rates) -> [String; 10] {
    [
        shard.shard.to_string(),
        format!("{:.1}", rates.ticks),
        format!("{:.2}", shard.step_us_p99 as f64 / 1000.0),
        shard.lag_ticks.to_string(),
        shard.sessions.to_string(),
        shard.entities.to_string(),
        shard.ghosts.to_string(),
        format!("{}/{}", shard.letters, shard.letters_max),
        bytes(rates.bytes_in),
        bytes(rates.bytes_out),
    ]
}

fn counts<'a>(title: &'a str, counts: &'a [(String, u64)], area: Rect) -> Paragraph<'a> {
    let fit = usize::from(area.height.saturating_sub(1));
    let lines = counts.iter().take(fit).map(|(name, count)| {
        let name = name.replace(char::is_control, "\u{fffd}");
        Line::from(format!("{count:>10}  {name}"))
    });
    let lines: Vec<Line<'_>> = lines.collect();
    Paragraph::new(lines).block(Block::new().borders(Borders::TOP).title(title))
}

/// A count of bytes in at most six letters.
fn bytes(count: f64) -> String {
    let units = [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    let unit = units.iter().find(|(_, size)| count >= *size);
    match unit {
        Some((name, size)) => format!("{:.1}{name}", count / size),
        None => format!("{count:.0}B"),
    }
}
