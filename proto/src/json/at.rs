//! Where in an object reading is, and what it has seen there.

use std::cell::RefCell;

use crate::json::Report;

/// Most unknown or duplicate fields that a report holds: enough for a person, bounded for a hostile body.
const MOST_NOTICED: usize = 64;

/// Where in an object reading is. A list of frames on the stack; it costs nothing until something is noticed.
#[derive(Debug)]
pub struct At<'a> {
    parent: Option<&'a At<'a>>,
    segment: Segment<'a>,
    report: Option<&'a RefCell<Report>>,
}

/// One step of a path.
#[derive(Debug)]
enum Segment<'a> {
    Root,
    Field(&'a str),
    Index(usize),
}

/// The fields that an object has given so far.
#[derive(Debug, Default)]
pub struct Seen(u128);

// === impl At ===

impl<'a> At<'a> {
    /// The top of an object that nobody wants a report of.
    pub fn root() -> Self {
        At { parent: None, segment: Segment::Root, report: None }
    }

    /// The top of an object whose reading is reported.
    pub(super) fn reported(report: &'a RefCell<Report>) -> Self {
        At { parent: None, segment: Segment::Root, report: Some(report) }
    }

    /// A field inside this place.
    pub(super) fn field(&'a self, name: &'a str) -> At<'a> {
        At { parent: Some(self), segment: Segment::Field(name), report: self.report }
    }

    /// An element of this place.
    pub(super) fn index(&'a self, index: usize) -> At<'a> {
        At { parent: Some(self), segment: Segment::Index(index), report: self.report }
    }

    fn path(&self) -> String {
        let mut path = self.parent.map(At::path).unwrap_or_default();
        match self.segment {
            Segment::Root => {}
            Segment::Field(name) if path.is_empty() => path.push_str(name),
            Segment::Field(name) => {
                path.push('.');
                path.push_str(name);
            }
            Segment::Index(index) => path.push_str(&format!("[{index}]")),
        }
        path
    }

    /// Adds this place to a list of the report.
    pub(super) fn notice(&self, list: impl FnOnce(&mut Report) -> &mut Vec<String>) {
        if let Some(report) = self.report {
            let mut report = report.borrow_mut();
            let list = list(&mut report);
            if list.len() < MOST_NOTICED {
                list.push(self.path());
            }
        }
    }

    /// Remembers this place as the one that could not be read, unless one inside it was.
    pub(super) fn fail(&self) {
        if let Some(report) = self.report {
            let mut report = report.borrow_mut();
            if report.failed.is_none() {
                report.failed = Some(self.path());
            }
        }
    }

    /// Remembers the `kind` or `apiVersion` that the object itself gave.
    pub(super) fn type_meta(&self, key: &str, text: String) {
        if let (Some(report), None) = (self.report, self.parent) {
            let mut report = report.borrow_mut();
            match key {
                "kind" => report.kind = Some(text),
                _ => report.api_version = Some(text),
            }
        }
    }
}

// === impl Seen ===

impl Seen {
    /// Most fields that a message can have.
    pub(crate) const MOST: u32 = u128::BITS;

    /// Adds a field; false if it was there.
    pub(super) fn insert(&mut self, bit: u32) -> bool {
        let mask = 1u128 << (bit % Self::MOST);
        let new = self.0 & mask == 0;
        self.0 |= mask;
        new
    }
}
