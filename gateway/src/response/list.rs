//! Lists: each encoded object is decoded and spelled once, straight into the answer, page by page.

use std::vec;

use axum::response::Response;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use http::StatusCode;
use keelson_base_model::status::ApiError;
use keelson_proto::meta::ListMeta;
use keelson_proto::v1::RawList;
use keelson_proto::{Message as _, envelope, wire};

use super::{Indenter, document, gzip, plain};
use crate::kinds::{Codec, Place, to_json};
use crate::negotiate::{Form, Media, Shape};

/// About how large a piece of a streamed list is.
const PIECE: usize = 64 * 1024;

/// Pages of one list.
pub(crate) type Pages = BoxStream<'static, Result<RawList, ApiError>>;

/// A list on its way out.
struct Writer {
    codec: &'static Codec,
    shape: Shape,
    indenter: Option<Indenter>,
    page: vec::IntoIter<Bytes>,
    pages: Pages,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is written yet.
    Fresh,
    /// The list is open and has no items yet.
    Empty,
    /// The list is open and has items.
    Open,
    /// The list is closed.
    Closed,
}

/// The rest of a list in protobuf: pages on their way out, of which it was said how long they are.
struct Items {
    page: Option<Vec<Bytes>>,
    pages: Pages,
    /// What is still to come, in bytes.
    left: u64,
}

/// A list as a response. `first` is its first page and carries its metadata; `rest` are the other pages.
pub(crate) async fn list(
    form: Form,
    codec: &'static Codec,
    first: RawList,
    rest: Pages,
    gzip: bool,
) -> Result<Response, ApiError> {
    let metadata = first.metadata.unwrap_or_default();
    let response = || plain(StatusCode::OK, form.media.content_type(), axum::body::Body::empty());
    if form.media == Media::Protobuf && form.shape == Shape::Object && first.items_bytes > 0 {
        let items = Items { page: Some(first.items), pages: rest, left: first.items_bytes };
        let head = protobuf_head(codec, &metadata, items.left);
        let pieces = stream::try_unfold(items, |mut items| async move {
            Ok(items.piece().await?.map(|piece| (piece, items)))
        });
        let pieces = stream::once(std::future::ready(Ok(head))).chain(pieces);
        return gzip::streamed(pieces.boxed(), response(), false).await;
    }
    let items = first.items.into_iter();
    if form.media == Media::Protobuf {
        let body = protobuf(codec, form.shape, metadata, items, rest).await?;
        return Ok(plain(StatusCode::OK, form.media.content_type(), body));
    }
    let indenter = (form.pretty && form.media == Media::Json).then(Indenter::default);
    let writer = Writer { codec, shape: form.shape, indenter, page: items, pages: rest, state: State::Fresh };
    let pieces = stream::try_unfold((writer, Some(metadata)), |(mut writer, metadata)| async move {
        Ok(writer.piece(metadata).await?.map(|piece| (piece, (writer, None))))
    });
    if form.media == Media::Yaml {
        let pieces: Vec<Bytes> = futures::TryStreamExt::try_collect(pieces).await?;
        return document(form, StatusCode::OK, pieces.concat());
    }
    gzip::streamed(pieces.boxed(), response(), gzip).await
}

/// How a list in an envelope begins whose items take so many bytes: all but the items.
fn protobuf_head(codec: &Codec, metadata: &ListMeta, items: u64) -> Bytes {
    let list = RawList { metadata: Some(metadata.clone()), ..RawList::default() }.encode_to_vec();
    let kind = format!("{}List", codec.kind.kind);
    let mut head = envelope::wrap(&codec.kind.api_version(), &kind, b"", b"").to_vec();
    // It ends with the length of nothing.
    head.pop();
    prost::encoding::encode_varint(list.len() as u64 + items, &mut head);
    head.extend_from_slice(&list);
    head.into()
}

