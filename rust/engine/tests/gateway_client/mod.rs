//! A blocking 9P client for the tests of the gateway: frames by hand, nothing clever.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use netrelay_engine::{Config, Gateway};
use netrelay_proto::dialect::Dialect;
use netrelay_proto::ids::{Fid, Tag};
use netrelay_proto::message::{
    Message, Names, Tattach, Tclunk, Tflush, Topen, Tread, Tversion, Twalk, Twrite, decode, encode,
};

/// Longer than anything here takes unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway and where its sessions come in.
pub(crate) struct Door {
    pub(crate) gateway: Gateway,
    pub(crate) address: SocketAddr,
}

impl Door {
    /// A gateway of `workers` that may dial this machine.
    pub(crate) fn open(workers: usize) -> Self {
        Self::with(workers, |_| {})
    }

    /// The same, after `change` has seen the settings.
    pub(crate) fn with(workers: usize, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new("gate");
        config.workers = workers;
        config.allow_dial = vec!["127.0.0.0/8".into()];
        change(&mut config);
        let gateway = Gateway::start(config).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        gateway.listen(listener.into()).unwrap();
        Self { gateway, address }
    }

    pub(crate) fn stat(&self, name: &str) -> u64 {
        let stats = self.gateway.stats();
        stats.into_iter().find(|(key, _)| *key == name).unwrap().1
    }

    /// A session, attached as `user` on fid 0.
    pub(crate) fn attach(&self, user: &str) -> Client {
        let mut client = Client::new(TcpStream::connect(self.address).unwrap());
        let tversion = Tversion { msize: 1 << 20, version: "9P2000.netrelay" };
        client.send_tagged(Tag::NOTAG, &tversion.into());
        let (_, reply) = client.receive();
        assert_eq!(text(&reply), "Rversion");
        let (fid, afid, n_uname) = (Fid(0), Fid::NOFID, u32::MAX);
        let attach = Tattach { fid, afid, uname: user, aname: "", n_uname };
        assert_eq!(client.rpc(&attach.into()), Ok("Rattach"));
        client
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.stat("panics"), 0);
            self.gateway.abort();
            assert!(self.gateway.wait_closed(PATIENCE));
            for gauge in ["sessions", "conversations", "fids", "parked_bytes", "buffers"] {
                assert_eq!(self.stat(gauge), 0, "{gauge} is left");
            }
        }
    }
}

/// One session used.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    tag: u16,
}

