//! tokio-tungstenite 0.30 as a server to measure: a task per connection, fan-out by tokio's broadcast channel.
//!
//! Settings: one thread, cheapest on one processor; no delay of small packets (as everywhere here); a read buffer of 4 KiB, for
//! which `WebSocketConfig::read_buffer_size` says that a smaller one saves memory. As in the library's examples every message
//! is sent by `send`, which flushes. With `--batch` all that waits for a client is fed and flushed once, the way that the
//! documentation of `futures::Sink` recommends.

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use peer_common::{Args, Scenario, ready};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::broadcast::{self, Receiver, Sender};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_async_with_config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let args = Args::parse();
    let listener = TcpListener::bind(args.bind).await?;
    let (everyone, _) = broadcast::channel(4096);
    ready(args.bind);
    loop {
        let (stream, _) = listener.accept().await?;
        let everyone = everyone.clone();
        tokio::spawn(async move {
            // A client that goes, goes.
            let _ = serve(stream, args, everyone).await;
        });
    }
}

async fn serve(stream: TcpStream, args: Args, everyone: Sender<Message>) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default().read_buffer_size(4096);
    let socket = accept_async_with_config(stream, Some(config)).await?;
    match args.scenario {
        Scenario::Echo => echo(socket, args.batch).await,
        Scenario::Broadcast => broadcast(socket, args.batch, everyone).await,
    }
}

async fn echo(mut socket: WebSocketStream<TcpStream>, batch: bool) -> Result<(), Error> {
    while let Some(message) = socket.next().await {
        let message = message?;
        if !(message.is_binary() || message.is_text()) {
            continue;
        }
        socket.feed(message).await?;
        while batch && let Some(Some(message)) = socket.next().now_or_never() {
            let message = message?;
            if message.is_binary() || message.is_text() {
                socket.feed(message).await?;
            }
        }
        socket.flush().await?;
    }
    Ok(())
}

async fn broadcast(
    mut socket: WebSocketStream<TcpStream>,
    batch: bool,
    everyone: Sender<Message>,
) -> Result<(), Error> {
    let mut mine: Receiver<Message> = everyone.subscribe();
    loop {
        tokio::select! {
            message = socket.next() => {
                let Some(message) = message.transpose()? else {
                    return Ok(());
                };
                if message.is_binary() || message.is_text() {
                    // There is a receiver: this connection.
                    let _ = everyone.send(message);
                }
            }
            message = mine.recv() => match message {
                Ok(message) => send(&mut socket, message, batch.then_some(&mut mine)).await?,
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Ok(()),
            }
        }
    }
}

/// One message and, if asked, all that wait behind it, in one flush.
async fn send(
    socket: &mut WebSocketStream<TcpStream>,
    message: Message,
    more: Option<&mut Receiver<Message>>,
) -> Result<(), Error> {
    socket.feed(message).await?;
    if let Some(more) = more {
        loop {
            match more.try_recv() {
                Ok(message) => socket.feed(message).await?,
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
    }
    socket.flush().await
}
