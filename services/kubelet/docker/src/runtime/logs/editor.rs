//! From the pieces of Docker's log to what was asked for.

use bollard::container::LogOutput;
use bytes::Bytes;
use jiff::Timestamp;
use keelson_kubelet::runtime::LogOptions;

/// Standard output (or a terminal) and standard error.
const STREAMS: usize = 2;

/// Does what Docker's log does not: begins at a fraction of a second, writes one time per line, where Docker
/// writes one per piece of a long line, and recognizes what it has already delivered.
pub(super) struct Editor {
    since: Option<Timestamp>,
    timestamps: bool,
    follow: bool,
    /// Time of the first piece delivered.
    begin: Option<Timestamp>,
    streams: [Stream; STREAMS],
}

/// One of the container's outputs. Its times never go back; those of the two together may.
#[derive(Clone, Copy, Default)]
struct Stream {
    /// Whether a line is open, and kept.
    open: Option<bool>,
    /// Time of the last piece, and how many pieces bear it.
    last: Option<(Timestamp, u32)>,
    /// `last` when reading began anew: what comes up to there is a repetition.
    repeated: Option<(Timestamp, u32)>,
}

// === impl Editor ===

impl Editor {
    pub(super) fn new(options: &LogOptions) -> Self {
        Editor {
            since: options.since.filter(|since| since.subsec_nanosecond() != 0),
            timestamps: options.timestamps,
            follow: options.follow,
            begin: None,
            streams: [Stream::default(); STREAMS],
        }
    }

    /// Whether Docker has to put times in front.
    pub(super) fn reads_times(&self) -> bool {
        self.timestamps || self.follow || self.since.is_some()
    }

    /// Prepares for pieces of the past. Returns since when they are needed; `None` if nothing was delivered.
    pub(super) fn resume(&mut self) -> Option<Timestamp> {
        let begin = self.begin?;
        for stream in &mut self.streams {
            // Nothing of this stream was delivered: what is older than the first piece was not asked for.
            stream.repeated = Some(stream.last.unwrap_or((begin, 0)));
        }
        // Both streams are needed from the earlier end on; the one without an end from the beginning.
        self.streams.iter().filter_map(|stream| stream.repeated).map(|(time, _)| time).min()
    }

    /// What to deliver of a piece, if anything.
    pub(super) fn edit(&mut self, piece: LogOutput) -> Option<Bytes> {
        let (stream, message) = match piece {
            LogOutput::StdErr { message } => (1, message),
            LogOutput::StdOut { message } | LogOutput::Console { message } | LogOutput::StdIn { message } => {
                (0, message)
            }
        };
        if !self.reads_times() {
            return Some(message);
        }
        let text = message.iter().position(|byte| *byte == b' ').map_or(0, |space| space + 1);
        let time = std::str::from_utf8(&message[..text]).ok().and_then(|time| time.trim_end().parse().ok());
        let stream = &mut self.streams[stream];
        if time.is_some_and(|time| stream.repeats(time)) {
            return None;
        }
        let continued = stream.open;
        let is_late_enough = || time.zip(self.since).is_none_or(|(time, since)| time >= since);
        let kept = continued.unwrap_or_else(is_late_enough);
        stream.open = (message.last() != Some(&b'\n')).then_some(kept);
        if let Some(time) = time {
            stream.note(time);
            self.begin.get_or_insert(time);
        }
        let from = if continued.is_some() || !self.timestamps { text } else { 0 };
        kept.then(|| message.slice(from..))
    }
}

// === impl Stream ===

impl Stream {
    fn note(&mut self, time: Timestamp) {
        self.last = match self.last {
            Some((last, count)) if last == time => Some((last, count + 1)),
            _ => Some((time, 1)),
        };
    }

    fn repeats(&mut self, time: Timestamp) -> bool {
        match &mut self.repeated {
            Some((last, _)) if time < *last => true,
            Some((last, count)) if time == *last && *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(editor: &mut Editor, pieces: &[(bool, &str)]) -> String {
        let output = |(error, text): &(bool, &str)| match *error {
            true => LogOutput::StdErr { message: Bytes::copy_from_slice(text.as_bytes()) },
            false => LogOutput::StdOut { message: Bytes::copy_from_slice(text.as_bytes()) },
        };
        let pieces = pieces.iter().filter_map(|piece| editor.edit(output(piece)));
        pieces.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()).collect()
    }

    fn edited(options: LogOptions, pieces: &[(bool, &str)]) -> String {
        feed(&mut Editor::new(&options), pieces)
    }

    const TIMED: &[(bool, &str)] = &[
        (false, "2026-11-22T10:00:00.1Z early\n"),
        (false, "2026-11-22T10:00:00.6Z long "),
        (true, "2026-11-22T10:00:00.7Z error\n"),
        (false, "2026-11-22T10:00:00.8Z line\n"),
    ];

    #[test]
    fn plain_pieces_pass_untouched() {
        assert_eq!(edited(LogOptions::default(), &[(false, "a b\n"), (true, "c")]), "a b\nc");
    }

    #[test]
    fn a_long_line_has_one_time() {
        let options = LogOptions { timestamps: true, ..LogOptions::default() };
        let expected =
            "2026-11-22T10:00:00.1Z early\n2026-11-22T10:00:00.6Z long 2026-11-22T10:00:00.7Z error\nline\n";
        assert_eq!(edited(options, TIMED), expected);
    }

    #[test]
    fn fractions_of_a_second_count() {
        let since = Some("2026-11-22T10:00:00.5Z".parse().unwrap());
        assert_eq!(edited(LogOptions { since, ..LogOptions::default() }, TIMED), "long error\nline\n");
        let since = Some("2026-11-22T10:00:00.65Z".parse().unwrap());
        assert_eq!(edited(LogOptions { since, ..LogOptions::default() }, TIMED), "error\n");
    }

    const LOG: &[(bool, &str)] = &[
        (false, "2026-11-22T10:00:00.1Z a\n"),
        (true, "2026-11-22T10:00:00.3Z b\n"), // its stream overtook the other
        (false, "2026-11-22T10:00:00.2Z c\n"),
        (false, "2026-11-22T10:00:00.2Z d\n"),
        (false, "2026-11-22T10:00:00.5Z e\n"),
        (true, "2026-11-22T10:00:00.6Z f"),
    ];

    fn following() -> Editor {
        Editor::new(&LogOptions { follow: true, ..LogOptions::default() })
    }

    #[test]
    fn wherever_following_ends_the_rest_comes_once() {
        for end in 0..=LOG.len() {
            let mut editor = following();
            let followed = feed(&mut editor, &LOG[..end]);
            assert_eq!(editor.resume().is_some(), end > 0);
            let rest = feed(&mut editor, LOG);
            assert_eq!(followed + &rest, "a\nb\nc\nd\ne\nf", "after {end}");
        }
    }

    #[test]
    fn what_the_tail_left_out_stays_out() {
        let mut editor = following();
        assert_eq!(feed(&mut editor, &LOG[4..5]), "e\n");
        assert_eq!(editor.resume(), Some("2026-11-22T10:00:00.5Z".parse().unwrap()));
        assert_eq!(feed(&mut editor, LOG), "f");
    }
}