impl Client {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, tag: 0 }
    }

    /// Sends a request and returns its tag.
    pub(crate) fn send(&mut self, message: &Message<'_>) -> Tag {
        self.tag += 1;
        self.send_tagged(Tag(self.tag), message);
        Tag(self.tag)
    }

    pub(crate) fn send_tagged(&mut self, tag: Tag, message: &Message<'_>) {
        let mut frame = Vec::new();
        encode(tag, message, Dialect::P2000, u32::MAX, &mut frame).unwrap();
        self.stream.write_all(&frame).unwrap();
    }

    /// The next reply's tag and frame.
    pub(crate) fn receive(&mut self) -> (Tag, Vec<u8>) {
        let mut frame = vec![0; 4];
        self.stream.read_exact(&mut frame).unwrap();
        let size = u32::from_le_bytes([frame[0], frame[1], frame[2], frame[3]]) as usize;
        frame.resize(size, 0);
        self.stream.read_exact(&mut frame[4..]).unwrap();
        (decode(&frame, Dialect::P2000).unwrap().0, frame)
    }

    /// Sends and waits: the reply's name, or the Rerror's text.
    pub(crate) fn rpc(&mut self, message: &Message<'_>) -> Result<&'static str, String> {
        let tag = self.send(message);
        let (got, frame) = self.receive();
        assert_eq!(got, tag);
        match decode(&frame, Dialect::P2000).unwrap().1 {
            Message::Rerror(error) => Err(error.ename.into()),
            reply => Ok(reply.name()),
        }
    }

    pub(crate) fn walk(&mut self, fid: u32, path: &[&str]) {
        let wname = Names::new(path).unwrap();
        let walk = Twalk { fid: Fid(0), newfid: Fid(fid), wname };
        assert_eq!(self.rpc(&walk.into()), Ok("Rwalk"));
    }

    pub(crate) fn open(&mut self, fid: u32) -> Result<&'static str, String> {
        self.rpc(&Topen { fid: Fid(fid), mode: 2 }.into())
    }

    pub(crate) fn clunk(&mut self, fid: u32) {
        assert_eq!(self.rpc(&Tclunk { fid: Fid(fid) }.into()), Ok("Rclunk"));
    }

    pub(crate) fn write(&mut self, fid: u32, data: &[u8]) -> Result<&'static str, String> {
        self.rpc(&Twrite { fid: Fid(fid), offset: 0, data }.into())
    }

    pub(crate) fn send_read(&mut self, fid: u32, count: u32) -> Tag {
        self.send(&Tread { fid: Fid(fid), offset: 0, count }.into())
    }

    pub(crate) fn read(&mut self, fid: u32, count: u32) -> Result<Vec<u8>, String> {
        let tag = self.send_read(fid, count);
        let (got, frame) = self.receive();
        assert_eq!(got, tag);
        payload(&frame)
    }

    pub(crate) fn flush(&mut self, oldtag: Tag) -> Tag {
        self.send(&Tflush { oldtag }.into())
    }

    /// Opens clone as `ctl`; the conversation's number.
    pub(crate) fn clone(&mut self, ctl: u32) -> String {
        self.walk(ctl, &["net", "tcp", "clone"]);
        assert_eq!(self.open(ctl), Ok("Ropen"));
        String::from_utf8(self.read(ctl, 16).unwrap()).unwrap()
    }

    /// Opens a file of conversation `number`.
    pub(crate) fn open_file(&mut self, fid: u32, number: &str, file: &str) {
        self.walk(fid, &["net", "tcp", number, file]);
        let mode = if matches!(file, "ctl" | "data") { 2 } else { 0 };
        assert_eq!(self.rpc(&Topen { fid: Fid(fid), mode }.into()), Ok("Ropen"));
    }

    /// A call to `to`: ctl and data at `ctl` and the next fid; the conversation's number.
    pub(crate) fn dial(&mut self, ctl: u32, to: SocketAddr) -> String {
        let number = self.clone(ctl);
        let connect = format!("connect {}!{}", to.ip(), to.port());
        assert_eq!(self.write(ctl, connect.as_bytes()), Ok("Rwrite"));
        self.open_file(ctl + 1, &number, "data");
        number
    }

    /// Takes calls at a port of this machine's choosing; the number and the address.
    pub(crate) fn announce(&mut self, ctl: u32) -> (String, SocketAddr) {
        let number = self.clone(ctl);
        assert_eq!(self.write(ctl, b"announce 127.0.0.1!0"), Ok("Rwrite"));
        self.open_file(ctl + 1, &number, "local");
        let local = String::from_utf8(self.read(ctl + 1, 100).unwrap()).unwrap();
        let address = local.trim_end().replace('!', ":").parse().unwrap();
        (number, address)
    }
}

/// The data of an Rread, or the text of an Rerror.
pub(crate) fn payload(frame: &[u8]) -> Result<Vec<u8>, String> {
    match decode(frame, Dialect::P2000).unwrap().1 {
        Message::Rread(reply) => Ok(reply.data.into()),
        Message::Rerror(error) => Err(error.ename.into()),
        other => panic!("{other:?}"),
    }
}

/// A listener on this machine.
pub(crate) fn peer() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A reply in a word: its name, or an Rerror's text.
pub(crate) fn text(frame: &[u8]) -> String {
    match decode(frame, Dialect::P2000).unwrap().1 {
        Message::Rerror(error) => error.ename.into(),
        reply => reply.name().into(),
    }
}
