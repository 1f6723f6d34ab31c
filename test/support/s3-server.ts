import { createHash, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { systemClock } from '../../src/runtime/clock.ts'
import { refusalOf } from './sigv4.ts'

/**
 * As much of S3's protocol as an archive needs, in memory: objects of one bucket, multi-part uploads, listing, and errors
 * in S3's own form. A request must bear a right signature of version 4.
 */
export type S3Server = Readonly<{
  /** `s3://bucket/prefix?endpoint=…` */
  url: string
  credentials: Readonly<Record<'AWS_ACCESS_KEY_ID' | 'AWS_SECRET_ACCESS_KEY', string>>
  /** Key → body. */
  objects: Map<string, Buffer>
  /** Uploads that were begun, and neither completed nor aborted. */
  uploads: Map<string, Upload>
  /** `PUT /bucket/key?partNumber=1`, as they came. */
  requests: readonly string[]
  /** Asked of every request, before it is answered: what to do instead. */
  fault: Fault
  [Symbol.asyncDispose](): Promise<void>
}>

type Upload = { key: string; parts: Map<number, Buffer> }
type Fault = { of(request: string): 'server-error' | 'reset' | 'expired' | 'lost-bytes' | undefined }

const bucket = 'beacon-archive'
const region = 'eu-test-1'
const credentials = { AWS_ACCESS_KEY_ID: 'AKIATEST', AWS_SECRET_ACCESS_KEY: 'not-a-secret' }
const signer = {
  accessKeyId: credentials.AWS_ACCESS_KEY_ID,
  secretAccessKey: credentials.AWS_SECRET_ACCESS_KEY,
  region,
}

export async function startS3Server(): Promise<S3Server> {
  const objects = new Map<string, Buffer>()
  const uploads = new Map<string, Upload>()
  const requests: string[] = []
  const fault: Fault = { of: () => undefined }
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request)
    const reported = `${request.method} ${decodeURIComponent(request.url ?? '')}`
    requests.push(reported)
    const wrong = fault.of(reported)
    if (wrong === 'reset') return request.socket.destroy()
    if (wrong === 'server-error') return refuse(response, 500, 'InternalError')
    if (wrong === 'expired') return refuse(response, 403, 'ExpiredToken')
    const refusal = refusalOf(request, body, signer, systemClock.now())
    if (refusal) return refuse(response, 403, refusal)
    return answer(request, response, wrong === 'lost-bytes' ? body.subarray(0, -1) : body)
  })

  function answer(request: IncomingMessage, response: ServerResponse, body: Buffer): ServerResponse {
    const url = new URL(request.url ?? '', 'http://localhost')
    const [, name, ...rest] = decodeURIComponent(url.pathname).split('/')
    if (name !== bucket) return refuse(response, 404, 'NoSuchBucket')
    const key = rest.join('/')
    const query = url.searchParams
    const upload = uploads.get(query.get('uploadId') ?? '')
    switch (
      `${request.method} ${query.has('uploads') ? 'uploads' : query.has('uploadId') ? 'upload' : 'object'}`
    ) {
      case 'POST uploads': {
        const id = randomUUID()
        uploads.set(id, { key, parts: new Map() })
        return xml(
          response,
          `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
        )
      }
      case 'GET uploads': {
        const begun = [...uploads].filter(([, one]) => one.key.startsWith(query.get('prefix') ?? ''))
        const listed = begun.map(
          ([id, one]) => `<Upload><Key>${one.key}</Key><UploadId>${id}</UploadId></Upload>`,
        )
        return xml(response, `<ListMultipartUploadsResult>${listed.join('')}</ListMultipartUploadsResult>`)
      }
      case 'PUT upload':
        if (!upload) return refuse(response, 404, 'NoSuchUpload')
        upload.parts.set(Number(query.get('partNumber')), body)
        return response.setHeader('etag', etagOf(body)).end()
      case 'POST upload': {
        if (!upload) return refuse(response, 404, 'NoSuchUpload')
        const parts = [...upload.parts].toSorted(([a], [b]) => a - b).map(([, part]) => part)
        const named = [...body.toString().matchAll(/<ETag>(?:&quot;|")?([^<"&]+)/g)].map(
          ([, etag]) => `"${etag}"`,
        )
        if (named.join() !== parts.map(etagOf).join()) return refuse(response, 400, 'InvalidPart')
        objects.set(key, Buffer.concat(parts))
        uploads.delete(query.get('uploadId') ?? '')
        return xml(
          response,
          '<CompleteMultipartUploadResult><ETag>"whole"</ETag></CompleteMultipartUploadResult>',
        )
      }
      case 'DELETE upload':
        uploads.delete(query.get('uploadId') ?? '')
        return response.writeHead(204).end()
      case 'GET object':
        if (query.get('list-type') === '2') return list(response, query)
        return give(response, key, request.method)
      case 'PUT object':
        objects.set(key, body)
        return response.setHeader('etag', etagOf(body)).end()
      case 'DELETE object':
        objects.delete(key)
        return response.writeHead(204).end()
      default:
        return give(response, key, request.method)
    }
  }

  function give(response: ServerResponse, key: string, method: string | undefined): ServerResponse {
    const found = objects.get(key)
    if (!found) return refuse(response, 404, 'NoSuchKey')
    response.setHeader('etag', etagOf(found)).setHeader('content-length', found.length)
    return response.end(method === 'HEAD' ? undefined : found)
  }

  /** A page of two at a time, as S3 gives a thousand. */
  function list(response: ServerResponse, query: URLSearchParams): ServerResponse {
    const start = query.get('continuation-token') ?? ''
    const keys = [...objects.keys()]
      .filter((key) => key.startsWith(query.get('prefix') ?? '') && key > start)
      .toSorted()
    const page = keys.slice(0, 2)
    const more = keys.length > page.length
    return xml(
      response,
      `<ListBucketResult><IsTruncated>${more}</IsTruncated>${page.map((key) => `<Contents><Key>${key}</Key></Contents>`).join('')}${
        more ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : ''
      }</ListBucketResult>`,
    )
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `s3://${bucket}/hub?endpoint=http://127.0.0.1:${port}&region=${region}`,
    credentials,
    objects,
    uploads,
    requests,
    fault,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks)
}

const etagOf = (body: Buffer): string => `"${createHash('md5').update(body).digest('hex')}"`

const xml = (response: ServerResponse, text: string): ServerResponse =>
  response.setHeader('content-type', 'application/xml').end(`<?xml version="1.0"?>${text}`)

function refuse(response: ServerResponse, status: number, code: string): ServerResponse {
  response.writeHead(status, { 'content-type': 'application/xml' })
  return response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`)
}
