import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/**
 * Checks a request's signature as S3 does, from AWS's description of version 4 and not with its client:
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
export type Signer = Readonly<{ accessKeyId: string; secretAccessKey: string; region: string }>

const authorizationForm =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/

const mostSkewMs = 15 * 60_000

/** Undefined where the signature is right, and else the code of S3's error. */
export function refusalOf(
  request: IncomingMessage,
  body: Buffer,
  signer: Signer,
  now: number,
): string | undefined {
  const [, keyId, date = '', region, names = '', signature = ''] =
    authorizationForm.exec(request.headers.authorization ?? '') ?? []
  if (keyId === undefined) return 'AccessDenied'
  if (keyId !== signer.accessKeyId) return 'InvalidAccessKeyId'
  if (region !== signer.region) return 'AuthorizationHeaderMalformed'
  const time = String(request.headers['x-amz-date'] ?? '')
  if (!time.startsWith(date) || Math.abs(instantOf(time) - now) > mostSkewMs) return 'RequestTimeTooSkewed'
  const payload = String(request.headers['x-amz-content-sha256'] ?? '')
  if (/^[0-9a-f]{64}$/.test(payload) && payload !== sha256(body)) return 'XAmzContentSHA256Mismatch'
  const signed = names.split(';')
  if (!['host', 'x-amz-date', 'x-amz-content-sha256'].every((name) => signed.includes(name)))
    return 'AccessDenied'
  const scope = `${date}/${region}/s3/aws4_request`
  const text = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical(request, signed, payload))].join('\n')
  const expected = hmac(keyOf(signer, date), text)
  return timingSafeEqual(expected, Buffer.from(signature, 'hex')) ? undefined : 'SignatureDoesNotMatch'
}

/** `20240301T120000Z` */
const instantOf = (time: string): number =>
  Date.parse(time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))

function canonical(
  { method = '', url = '', headers }: IncomingMessage,
  signed: readonly string[],
  payload: string,
) {
  const [path = '', query = ''] = url.split('?')
  const parameters = query
    .split('&')
    .filter((one) => one !== '')
    .map((one) => {
      const [name = '', value = ''] = one.split('=').map((part) => encoded(decodeURIComponent(part)))
      return `${name}=${value}`
    })
    .toSorted()
  const values = signed.map(
    (name) =>
      `${name}:${String(headers[name] ?? '')
        .trim()
        .replaceAll(/ +/g, ' ')}\n`,
  )
  return [
    method,
    path
      .split('/')
      .map((part) => encoded(decodeURIComponent(part)))
      .join('/'),
    parameters.join('&'),
    values.join(''),
    signed.join(';'),
    payload,
  ].join('\n')
}

/** Everything but the unreserved characters. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`)

const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex')
const hmac = (key: Buffer | string, text: string): Buffer => createHmac('sha256', key).update(text).digest()

const keyOf = ({ secretAccessKey, region }: Signer, date: string): Buffer =>
  hmac(hmac(hmac(hmac(`AWS4${secretAccessKey}`, date), region), 's3'), 'aws4_request')