/// The whole list in an envelope: the objects' bytes are copied, not read.
async fn protobuf(
    codec: &Codec,
    shape: Shape,
    metadata: ListMeta,
    items: vec::IntoIter<Bytes>,
    mut rest: Pages,
) -> Result<Bytes, ApiError> {
    let mut list = RawList { metadata: Some(metadata), items: items.collect(), ..RawList::default() };
    while let Some(page) = rest.next().await {
        list.items.extend(page?.items);
    }
    let Shape::Partial(version) = shape else {
        let kind = format!("{}List", codec.kind.kind);
        return Ok(envelope::wrap(&codec.kind.api_version(), &kind, &list.encode_to_vec(), b""));
    };
    for item in &mut list.items {
        let metadata = wire::metadata(item).map_err(|error| ApiError::internal(error.to_string()))?;
        *item = keelson_proto::meta::PartialObjectMetadata { metadata }.encode_to_vec().into();
    }
    Ok(envelope::wrap(version.api_version(), "PartialObjectMetadataList", &list.encode_to_vec(), b""))
}

// === impl Items ===

impl Items {
    /// The items of the next page, encoded.
    async fn piece(&mut self) -> Result<Option<Bytes>, ApiError> {
        let items = match self.page.take() {
            Some(items) => items,
            None => match self.pages.next().await {
                Some(page) => page?.items,
                None if self.left == 0 => return Ok(None),
                None => return Err(ApiError::internal("api sent less of a list than it had said")),
            },
        };
        let size = items.iter().map(|item| wire::item_len(item.len())).sum();
        let too_much = || ApiError::internal("api sent more of a list than it had said");
        self.left = self.left.checked_sub(size).ok_or_else(too_much)?;
        Ok(Some(RawList { items, ..RawList::default() }.encode_to_vec().into()))
    }
}

// === impl Writer ===

impl Writer {
    /// The next piece of the answer; the first one begins with the list's `metadata`.
    async fn piece(&mut self, metadata: Option<ListMeta>) -> Result<Option<Bytes>, ApiError> {
        let mut out = Vec::with_capacity(PIECE + PIECE / 4);
        if self.state == State::Fresh {
            self.open(&metadata.unwrap_or_default(), &mut out)?;
        }
        while self.state != State::Closed && out.len() < PIECE {
            match self.item().await? {
                Some(item) => {
                    if self.state == State::Open {
                        out.push(b',');
                    }
                    self.codec.write(&item, self.shape, Place::List, &mut out)?;
                    self.state = State::Open;
                }
                None => {
                    out.extend_from_slice(b"]}");
                    self.state = State::Closed;
                }
            }
        }
        if out.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.finish(out).into()))
    }

    async fn item(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            if let Some(item) = self.page.next() {
                return Ok(Some(item));
            }
            match self.pages.next().await {
                Some(page) => self.page = page?.items.into_iter(),
                None => return Ok(None),
            }
        }
    }

    fn open(&mut self, metadata: &ListMeta, out: &mut Vec<u8>) -> Result<(), ApiError> {
        let (version, kind) = match self.shape {
            Shape::Object => (self.codec.kind.api_version(), format!("{}List", self.codec.kind.kind)),
            Shape::Table(version, _) => (version.api_version().to_owned(), "Table".to_owned()),
            Shape::Partial(version) => {
                (version.api_version().to_owned(), "PartialObjectMetadataList".to_owned())
            }
        };
        out.extend_from_slice(b"{\"kind\":");
        to_json(&kind, out)?;
        out.extend_from_slice(b",\"apiVersion\":");
        to_json(&version, out)?;
        out.extend_from_slice(b",\"metadata\":");
        to_json(metadata, out)?;
        if let Shape::Table(..) = self.shape {
            out.extend_from_slice(b",\"columnDefinitions\":");
            to_json(self.codec.columns, out)?;
            out.extend_from_slice(b",\"rows\":[");
        } else {
            out.extend_from_slice(b",\"items\":[");
        }
        self.state = State::Empty;
        Ok(())
    }

    fn finish(&mut self, piece: Vec<u8>) -> Vec<u8> {
        let mut piece = match &mut self.indenter {
            Some(indenter) => {
                let mut indented = Vec::with_capacity(piece.len() * 2);
                indenter.write(&piece, &mut indented);
                indented
            }
            None => piece,
        };
        if self.state == State::Closed {
            piece.push(b'\n');
        }
        piece
    }
}
