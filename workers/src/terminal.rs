//! What people read: tables and small charts that fit 80 columns. Results go to stdout, progress and logs
//! to stderr.

use std::{
    borrow::Cow,
    io::{self, Write as _},
    time::Duration,
};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Width that every table and chart fits.
pub const WIDTH: usize = 80;

/// Prints the one JSON document of a command.
///
/// # Errors
/// If the document cannot be written as JSON.
pub fn print_json(document: &impl Serialize) -> anyhow::Result<()> {
    print(serde_json::to_string_pretty(document)?);
    Ok(())
}

/// Prints a line for people. What colours it has are seen on terminals only, and nowhere with `NO_COLOR`.
pub fn print(line: impl std::fmt::Display) {
    end_unless(writeln!(anstream::stdout(), "{line}"));
}

/// Prints a file for programs.
pub fn print_bytes(bytes: &[u8]) {
    let mut stdout = io::stdout();
    end_unless(stdout.write_all(bytes).and_then(|()| stdout.flush()));
}

/// Ends the process quietly if nobody reads any more (`gatecast … | head`), and with an error if nothing can
/// be written.
fn end_unless(printed: io::Result<()>) {
    let Err(error) = printed else { return };
    if error.kind() == io::ErrorKind::BrokenPipe {
        std::process::exit(0);
    }
    complain(format_args!("stdout: {error}"));
    std::process::exit(1);
}

/// The last word of a command that failed, on stderr.
pub fn complain(error: impl std::fmt::Display) {
    // Where stderr is gone too there is nobody left to tell.
    let _ = writeln!(anstream::stderr(), "{} {error}", painted("error:", BAD));
}

/// What a person should know beside a result, on stderr.
pub fn remark(remark: impl std::fmt::Display) {
    let _ = writeln!(anstream::stderr(), "{} {remark}", painted("note:", Style::new().bold()));
}

/// What went well.
pub const GOOD: Style = AnsiColor::Green.on_default().bold();
/// What did not.
pub const BAD: Style = AnsiColor::Red.on_default().bold();

/// The text in a style. Only [`print()`] and [`complain`] leave it out where nobody can see it.
pub fn painted(text: &str, style: Style) -> String {
    format!("{style}{text}{style:#}")
}

/// A table: columns as wide as their cells, the last one wrapped into what is left of [`WIDTH`].
#[derive(Debug)]
pub struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new<const N: usize>(header: [&'static str; N]) -> Self {
        Self { header: header.to_vec(), rows: Vec::new() }
    }

    /// Adds a row with one cell per column.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        debug_assert_eq!(N, self.header.len(), "one cell per column");
        self.rows.push(cells.map(|cell| harmless(&cell).into_owned()).to_vec());
    }

    /// The table as lines.
    pub fn lines(&self) -> Vec<String> {
        let last = self.header.len() - 1;
        let widths: Vec<usize> = (0..last).map(|column| self.width(column)).collect();
        let used: usize = widths.iter().map(|width| width + 2).sum();
        let left = WIDTH.saturating_sub(used).max(15);
        let header: Vec<String> = self.header.iter().map(|&cell| cell.to_owned()).collect();
        let rule = "─".repeat(WIDTH.min(used + self.width(last)));
        let mut lines = vec![line(&header[..last], &widths, &header[last]), rule];
        for row in &self.rows {
            for (at, part) in wrap(&row[last], left).into_iter().enumerate() {
                let blank = vec![String::new(); last];
                let cells = if at == 0 { &row[..last] } else { &blank[..] };
                lines.push(line(cells, &widths, &part));
            }
        }
        lines
    }

    /// Prints the table.
    pub fn print(&self) {
        for (at, line) in self.lines().iter().enumerate() {
            match at {
                0 => print(painted(line, Style::new().bold())),
                _ => print(line),
            }
        }
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[column].width());
        cells.chain([self.header[column].width()]).max().unwrap_or(0)
    }
}

fn line(cells: &[String], widths: &[usize], last: &str) -> String {
    let padded = cells.iter().zip(widths).map(|(cell, width)| {
        let fill = " ".repeat(width - cell.width());
        let is_number = cell.starts_with(|c: char| c.is_ascii_digit()) && cell.parse::<f64>().is_ok();
        if is_number { format!("{fill}{cell}  ") } else { format!("{cell}{fill}  ") }
    });
    let line: String = padded.chain([last.to_owned()]).collect();
    line.trim_end().to_owned()
}

/// Breaks a text between words so that no line is wider than `width`; a longer word is cut.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let current = lines.last_mut().expect("there is always a line");
        if !current.is_empty() && current.width() + 1 + word.width() > width {
            lines.push(cut(word, width));
        } else {
            if !current.is_empty() {
                current.push(' ');
            }
            current.push_str(&cut(word, width));
        }
    }
    lines
}

/// The text, cut to a width with an ellipsis.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut used = 1; // the ellipsis
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= width
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// The text as one word of a shell's command line.
pub fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/:".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Text from outside must not steer the terminal.
fn harmless(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_control) { text.escape_debug().to_string().into() } else { text.into() }
}

/// One line of blocks, one per value, from 0 to the largest: `▁▂▃▅▇█`. Blank where there is no value.
pub fn spark(values: &[f64]) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let largest = values.iter().copied().filter(|v| v.is_finite()).fold(0.0, f64::max);
    let block = |value: &f64| {
        if !value.is_finite() {
            return ' ';
        }
        if largest <= 0.0 {
            return BLOCKS[0];
        }
        let share = (value / largest).clamp(0.0, 1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 7")]
        let step = (share * 7.0).round() as usize;
        BLOCKS[step]
    };
    values.iter().map(block).collect()
}

/// Means of neighbours, where there are more values than a chart is wide.
pub fn narrowed(values: &[f64], width: usize) -> Vec<f64> {
    let together = values.len().div_ceil(width).max(1);
    values.chunks(together).map(|chunk| chunk.iter().sum::<f64>() / chunk.len() as f64).collect()
}

/// A spinner on stderr for work over a second; shows nothing where stderr is not a terminal.
pub fn spinner(what: impl Into<Cow<'static, str>>) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// A bar on stderr for work whose end is known; shows nothing where stderr is not a terminal.
pub fn progress_bar(len: u64) -> ProgressBar {
    let bar = ProgressBar::new(len);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent:>3} % {elapsed} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_80_columns_and_wraps_its_last_one() {
        let mut table = Table::new(["series", "n", "why"]);
        table.row(["akl-1".into(), "12".into(), "a reason ".repeat(20)]);
        table.row(["akl-205-queen-street".into(), "3".into(), "short".into()]);
        let lines = table.lines();
        assert!(lines.iter().all(|line| line.width() <= WIDTH), "{lines:#?}");
        assert_eq!(lines[0], "series                n   why");
        assert!(lines[2].starts_with("akl-1                 12  a reason"), "{}", lines[2]);
        assert!(lines.last().is_some_and(|last| last.ends_with("   3  short")), "{lines:#?}");
    }

    #[test]
    fn text_from_outside_cannot_steer_the_terminal() {
        let mut table = Table::new(["id"]);
        table.row(["\u{1b}[2Jgone".into()]);
        assert_eq!(table.lines()[2], "\\u{1b}[2Jgone");
    }

    #[test]
    fn a_chart_shows_the_shape() {
        assert_eq!(spark(&[0.0, 7.0, f64::NAN, 3.5]), "▁█ ▅");
        assert_eq!(spark(&[0.0, 0.0]), "▁▁");
    }
}
