//! Standard output, whose errors say that it is meant.

use std::io::{self, Error, Write};

pub(crate) struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stdout().write(bytes).map_err(named)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush().map_err(named)
    }
}

fn named(error: Error) -> Error {
    Error::new(error.kind(), format!("cannot write to standard output: {error}"))
}
