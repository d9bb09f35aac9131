//! Lists whose entries know their neighbours: an entry comes and goes in constant time, wherever it stands.

use crate::slab::{Id, Slab};

/// The ends of a list.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chain {
    first: Option<Id>,
    last: Option<Id>,
}

/// The neighbours of an entry.
#[derive(Clone, Copy, Debug, Default)]
struct Links {
    before: Option<Id>,
    behind: Option<Id>,
}

/// A value that may stand in one list of each kind.
#[derive(Debug)]
pub(super) struct Node<T> {
    pub(super) value: T,
    links: [Links; 2],
}

/// The kind of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Requests by their tokens.
    Token,
    /// The line of an origin.
    Line,
}

impl<T> Node<T> {
    /// A value that stands in no list.
    pub(super) fn new(value: T) -> Node<T> {
        Node { value, links: [Links::default(); 2] }
    }

    fn links(&mut self, kind: Kind) -> &mut Links {
        let [token, line] = &mut self.links;
        match kind {
            Kind::Token => token,
            Kind::Line => line,
        }
    }

    /// The entry behind this one.
    pub(super) fn behind(&self, kind: Kind) -> Option<Id> {
        let [token, line] = &self.links;
        match kind {
            Kind::Token => token.behind,
            Kind::Line => line.behind,
        }
    }
}

impl Chain {
    /// The first entry.
    pub(super) fn first(&self) -> Option<Id> {
        self.first
    }

    /// Puts a value in front of this entry; `None`: behind all.
    pub(super) fn insert<T>(&mut self, id: Id, behind: Option<Id>, kind: Kind, nodes: &mut Slab<Node<T>>) {
        let before = match links(behind, kind, nodes) {
            Some(links) => links.before.replace(id),
            None => self.last.replace(id),
        };
        match links(before, kind, nodes) {
            Some(links) => links.behind = Some(id),
            None => self.first = Some(id),
        }
        if let Some(links) = links(Some(id), kind, nodes) {
            *links = Links { before, behind };
        }
    }

    /// Takes an entry out.
    pub(super) fn remove<T>(&mut self, id: Id, kind: Kind, nodes: &mut Slab<Node<T>>) {
        let Some(Links { before, behind }) = nodes.get_mut(id).map(|node| core::mem::take(node.links(kind))) else { return };
        match links(before, kind, nodes) {
            Some(links) => links.behind = behind,
            None => self.first = behind,
        }
        match links(behind, kind, nodes) {
            Some(links) => links.before = before,
            None => self.last = before,
        }
    }

    /// The entries, from the first one on.
    pub(super) fn entries<T>(self, kind: Kind, nodes: &Slab<Node<T>>) -> impl Iterator<Item = (Id, &T)> {
        let mut next = self.first;
        core::iter::from_fn(move || {
            let id = next?;
            let node = nodes.get(id)?;
            next = node.behind(kind);
            Some((id, &node.value))
        })
    }
}

fn links<T>(id: Option<Id>, kind: Kind, nodes: &mut Slab<Node<T>>) -> Option<&mut Links> {
    nodes.get_mut(id?).map(|node| node.links(kind))
}
