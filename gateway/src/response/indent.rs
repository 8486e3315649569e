//! JSON text for people: indented as it streams by, without being parsed.

/// Indents compact, valid JSON that arrives in pieces, by two spaces a level.
#[derive(Debug, Default)]
pub(crate) struct Indenter {
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// An opening bracket was the last thing written: if it closes at once, it stays on its line.
    opened: bool,
}

// === impl Indenter ===

impl Indenter {
    /// Appends the next piece.
    pub(crate) fn write(&mut self, json: &[u8], out: &mut Vec<u8>) {
        for &byte in json {
            if self.in_string {
                self.in_string = byte != b'"' || self.escaped;
                self.escaped = byte == b'\\' && !self.escaped;
                out.push(byte);
            } else {
                self.structure(byte, out);
            }
        }
    }

    fn structure(&mut self, byte: u8, out: &mut Vec<u8>) {
        let closing = matches!(byte, b'}' | b']');
        if closing {
            self.depth = self.depth.saturating_sub(1);
        }
        if self.opened != closing {
            self.line(out);
        }
        self.opened = matches!(byte, b'{' | b'[');
        self.in_string = byte == b'"';
        out.push(byte);
        match byte {
            b'{' | b'[' => self.depth += 1,
            b',' => self.line(out),
            b':' => out.push(b' '),
            _ => {}
        }
    }

    fn line(&self, out: &mut Vec<u8>) {
        out.push(b'\n');
        out.resize(out.len() + 2 * self.depth, b' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_writes_what_serde_json_writes() {
        let value = serde_json::json!({
            "a": [1, 2, {}], "b": {}, "c": [], "d": {"e": "x \"y\" {[,:]} \\"}, "f": [[], [{"g": null}]], "h": true,
        });
        let compact = value.to_string();
        for piece in [1, 3, compact.len()] {
            let (mut indenter, mut out) = (Indenter::default(), Vec::new());
            compact.as_bytes().chunks(piece).for_each(|piece| indenter.write(piece, &mut out));
            assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string_pretty(&value).unwrap());
        }
    }
}
