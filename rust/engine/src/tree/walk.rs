//! Walks and attaches: from one position by names to others (walk(5), attach(5)).
//!
//! The session keeps the fids.

use netrelay_proto::error::Refusal;
use netrelay_proto::message::{Names, Qids};

use super::Facts;
use super::position::Position;

/// Walks `names` from `from`, in an attach whose root is `root`. The qids that are seen on the way,
/// and the position of the last.
///
/// Fewer qids than names is a walk that ended early, and then nothing moves (walk(5)).
///
/// # Errors
/// The first name can't be walked: `file does not exist` or, from a file, `not a directory`.
pub(crate) fn walk(
    root: &Position,
    from: Position,
    names: &Names<'_>,
    facts: &dyn Facts,
) -> Result<(Qids, Position), Refusal> {
    let mut position = from;
    let mut qids = Qids::default();
    for name in names.iter() {
        match step(root, &position, name, facts) {
            Ok(next) => position = next,
            Err(refusal) if qids.is_empty() => return Err(refusal),
            Err(_) => break,
        }
        // As many qids as names fit, and there are no more names.
        let _ = qids.push(position.seen(facts).qid(facts));
    }
    Ok((qids, position))
}

/// The root of an attach to `aname` of a tree whose root is `root`.
///
/// `aname` is a path of that tree; leading, trailing and doubled slashes and `.` mean nothing and
/// `..` does not leave it. It may name a file.
///
/// # Errors
/// As for a walk.
pub(crate) fn attach(aname: &str, root: &Position, facts: &dyn Facts) -> Result<Position, Refusal> {
    let mut elements = aname.split('/').filter(|element| !element.is_empty());
    elements.try_fold(root.clone(), |position, element| step(root, &position, element, facts))
}

fn step(
    root: &Position,
    position: &Position,
    name: &str,
    facts: &dyn Facts,
) -> Result<Position, Refusal> {
    if !position.seen(facts).directory() {
        return Err(Refusal::NOT_A_DIRECTORY);
    }
    match name {
        "" | "." | "/" => Ok(position.clone()),
        ".." if position == root => Ok(root.clone()),
        ".." => Ok(position.above(facts)),
        _ => position.child(name, facts).ok_or(Refusal::FILE_DOES_NOT_EXIST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::fixture::{ALT, TCP, World, tcp};
    use crate::tree::qid::{Common, File, Node, StackId};

    const NET: Node = Node::Net(StackId(0));
    const CS: Node = Node::Common(StackId(0), Common::Cs);

    fn at(node: Node, world: &World) -> Position {
        Position::natural(node, world)
    }

    fn walked(root: Node, from: Node, path: &str) -> Result<Vec<Node>, Refusal> {
        let world = World { conversations: 2, ..World::default() };
        let names: Vec<_> = path.split('/').filter(|name| !name.is_empty()).collect();
        let names = Names::new(&names).unwrap();
        let (qids, _) = walk(&at(root, &world), at(from, &world), &names, &world)?;
        Ok(qids.iter().map(|qid| Node::of(qid.path).unwrap()).collect())
    }

    #[test]
    fn walks_end_where_the_names_lead() {
        let conversation = Node::Conversation(tcp(1));
        let ctl = Node::File(tcp(1), File::Ctl);
        let table: [(&str, &[Node]); 7] = [
            ("", &[]),
            ("net/tcp", &[NET, Node::Protocol(TCP)]),
            ("net/tcp/1/ctl", &[NET, Node::Protocol(TCP), conversation, ctl]),
            ("net/cs", &[NET, CS]),
            ("net.alt/..", &[Node::Net(ALT), Node::ROOT]),
            ("net/../net", &[NET, Node::ROOT, NET]),
            ("./net/.", &[Node::ROOT, NET, NET]),
        ];
        for (path, nodes) in table {
            assert_eq!(walked(Node::ROOT, Node::ROOT, path).unwrap(), nodes, "{path}");
        }
    }

    #[test]
    fn a_walk_of_sixteen_names_gives_sixteen_qids() {
        let path = "net/../".repeat(8);
        assert_eq!(walked(Node::ROOT, Node::ROOT, &path).unwrap().len(), 16);
    }

    #[test]
    fn a_later_name_that_fails_cuts_the_walk() {
        for path in ["net/nothing", "net/nothing/tcp"] {
            assert_eq!(walked(Node::ROOT, Node::ROOT, path).unwrap(), [NET], "{path}");
        }
        let cut = [NET, CS];
        assert_eq!(walked(Node::ROOT, Node::ROOT, "net/cs/..").unwrap(), cut);
    }

    #[test]
    fn a_first_name_that_fails_is_refused() {
        let table = [
            (Node::ROOT, "tcp", Refusal::FILE_DOES_NOT_EXIST),
            (Node::Protocol(TCP), "2", Refusal::FILE_DOES_NOT_EXIST),
            (CS, "x", Refusal::NOT_A_DIRECTORY),
            (CS, "..", Refusal::NOT_A_DIRECTORY),
        ];
        for (from, path, refusal) in table {
            assert_eq!(walked(Node::ROOT, from, path), Err(refusal), "{from:?} {path}");
        }
    }

    #[test]
    fn dotdot_stays_at_the_root_of_the_attach() {
        let tcps = Node::Protocol(TCP);
        let clone = Node::Clone(TCP);
        assert_eq!(walked(tcps, tcps, "../..").unwrap(), [tcps, tcps]);
        assert_eq!(walked(tcps, tcps, "../clone").unwrap(), [tcps, clone]);
        let deep = Node::Conversation(tcp(0));
        assert_eq!(walked(tcps, deep, "../../..").unwrap(), [tcps, tcps, tcps]);
    }

    #[test]
    fn aname_names_the_root_of_the_attach() {
        let world = World { conversations: 1, ..World::default() };
        let tcps = Node::Protocol(TCP);
        let table = [
            (Node::ROOT, "", Ok(Node::ROOT)),
            (Node::ROOT, "/", Ok(Node::ROOT)),
            (Node::ROOT, "/net", Ok(NET)),
            (Node::ROOT, "net", Ok(NET)),
            (Node::ROOT, "//net/./tcp/", Ok(tcps)),
            (Node::ROOT, "/net/tcp/0/data", Ok(Node::File(tcp(0), File::Data))),
            (Node::ROOT, "/net/tcp/1", Err(Refusal::FILE_DOES_NOT_EXIST)),
            (Node::ROOT, "/n", Err(Refusal::FILE_DOES_NOT_EXIST)),
            (Node::ROOT, "/net/cs/x", Err(Refusal::NOT_A_DIRECTORY)),
            (Node::ROOT, "/net/cs/", Ok(CS)),
            (tcps, "/", Ok(tcps)),
            (tcps, "..", Ok(tcps)),
            (tcps, "/net", Err(Refusal::FILE_DOES_NOT_EXIST)),
            (tcps, "clone", Ok(Node::Clone(TCP))),
        ];
        for (root, aname, expected) in table {
            let expected = expected.map(|node: Node| node.qid(&world));
            let attached = attach(aname, &at(root, &world), &world);
            let seen = attached.map(|position| position.seen(&world).qid(&world));
            assert_eq!(seen, expected, "{aname}");
        }
    }
}
