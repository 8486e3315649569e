//! Pages whose links are rewritten as they pass: attributes that hold links, and nothing else.

use super::link::Links;

/// Most bytes of a name or a link: what is longer passes as it is.
const MOST: usize = 8 * 1024;

/// The attributes that hold links, by tag: those that Kubernetes rewrites.
const LINKED: &[(&str, &[&str])] = &[
    ("a", &["href"]),
    ("applet", &["codebase"]),
    ("area", &["href"]),
    ("audio", &["src"]),
    ("base", &["href"]),
    ("blockquote", &["cite"]),
    ("body", &["background"]),
    ("button", &["formaction"]),
    ("command", &["icon"]),
    ("del", &["cite"]),
    ("embed", &["src"]),
    ("form", &["action"]),
    ("frame", &["longdesc", "src"]),
    ("head", &["profile"]),
    ("html", &["manifest"]),
    ("iframe", &["longdesc", "src"]),
    ("img", &["longdesc", "src", "usemap"]),
    ("input", &["formaction", "src", "usemap"]),
    ("ins", &["cite"]),
    ("link", &["href"]),
    ("object", &["classid", "codebase", "data", "usemap"]),
    ("q", &["cite"]),
    ("script", &["src"]),
    ("source", &["src"]),
    ("track", &["src"]),
    ("video", &["poster", "src"]),
];

/// Where in a page we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Between tags.
    Text,
    /// After `<`.
    Open,
    /// In a declaration, an instruction or a tag that ends something: up to `>`.
    Markup,
    /// In a comment: up to `-->`.
    Comment,
    /// In the name of a tag.
    Tag,
    /// Between attributes.
    Between,
    /// In the name of an attribute.
    Name,
    /// After the name of an attribute.
    Named,
    /// After its `=`.
    Assigned,
    /// In its value, which ends with this byte; without one, with white space or `>`.
    Value(Option<u8>),
    /// In a script or a style: up to its end.
    Raw,
}

/// Rewrites a page.
#[derive(Debug)]
pub(super) struct Rewriter {
    links: Links,
    at: At,
    /// The tag's name, in lower case.
    tag: Vec<u8>,
    /// The attribute's name, in lower case.
    name: Vec<u8>,
    /// The link that is read, and not written yet.
    value: Vec<u8>,
    /// The last bytes of a comment, a declaration or a script, in lower case.
    tail: Vec<u8>,
    out: Vec<u8>,
}

// === impl Rewriter ===

impl Rewriter {
    pub(super) fn new(links: Links) -> Self {
        let (tag, name, value, tail, out) = <(Vec<_>, Vec<_>, Vec<_>, Vec<_>, Vec<_>)>::default();
        Self { links, at: At::Text, tag, name, value, tail, out }
    }

    /// What a piece of the page becomes, as far as it is known by now.
    pub(super) fn rewrite(&mut self, piece: &[u8]) -> Vec<u8> {
        self.out.reserve(piece.len());
        for byte in piece {
            self.byte(*byte);
        }
        std::mem::take(&mut self.out)
    }

    /// What is left at the end.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.out.append(&mut self.value);
        self.out
    }

    fn byte(&mut self, byte: u8) {
        if let At::Value(quote) = self.at {
            return self.value(quote, byte);
        }
        self.out.push(byte);
        self.at = match (self.at, byte) {
            (At::Text, b'<') => At::Open,
            (At::Text, _) => At::Text,
            (At::Open, b'!' | b'?' | b'/') => self.begin(At::Markup, byte),
            (At::Open, byte) if byte.is_ascii_alphabetic() => {
                self.tag.clear();
                remember(&mut self.tag, byte);
                At::Tag
            }
            (At::Open, b'<') => At::Open,
            (At::Open, _) => At::Text,
            (At::Markup | At::Comment | At::Raw, _) => self.skipped(byte),
            (At::Tag | At::Between | At::Name | At::Named | At::Assigned, b'>') => self.opened(),
            (At::Tag, b'/') => At::Between,
            (At::Tag, byte) if byte.is_ascii_whitespace() => At::Between,
            (At::Tag, byte) => {
                remember(&mut self.tag, byte);
                At::Tag
            }
            (At::Between, byte) if byte.is_ascii_whitespace() || byte == b'/' => At::Between,
            (At::Between, byte) => self.named(byte),
            (At::Name, b'=') | (At::Named, b'=') => At::Assigned,
            (At::Name, b'/') | (At::Named, b'/') => At::Between,
            (At::Name, byte) if byte.is_ascii_whitespace() => At::Named,
            (At::Name, byte) => {
                remember(&mut self.name, byte);
                At::Name
            }
            (At::Named, byte) if byte.is_ascii_whitespace() => At::Named,
            (At::Named, byte) => self.named(byte),
            (At::Assigned, byte) if byte.is_ascii_whitespace() => At::Assigned,
            (At::Assigned, quote @ (b'"' | b'\'')) => At::Value(Some(quote)),
            (At::Assigned, byte) => {
                // The first byte of a value without quotes is a part of it.
                self.out.pop();
                self.value.push(byte);
                At::Value(None)
            }
            (At::Value(_), _) => self.at,
        };
    }

    fn begin(&mut self, at: At, byte: u8) -> At {
        self.tail.clear();
        self.tail.push(byte);
        at
    }

    fn named(&mut self, byte: u8) -> At {
        self.name.clear();
        remember(&mut self.name, byte);
        At::Name
    }

    /// A tag's end: what follows in a script or a style is no page.
    fn opened(&mut self) -> At {
        self.tail.clear();
        if matches!(self.tag.as_slice(), b"script" | b"style") { At::Raw } else { At::Text }
    }

    /// Inside of what has no links.
    fn skipped(&mut self, byte: u8) -> At {
        const KEPT: usize = 16;
        self.tail.push(byte.to_ascii_lowercase());
        if self.tail.len() > 2 * KEPT {
            self.tail.drain(..KEPT);
        }
        let ends = |end: &[u8]| self.tail.ends_with(end);
        match self.at {
            At::Markup if self.tail == b"!--" => At::Comment,
            At::Markup if byte == b'>' => At::Text,
            At::Comment if ends(b"-->") => At::Text,
            At::Raw if byte == b'>' && ends(&[b"</", self.tag.as_slice(), b">"].concat()) => At::Text,
            at => at,
        }
    }

    fn value(&mut self, quote: Option<u8>, byte: u8) {
        let ends = match quote {
            Some(quote) => byte == quote,
            None => byte.is_ascii_whitespace() || byte == b'>',
        };
        if !ends {
            self.value.push(byte);
            if self.value.len() > MOST {
                // No link is so long; what follows passes as it comes.
                self.out.append(&mut self.value);
                self.name.clear();
            }
            return;
        }
        let value = std::mem::take(&mut self.value);
        let link = std::str::from_utf8(&value).ok().filter(|_| self.holds_link());
        match link.and_then(|link| self.links.rewrite(link)) {
            Some(link) => self.out.extend_from_slice(link.as_bytes()),
            None => self.out.extend_from_slice(&value),
        }
        self.out.push(byte);
        self.at = if quote.is_none() && byte == b'>' { self.opened() } else { At::Between };
    }

    fn holds_link(&self) -> bool {
        let linked = LINKED.iter().find(|(tag, _)| tag.as_bytes() == self.tag);
        linked.is_some_and(|(_, names)| names.iter().any(|name| name.as_bytes() == self.name))
    }
}

