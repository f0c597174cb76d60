//! A terminal for a command: a pseudo terminal, and the picture that is drawn on it. Never judges: tests do.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, Termios, Winsize, tcgetattr, tcsetwinsize};

use crate::server::{WAIT, eventually, now};

/// A terminal with a command in it.
pub(crate) struct Terminal {
    keyboard: File,
    /// The end that the command has: its modes are asked of it, and it is there when the command has ended.
    inner: File,
    screen: Arc<Mutex<Screen>>,
    reading: Option<JoinHandle<()>>,
    child: Child,
}

/// What has been drawn.
#[derive(Default)]
struct Screen {
    cells: BTreeMap<(u16, u16), char>,
    row: u16,
    column: u16,
    /// Of a sequence that is not whole yet.
    sequence: Option<String>,
    /// Modes that were set with `h`, and reset with `l`, in order.
    modes: Vec<String>,
}

impl Screen {
    fn take(&mut self, text: &str) {
        for letter in text.chars() {
            match &mut self.sequence {
                Some(sequence) => {
                    sequence.push(letter);
                    let is_opened = sequence == "[";
                    if !is_opened && letter.is_ascii_alphabetic() {
                        let sequence = self.sequence.take().unwrap();
                        self.obey(&sequence);
                    }
                }
                None if letter == '\u{1b}' => self.sequence = Some(String::new()),
                None => {
                    self.cells.insert((self.row, self.column), letter);
                    self.column += 1;
                }
            }
        }
    }

    fn obey(&mut self, sequence: &str) {
        let last = sequence.chars().last().unwrap();
        let inner = sequence.trim_start_matches('[').trim_end_matches(last);
        match last {
            'H' => {
                let (row, column) = inner.split_once(';').unwrap_or(("1", "1"));
                self.row = row.parse().unwrap();
                self.column = column.parse().unwrap();
            }
            'J' => self.cells.clear(),
            'h' | 'l' => self.modes.push(format!("{inner}{last}")),
            _ => {}
        }
    }

    fn lines(&self) -> String {
        let mut text = String::new();
        let (mut row, mut column) = (1, 1);
        for (&(at_row, at_column), letter) in &self.cells {
            while row < at_row {
                text.push('\n');
                (row, column) = (row + 1, 1);
            }
            while column < at_column {
                text.push(' ');
                column += 1;
            }
            text.push(*letter);
            column += 1;
        }
        text
    }
}

impl Terminal {
    /// Starts a command in a terminal of so many rows and columns, which is all the terminal that it has.
    pub(crate) fn start(program: &str, args: &[&str], (rows, columns): (u16, u16)) -> Self {
        let outer = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        unlockpt(&outer).unwrap();
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let inner = File::from(ioctl_tiocgptpeer(&outer, flags).unwrap());
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&inner, size).unwrap();
        let end = || Stdio::from(inner.try_clone().unwrap());
        // The terminal of who runs the tests, if there is one, is not the command's.
        let mut command = Command::new("setsid");
        command.arg(program).args(args);
        command.stdin(end()).stdout(end()).stderr(end());
        let child = command.spawn().unwrap();
        let keyboard = File::from(outer);
        let mut shown = keyboard.try_clone().unwrap();
        let screen = Arc::new(Mutex::new(Screen::default()));
        let drawn = Arc::clone(&screen);
        let reading = std::thread::Builder::new().name("terminal".to_owned());
        let reading = reading.spawn(move || {
            let (mut buffer, mut waiting) = (vec![0; 16 * 1024], Vec::new());
            // Nobody has the other end any more: an error.
            while let Ok(len) = shown.read(&mut buffer) {
                waiting.extend_from_slice(&buffer[..len]);
                let whole = match std::str::from_utf8(&waiting) {
                    Ok(text) => text.len(),
                    Err(error) => error.valid_up_to(),
                };
                let rest = waiting.split_off(whole);
                let text = String::from_utf8(std::mem::replace(&mut waiting, rest)).unwrap();
                drawn.lock().unwrap().take(&text);
            }
        });
        Self {
            keyboard,
            inner,
            screen,
            reading: Some(reading.unwrap()),
            child,
        }
    }

    /// Presses keys, as the bytes that they are.
    pub(crate) fn press(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).unwrap();
    }

    /// The picture as it is.
    pub(crate) fn lines(&self) -> String {
        self.screen.lock().unwrap().lines()
    }

    /// Waits until something is to be read.
    pub(crate) fn shows(&self, wanted: &str) {
        let until = now() + WAIT;
        while !self.lines().contains(wanted) {
            assert!(now() < until, "no {wanted:?} in\n{}", self.lines());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// What was switched on and off.
    pub(crate) fn modes(&self) -> Vec<String> {
        self.screen.lock().unwrap().modes.clone()
    }

    /// How keys are handed on now.
    pub(crate) fn settings(&self) -> Termios {
        tcgetattr(&self.inner).unwrap()
    }

    /// Whether keys are handed on as they are pressed, and not shown.
    pub(crate) fn is_raw(&self) -> bool {
        let lines_or_echo = LocalModes::ICANON | LocalModes::ECHO;
        !self.settings().local_modes.intersects(lines_or_echo)
    }

    /// Whether the command still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the end of the command.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        eventually("the command ends", || {
            self.child.try_wait().unwrap().is_some()
        });
        self.child.wait().unwrap()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // What reads holds nothing that another test needs; it ends with the last end of the terminal.
        drop(self.reading.take());
    }
}
