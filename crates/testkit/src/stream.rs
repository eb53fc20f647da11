//! A streamed answer, event by event, with its faults.

use std::io;

use serde_json::Value;

use crate::behaviour::{Fault, error_body};
use crate::completion::Completion;
use crate::serve::{After, Sender, gzip};

const EVENT_STREAM: &str = "text/event-stream; charset=utf-8";

pub(crate) async fn send_stream(
    sender: &mut Sender<'_>,
    completion: &Completion,
    fault: &Fault,
) -> io::Result<After> {
    let events = events(completion, fault);
    sender.add_header("cache-control", "no-cache");
    match fault {
        Fault::Split(split) => {
            sender.head(200, EVENT_STREAM, None).await?;
            sender.chunks(&split.pieces(&events.concat())).await
        }
        Fault::Stall { after_events, gate } => {
            let (before, rest) = events.split_at(events.len().min(*after_events));
            sender.head(200, EVENT_STREAM, None).await?;
            for event in before {
                sender.chunk(event).await?;
            }
            gate.pass().await;
            sender.chunks(rest).await
        }
        Fault::Reset { after_events, gate } => {
            sender.head(200, EVENT_STREAM, None).await?;
            for event in events.iter().take(*after_events) {
                sender.chunk(event).await?;
            }
            if let Some(gate) = gate {
                gate.pass().await;
            }
            Ok(After::Reset)
        }
        Fault::Truncated => {
            let body = events.concat();
            sender.head(200, EVENT_STREAM, Some(body.len())).await?;
            sender.write(&body[..body.len() / 2]).await?;
            Ok(After::Close)
        }
        Fault::Gzip => {
            sender.add_header("content-encoding", "gzip");
            sender.head(200, EVENT_STREAM, None).await?;
            sender.chunks(&[gzip(&events.concat())]).await
        }
        Fault::Endless => send_endless(sender, completion).await,
        Fault::Drip(interval) => {
            sender.head(200, EVENT_STREAM, None).await?;
            for event in &events {
                sender.chunk(event).await?;
                tokio::time::sleep(*interval).await;
            }
            sender.write(b"0\r\n\r\n").await?;
            Ok(After::KeepAlive)
        }
        _ => {
            sender.head(200, EVENT_STREAM, None).await?;
            sender.chunks(&events).await
        }
    }
}

async fn send_endless(sender: &mut Sender<'_>, completion: &Completion) -> io::Result<After> {
    sender.head(200, EVENT_STREAM, None).await?;
    sender.chunk(&data_line(&completion.role_chunk())).await?;
    let event = data_line(&completion.content_chunk("more "));
    loop {
        sender.chunk(&event).await?;
    }
}

/// The events of the answer as bytes, with the faults that change which events there are or how they are written.
fn events(completion: &Completion, fault: &Fault) -> Vec<Vec<u8>> {
    let write = if matches!(fault, Fault::OddFraming) { odd_data_line } else { data_line };
    let mut events = vec![write(&completion.role_chunk())];
    events.extend(completion.content_chunks().iter().map(write));
    let finish_index = events.len();
    events.push(write(&completion.finish_chunk()));
    events.extend(completion.usage_chunk().as_ref().map(write));
    events.push(b"data: [DONE]\n\n".to_vec());
    match fault {
        Fault::EndWithoutDone => {
            events.pop();
        }
        Fault::EndWithoutFinish => events.truncate(finish_index),
        Fault::ErrorEvent { after_events } => {
            events.truncate(*after_events);
            let error = error_body("generation failed", "server_error", "internal_error");
            events.push(format!("data: {error}\n\n").into_bytes());
        }
        Fault::BrokenEvent => events.insert(2, b"data: {\"id\":\"chatcmpl\n\n".to_vec()),
        _ => {}
    }
    events
}

fn data_line(chunk: &Value) -> Vec<u8> {
    format!("data: {chunk}\n\n").into_bytes()
}

fn odd_data_line(chunk: &Value) -> Vec<u8> {
    format!(": keep-alive\r\n\r\nevent: message\r\ndata:{chunk}\r\n\r\n").into_bytes()
}
