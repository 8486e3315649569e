//! A terminal's new sizes: JSON objects, one after the other.

use keelson_proto::v1::TerminalSize;
use serde::Deserialize;

/// Most bytes of an object that has not come whole.
const MOST_PENDING: usize = 1024;

/// Reads sizes out of the bytes of a stream.
#[derive(Debug, Default)]
pub(super) struct Sizes {
    pending: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Size {
    width: u16,
    height: u16,
}

// === impl Sizes ===

impl Sizes {
    /// The sizes that are whole with these bytes. What is no size is dropped.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Vec<TerminalSize> {
        self.pending.extend_from_slice(bytes);
        let mut sizes = serde_json::Deserializer::from_slice(&self.pending).into_iter::<Size>();
        let (mut found, mut broken) = (Vec::new(), false);
        for size in sizes.by_ref() {
            match size {
                Ok(Size { width, height }) => {
                    found.push(TerminalSize { width: width.into(), height: height.into() });
                }
                Err(error) => {
                    broken = !error.is_eof();
                    break;
                }
            }
        }
        let read = sizes.byte_offset();
        self.pending.drain(..read.min(self.pending.len()));
        if broken || self.pending.len() > MOST_PENDING {
            self.pending.clear();
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_become_whole() {
        let mut sizes = Sizes::default();
        let table: [(&str, &[(u32, u32)]); 7] = [
            ("{\"Width\":80,\"Height\":24}\n", &[(80, 24)]),
            ("{\"Width\":1,", &[]),
            ("\"Height\":2}{\"Width\":3,\"Height\":4}{", &[(1, 2), (3, 4)]),
            ("\"Width\":5,\"Height\":6}", &[(5, 6)]),
            ("nonsense", &[]),
            ("{\"Width\":99999999,\"Height\":1}", &[]),
            ("{\"Width\":7,\"Height\":8}", &[(7, 8)]),
        ];
        for (text, expected) in table {
            let read = sizes.read(text.as_bytes());
            let read: Vec<_> = read.iter().map(|size| (size.width, size.height)).collect();
            assert_eq!(read, expected, "{text}");
        }
        sizes.read(&vec![b' '; 10 * MOST_PENDING]);
        sizes.read(b"{\"Width\":");
        sizes.read(&vec![b' '; 10 * MOST_PENDING]);
        assert!(sizes.pending.is_empty());
    }
}
