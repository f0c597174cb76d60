//! Checks that a text arriving in pieces is UTF-8, failing at the first byte that no continuation can mend.
//!
//! Holds the at most three bytes of a character cut by the end of a piece; never the text.

/// A text was not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotUtf8;

/// The state between two pieces of one text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Utf8Check {
    cut: [u8; 4],
    cut_len: usize,
}

impl Utf8Check {
    /// Takes the next piece.
    pub(crate) fn feed(&mut self, piece: &[u8]) -> Result<(), NotUtf8> {
        let mut rest = piece;
        while self.cut_len > 0 {
            let Some((&byte, after)) = rest.split_first() else {
                return Ok(());
            };
            rest = after;
            self.cut[self.cut_len] = byte;
            self.cut_len += 1;
            // A fourth byte always completes or breaks a character, so the array cannot overflow.
            match std::str::from_utf8(&self.cut[..self.cut_len]) {
                Ok(_) => self.cut_len = 0,
                Err(error) if error.error_len().is_some() => return Err(NotUtf8),
                Err(_) => {}
            }
        }
        match std::str::from_utf8(rest) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_some() => Err(NotUtf8),
            Err(error) => {
                let cut = &rest[error.valid_up_to()..];
                self.cut[..cut.len()].copy_from_slice(cut);
                self.cut_len = cut.len();
                Ok(())
            }
        }
    }

    /// Ends the text: a character still cut is an error.
    pub(crate) fn finish(self) -> Result<(), NotUtf8> {
        if self.cut_len == 0 {
            Ok(())
        } else {
            Err(NotUtf8)
        }
    }
}

#[cfg(test)]
mod tests;
