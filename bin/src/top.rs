//! `worldshard top`: a server that runs, second by second, in a terminal. Asks its listener of operators, and changes nothing.

mod numbers;
mod view;

#[cfg(test)]
mod tests;

use std::io::IsTerminal as _;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use clap::Args;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use worldshard::runtime::since_1970;

use crate::failure::{Failure, say};
use crate::operators::{OperatorArgs, Operators};
use numbers::Snapshot;
use view::Screen;

#[derive(Args, Debug)]
pub(crate) struct TopArgs {
    #[command(flatten)]
    pub(crate) server: OperatorArgs,

    /// Print one frame of 80 columns and end: for pipes
    #[arg(long)]
    pub(crate) once: bool,
}

/// Watches until told to end.
pub(crate) fn run(args: &TopArgs) -> Result<(), Failure> {
    let server = Operators::new(&args.server)?;
    let first = look(&server)?;
    if args.once {
        // Rates need two looks.
        std::thread::park_timeout(EVERY);
        let screen = Screen::of(&args.server.url, look(&server)?, Some(&first));
        return say(&plain(&screen));
    }
    if !std::io::stdout().is_terminal() {
        return Err(Failure::usage(
            "stdout is no terminal; --once prints one frame",
        ));
    }
    let mut terminal = ratatui::init();
    let watched = watch(
        &mut terminal,
        server,
        Screen::of(&args.server.url, first, None),
    );
    ratatui::restore();
    watched
}

/// Draws and hears the keyboard, and never waits for the server: that is for a thread beside.
fn watch(
    terminal: &mut ratatui::DefaultTerminal,
    server: Operators,
    mut screen: Screen,
) -> Result<(), Failure> {
    let (ask, asked) = sync_channel(1);
    let (tell, told) = sync_channel(1);
    let look = move || {
        while let Ok(()) = asked.recv() {
            if tell.send(look(&server)).is_err() {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("looks".to_owned());
    thread.spawn(look).map_err(terminal_failed)?;
    let mut due = since_1970() + EVERY;
    let mut waits_since: Option<Duration> = None;
    loop {
        terminal
            .draw(|frame| view::draw(frame, &screen))
            .map_err(terminal_failed)?;
        if event::poll(GLANCE).map_err(terminal_failed)?
            && let Event::Key(key) = event::read().map_err(terminal_failed)?
            && key.kind != KeyEventKind::Release
            && ends(key, &mut screen)
        {
            return Ok(());
        }
        let now = since_1970();
        if let Ok(seen) = told.try_recv() {
            waits_since = None;
            match seen {
                Ok(next) => screen.show(next),
                Err(failure) => screen.trouble = Some(failure.to_string()),
            }
        }
        match waits_since.map(|since| now.saturating_sub(since)) {
            Some(waited) if waited > EVERY => {
                screen.trouble = Some(format!("no answer for {} s", waited.as_secs()));
            }
            Some(_) => {}
            None if now >= due => {
                due = now + EVERY;
                // It has answered, so it waits for this.
                let _ = ask.try_send(());
                waits_since = Some(now);
            }
            None => {}
        }
    }
}

/// Does what a key is for; whether it is for the end.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a keyboard has many keys, and these are all that mean anything here"
)]
fn ends(key: KeyEvent, screen: &mut Screen) -> bool {
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => return true,
        KeyCode::Char('c') => return key.modifiers.contains(KeyModifiers::CONTROL),
        KeyCode::Down => screen.scroll(1),
        KeyCode::Up => screen.scroll(-1),
        KeyCode::PageDown => screen.scroll(10),
        KeyCode::PageUp => screen.scroll(-10),
        _ => {}
    }
    false
}

fn look(server: &Operators) -> Result<Snapshot, Failure> {
    let status = server.ask_json("GET", "/v1/status")?;
    Ok(Snapshot::of(&status, since_1970()))
}

/// One frame as text.
fn plain(screen: &Screen) -> String {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(80, 24));
    let Ok(_) = terminal.draw(|frame| view::draw(frame, screen));
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let row = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol());
        text.push_str(row.collect::<String>().trim_end());
        text.push('\n');
    }
    text
}

fn terminal_failed(error: std::io::Error) -> Failure {
    Failure::runtime(format!("the terminal: {error}"))
}

/// For which the keyboard is waited for before it is looked whether the server has answered.
const GLANCE: Duration = Duration::from_millis(100);

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);

pub(crate) const EXAMPLES: &str = "\
Examples:
  worldshard top --token-file admin.token
  worldshard top --token-file admin.token --once    one frame, for a pipe

Keys: q ends, the arrows go through the shards.";
