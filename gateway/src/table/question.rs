//! The kinds that are answered and not kept: there is nothing to show but a name.

use jiff::Timestamp;
use keelson_proto::authentication::{SelfSubjectReview, TokenReview};
use keelson_proto::authorization::{
    LocalSubjectAccessReview, SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview,
};

use super::{Cell, Column, NAME, Tabled};

macro_rules! named {
    ($($kind:ident),*) => {
        $(impl Tabled for $kind {
            const COLUMNS: &'static [Column] = &[NAME];

            fn cells(&self, _: Timestamp) -> Vec<Cell> {
                vec![self.metadata.name.as_str().into()]
            }
        })*
    };
}

named!(
    LocalSubjectAccessReview,
    SelfSubjectAccessReview,
    SelfSubjectReview,
    SelfSubjectRulesReview,
    SubjectAccessReview,
    TokenReview
);
