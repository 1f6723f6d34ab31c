import type { ServerResponse } from 'node:http'
import { pipeline, Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import type { InjectedFault } from './faults/injected-fault.ts'

/** Sends the body as the fault requires. */
export function deliver(
  fault: InjectedFault | undefined,
  response: ServerResponse,
  status: number,
  body: Buffer,
): void {
  switch (fault?.name) {
    case 'cut':
      sendWhole(response, status, body.subarray(0, fault.atByte))
      break
    case 'reset':
      if (fault.when === 'before-answer') reset(response)
      else sendThenReset(response, status, body)
      break
    case 'stall':
      break
    case 'drip':
      drip(response, status, body, fault)
      break
    case 'too-long-length':
      sendTooLittle(response, status, body, fault.bytes)
      break
    case 'huge-body':
      sendHuge(response, status, fault)
      break
    default:
      sendWhole(response, status, body)
  }
}

function sendWhole(response: ServerResponse, status: number, body: Buffer): void {
  response.writeHead(status, { 'content-length': body.length })
  response.end(body)
}

function reset(response: ServerResponse): void {
  response.socket?.resetAndDestroy()
}

function sendThenReset(response: ServerResponse, status: number, body: Buffer): void {
  response.writeHead(status, { 'content-length': body.length })
  response.write(body.subarray(0, Math.ceil(body.length / 2)), () => reset(response))
}

/** Declares a longer body, then closes. */
function sendTooLittle(response: ServerResponse, status: number, body: Buffer, missing: number): void {
  response.writeHead(status, { 'content-length': body.length + missing })
  response.write(body, () => response.socket?.end())
}

function drip(
  response: ServerResponse,
  status: number,
  body: Buffer,
  pace: { bytes: number; everyMs: number },
): void {
  response.writeHead(status, { 'content-length': body.length })
  let sent = 0
  const drop = () => {
    response.write(body.subarray(sent, sent + pace.bytes))
    sent += pace.bytes
    if (sent < body.length) return
    clearInterval(timer)
    response.end()
  }
  const timer = setInterval(drop, pace.everyMs)
  response.once('close', () => clearInterval(timer))
  drop()
}

/** A JSON array of zeros, streamed; gzip makes it tiny on the wire. */
function sendHuge(
  response: ServerResponse,
  status: number,
  { megabytes, gzip }: { megabytes: number; gzip: boolean },
) {
  response.writeHead(status, gzip ? { 'content-encoding': 'gzip' } : {})
  // Clients hang up early.
  const hungUp = () => undefined
  const source = Readable.from(zeros(megabytes))
  if (gzip) pipeline(source, createGzip(), response, hungUp)
  else pipeline(source, response, hungUp)
}

function* zeros(megabytes: number): Generator<Buffer> {
  yield Buffer.from('[')
  const chunk = Buffer.from('0,'.repeat(32 * 1_024))
  for (let sent = 0; sent < megabytes * 1_024 * 1_024; sent += chunk.length) yield chunk
  yield Buffer.from('0]')
}