/// Keeps a name, in lower case, as far as names go.
fn remember(name: &mut Vec<u8>, byte: u8) {
    if name.len() < 32 {
        name.push(byte.to_ascii_lowercase());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewriter() -> Rewriter {
        Rewriter::new(Links::new("gateway", "/base"))
    }

    fn rewritten(page: &str, piece: usize) -> String {
        let mut rewriter = rewriter();
        let mut out: Vec<u8> =
            page.as_bytes().chunks(piece).flat_map(|piece| rewriter.rewrite(piece)).collect();
        out.extend(rewriter.finish());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn links_are_rewritten_and_nothing_else() {
        let table = [
            (r#"<a href="/x">/x</a>"#, r#"<a href="/base/x">/x</a>"#),
            ("<A HREF='/x' title=/y>", "<A HREF='/base/x' title=/y>"),
            ("<img src=/x><p>", "<img src=/base/x><p>"),
            ("<img alt = a src = /x />", "<img alt = a src = /base/x />"),
            (
                r#"<a href="x"><a href="//b/c"><a href="/base/x">"#,
                r#"<a href="x"><a href="//b/c"><a href="/base/x">"#,
            ),
            (r#"<form action="/f" method=post>"#, r#"<form action="/base/f" method=post>"#),
            (r#"<!-- <a href="/x"> --><a href="/x">"#, r#"<!-- <a href="/x"> --><a href="/base/x">"#),
            (r#"<!DOCTYPE html><a href="/x">"#, r#"<!DOCTYPE html><a href="/base/x">"#),
            (
                r#"<script src="/s">if (a<b) { c = '<a href="/x">' }</script><a href="/x">"#,
                r#"<script src="/base/s">if (a<b) { c = '<a href="/x">' }</script><a href="/base/x">"#,
            ),
            (r#"<p title="<a href='/x'>">"#, r#"<p title="<a href='/x'>">"#),
            (r#"1 < 2 <a href="/x">"#, r#"1 < 2 <a href="/base/x">"#),
            (r#"<a href="https://gateway/x">"#, r#"<a href="https://gateway/base/x">"#),
            (r#"<a href="/unfinished"#, r#"<a href="/unfinished"#),
            ("<a href>", "<a href>"),
            ("", ""),
        ];
        for (page, expected) in table {
            for piece in [1, 3, 1000] {
                assert_eq!(rewritten(page, piece), expected, "{page} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn what_is_no_page_passes_and_takes_no_room() {
        let mut random = fastrand::Rng::with_seed(3);
        let alphabet = b"<>/='\" !-abhref\xff";
        for _ in 0..500 {
            let bytes: Vec<u8> = (0..200).map(|_| alphabet[random.usize(..alphabet.len())]).collect();
            let mut rewriter = rewriter();
            let mut out = rewriter.rewrite(&bytes);
            out.extend(rewriter.finish());
            assert!(out.len() >= bytes.len());
        }
        let long = format!("<a href=\"/{}", "x".repeat(10 * MOST));
        let mut rewriter = rewriter();
        let out = rewriter.rewrite(long.as_bytes());
        assert!(rewriter.value.len() <= MOST + 1);
        assert_eq!([out, rewriter.finish()].concat(), long.as_bytes());
    }
}
