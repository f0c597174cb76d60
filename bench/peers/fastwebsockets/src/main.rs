//! fastwebsockets 0.10 as a server to measure, by its own examples `echo_server` and `echo_server_split`.
//!
//! Settings: those of the examples: one thread, tasks without tokio's budget, upgrades by hyper; and no delay of small packets.
//! Fan-out by tokio's broadcast channel, as there is none in the library; a frame's payload is shared, not copied.

use std::convert::Infallible;
use std::io;

use fastwebsockets::upgrade::{self, UpgradeFut};
use fastwebsockets::{
    FragmentCollector, FragmentCollectorRead, Frame, OpCode, Payload, WebSocketError,
};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use peer_common::{Args, Scenario, ready};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{self, Sender};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let args = Args::parse();
    let listener = TcpListener::bind(args.bind).await?;
    let (everyone, _) = broadcast::channel(4096);
    ready(args.bind);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream, args.scenario, everyone.clone()));
    }
}

async fn serve(stream: TcpStream, scenario: Scenario, everyone: Sender<Bytes>) {
    let upgrade = service_fn(move |mut request: Request<Incoming>| {
        let everyone = everyone.clone();
        async move {
            let (response, upgraded) = upgrade::upgrade(&mut request)?;
            tokio::spawn(tokio::task::unconstrained(async move {
                // A client that goes, goes.
                let _ = match scenario {
                    Scenario::Echo => echo(upgraded).await,
                    Scenario::Broadcast => broadcast(upgraded, everyone).await,
                };
            }));
            Ok::<Response<Empty<Bytes>>, WebSocketError>(response)
        }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), upgrade);
    // Whoever speaks no HTTP is not counted.
    let _ = connection.with_upgrades().await;
}

async fn echo(upgraded: UpgradeFut) -> Result<(), WebSocketError> {
    let mut socket = FragmentCollector::new(upgraded.await?);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            OpCode::Continuation | OpCode::Ping | OpCode::Pong => {}
        }
    }
}

async fn broadcast(upgraded: UpgradeFut, everyone: Sender<Bytes>) -> Result<(), WebSocketError> {
    let (reader, mut writer) = upgraded.await?.split(tokio::io::split);
    let mut reader = FragmentCollectorRead::new(reader);
    let mut mine = everyone.subscribe();
    let writing = tokio::spawn(tokio::task::unconstrained(async move {
        loop {
            match mine.recv().await {
                Ok(payload) => {
                    let frame = Frame::binary(Payload::Borrowed(&payload));
                    writer.write_frame(frame).await?;
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Ok::<(), WebSocketError>(()),
            }
        }
    }));
    // Nobody here pings; what a close owes goes with the connection.
    let mut owed = |_| async { Ok::<(), Infallible>(()) };
    while let Ok(frame) = reader.read_frame(&mut owed).await {
        match frame.opcode {
            OpCode::Close => break,
            OpCode::Text | OpCode::Binary => {
                // There is a receiver: this connection.
                let _ = everyone.send(Bytes::copy_from_slice(&frame.payload));
            }
            OpCode::Continuation | OpCode::Ping | OpCode::Pong => {}
        }
    }
    writing.abort();
    Ok(())
}
