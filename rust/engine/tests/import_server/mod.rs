//! A 9P server of few words for the importer's tests: a clone file whose calls are made here.
//!
//! It serves `net/tcp/{clone,N/{ctl,data,listen,remote}}` over a Unix socket pair from one thread
//! per session. What a call does is a [`Remote`]: the test sees each conversation as a pair of
//! blocking ends. Reads of data park until bytes are there and are answered in order, as a
//! gateway of ours promises; so it can also play a server that promises nothing and complain when
//! the client then has two requests outstanding.

use std::collections::{HashMap, VecDeque};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use netrelay_proto::dialect::Dialect;
use netrelay_proto::ids::{Fid, Qid, Tag};
use netrelay_proto::message::{
    Message, Qids, Rattach, Rclunk, Rerror, Rflush, Ropen, Rread, Rversion, Rwalk, Rwrite, decode,
    encode,
};

pub(crate) const MSIZE: u32 = 1 << 20;

/// What the server saw and is to do, shared with the test.
#[derive(Default)]
pub(crate) struct Script {
    /// Every request by name, in order of arrival; ctl writes by their text.
    pub(crate) seen: Vec<String>,
    /// Most Treads and most Twrites outstanding on one data fid at any time.
    pub(crate) most: usize,
    /// Unanswered Treads by data fid.
    pub(crate) parked: HashMap<u32, VecDeque<(Tag, u32)>>,
    /// Bytes for data fids that nobody has read, and whether an end follows.
    pub(crate) waiting: HashMap<u32, (VecDeque<u8>, bool)>,
    /// Answer `connect` with this error.
    pub(crate) refuse: Option<&'static str>,
    /// Answer `shutdown write` with `unknown control request`.
    pub(crate) no_shutdown: bool,
    /// Throw Twrites away instead of echoing them.
    pub(crate) sink: bool,
    /// Echo, and end when the client half-closes.
    pub(crate) bytes_in: u64,
    pub(crate) hash_in: u64,
}

pub(crate) struct Server {
    pub(crate) script: Arc<Mutex<Script>>,
    pub(crate) client: Option<OwnedFd>,
    out: Arc<Mutex<UnixStream>>,
    progress: Receiver<()>,
}

impl Server {
    pub(crate) fn start(version: &'static str) -> Self {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let script = Arc::new(Mutex::new(Script::default()));
        let out = Arc::new(Mutex::new(ours.try_clone().expect("a copy")));
        let (tell, progress) = channel();
        let session = Session {
            script: script.clone(),
            out: out.clone(),
            tell,
            version,
            fids: HashMap::new(),
            next: 0,
            listening: None,
        };
        thread::spawn(move || session.run(ours));
        Self { script, client: Some(theirs.into()), out, progress }
    }

    pub(crate) fn client(&mut self) -> OwnedFd {
        self.client.take().expect("one client a server")
    }

    /// Waits until `met` holds of the script.
    pub(crate) fn until(&self, met: impl Fn(&Script) -> bool) {
        while !met(&self.script.lock().expect("the script")) {
            self.progress.recv().expect("the session is alive");
        }
    }

    /// Gives a data fid bytes to read, or its end.
    pub(crate) fn say(&self, fid: u32, bytes: &[u8], end: bool) {
        let mut script = self.script.lock().expect("the script");
        let waiting = script.waiting.entry(fid).or_default();
        waiting.0.extend(bytes);
        waiting.1 |= end;
        serve(&mut script, &mut self.out.lock().expect("the stream"), fid);
    }

    /// Refuses all parked reads of a data fid.
    pub(crate) fn fail(&self, fid: u32, text: &str) {
        let mut script = self.script.lock().expect("the script");
        let parked = script.parked.remove(&fid).unwrap_or_default();
        let mut out = self.out.lock().expect("the stream");
        for (tag, _) in parked {
            reply(&mut out, tag, &Message::Rerror(Rerror { ename: text, errno: 0 }));
        }
    }

    pub(crate) fn hang_up(&self) {
        let out = self.out.lock().expect("the stream");
        out.shutdown(std::net::Shutdown::Both).expect("a shutdown");
    }
}

struct Session {
    script: Arc<Mutex<Script>>,
    out: Arc<Mutex<UnixStream>>,
    tell: Sender<()>,
    version: &'static str,
    fids: HashMap<u32, Vec<String>>,
    next: u32,
    listening: Option<Tag>,
}

impl Session {
    fn run(mut self, mut stream: UnixStream) {
        let mut head = [0; 4];
        while stream.read_exact(&mut head).is_ok() {
            let size = u32::from_le_bytes(head) as usize;
            let mut frame = vec![0; size];
            frame[..4].copy_from_slice(&head);
            if stream.read_exact(&mut frame[4..]).is_err() {
                break;
            }
            let (tag, message) = decode(&frame, Dialect::P2000).expect("a frame");
            self.serve(tag, &message);
            let _ = self.tell.send(());
        }
    }

    fn serve(&mut self, tag: Tag, message: &Message<'_>) {
        let script = self.script.clone();
        let mut script = script.lock().expect("the script");
        let said = match message {
            Message::Twrite(write) if !self.is_data(write.fid) => {
                String::from_utf8_lossy(write.data).into_owned()
            }
            other => other.name().to_owned(),
        };
        script.seen.push(said);
        let out = self.out.clone();
        let mut out = out.lock().expect("the stream");
        let qid = Qid { kind: 0, vers: 0, path: 1 };
        let answer = match *message {
            Message::Tversion(asked) => {
                Message::Rversion(Rversion { msize: asked.msize.min(MSIZE), version: self.version })
            }
            Message::Tattach(attach) => {
                self.fids.insert(attach.fid.0, Vec::new());
                Message::Rattach(Rattach { qid })
            }
            Message::Twalk(walk) => {
                let mut path = self.fids[&walk.fid.0].clone();
                path.extend(walk.wname.iter().map(|name| (*name).to_owned()));
                let wqid = Qids::new(&vec![qid; walk.wname.len()]).expect("few");
                self.fids.insert(walk.newfid.0, path);
                Message::Rwalk(Rwalk { wqid })
            }
            Message::Topen(open) => {
                let Some(path) = self.fids.get_mut(&open.fid.0) else {
                    return reply(&mut out, tag, &error("unknown fid"));
                };
                let last = path.last().cloned().unwrap_or_default();
                if last == "clone" || last == "listen" {
                    path.pop();
                    if last == "listen" {
                        path.pop();
                    }
                    path.extend([self.next.to_string(), "ctl".into()]);
                    self.next += 1;
                }
                if last == "listen" && script.sink {
                    self.listening = Some(tag);
                    return;
                }
                Message::Ropen(Ropen { qid, iounit: 0 })
            }
            Message::Tread(read) if self.is_data(read.fid) => {
                let parked = script.parked.entry(read.fid.0).or_default();
                parked.push_back((tag, read.count));
                let outstanding = parked.len();
                script.most = script.most.max(outstanding);
                return serve(&mut script, &mut out, read.fid.0);
            }
            Message::Tread(read) => {
                let path = &self.fids[&read.fid.0];
                let text = match path.last().map(String::as_str) {
                    Some("remote") => "10.1.2.3!4567\n".to_owned(),
                    _ => path[path.len() - 2].clone(),
                };
                return reply(&mut out, tag, &Message::Rread(Rread { data: text.as_bytes() }));
            }
            Message::Twrite(write) if self.is_data(write.fid) => {
                script.bytes_in += write.data.len() as u64;
                script.hash_in = hash(script.hash_in, write.data);
                let count = u32::try_from(write.data.len()).expect("within msize");
                reply(&mut out, tag, &Message::Rwrite(Rwrite { count }));
                if !script.sink {
                    script.waiting.entry(write.fid.0).or_default().0.extend(write.data);
                    serve(&mut script, &mut out, write.fid.0);
                }
                return;
            }
            Message::Twrite(write) => {
                let text = String::from_utf8_lossy(write.data);
                match (text.split(' ').next(), script.refuse) {
                    (Some("connect"), Some(refusal)) => error(refusal),
                    (Some("shutdown"), _) if script.no_shutdown => error("unknown control request"),
                    (Some("shutdown"), _) if !script.sink => {
                        let data = self.data_of(write.fid);
                        script.waiting.entry(data).or_default().1 = true;
                        serve(&mut script, &mut out, data);
                        Message::Rwrite(Rwrite { count: text.len() as u32 })
                    }
                    _ => Message::Rwrite(Rwrite { count: text.len() as u32 }),
                }
            }
            Message::Tflush(flush) => {
                for parked in script.parked.values_mut() {
                    parked.retain(|(parked, _)| *parked != flush.oldtag);
                }
                Message::Rflush(Rflush {})
            }
            Message::Tclunk(clunk) => {
                assert!(script.parked.remove(&clunk.fid.0).unwrap_or_default().is_empty());
                script.waiting.remove(&clunk.fid.0);
                self.fids.remove(&clunk.fid.0);
                Message::Rclunk(Rclunk {})
            }
            _ => error("unknown message type"),
        };
        reply(&mut out, tag, &answer);
    }

    fn is_data(&self, fid: Fid) -> bool {
        self.fids.get(&fid.0).and_then(|path| path.last()).is_some_and(|name| name == "data")
    }

    fn data_of(&self, ctl: Fid) -> u32 {
        let mut path = self.fids[&ctl.0].clone();
        *path.last_mut().expect("a name") = "data".into();
        let found = self.fids.iter().find(|(_, walked)| **walked == path);
        *found.expect("an open data").0
    }
}

/// A checksum that can be continued.
pub(crate) fn hash(so_far: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(so_far, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(5)
    })
}

/// Bytes that repeat at no power of two.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    (0..len).map(|place| (place % 251) as u8 ^ (place / 65_537) as u8).collect()
}

fn error(ename: &str) -> Message<'_> {
    Message::Rerror(Rerror { ename, errno: 0 })
}

fn serve(script: &mut Script, out: &mut UnixStream, fid: u32) {
    let Script { parked, waiting, .. } = script;
    let (Some(parked), Some((bytes, end))) = (parked.get_mut(&fid), waiting.get_mut(&fid)) else {
        return;
    };
    while !parked.is_empty() && (!bytes.is_empty() || *end) {
        let (tag, count) = parked.pop_front().expect("not empty");
        let count = bytes.len().min(count as usize);
        let data: Vec<u8> = bytes.drain(..count).collect();
        reply(out, tag, &Message::Rread(Rread { data: &data }));
    }
}

fn reply(out: &mut UnixStream, tag: Tag, message: &Message<'_>) {
    let mut frame = Vec::new();
    encode(tag, message, Dialect::P2000, MSIZE, &mut frame).expect("a reply that fits");
    // The client may have gone; its test looks at what it saw.
    let _ = out.write_all(&frame);
}
