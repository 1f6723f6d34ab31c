import { createReadStream, createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  paginateListObjectsV2,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { Misconfigured, Unavailable } from '../../../fault.ts'
import { rootMessage } from '../../../store/transaction.ts'
import type { ArchiveStorage } from '../archive-storage.ts'
import { DamagedArchive } from '../damaged-archive.ts'
import { asFault as asFileFault, inFolder, makeDraftFolder } from './folder.ts'

const partBytes = 8 * 1024 * 1024
const partsAtOnce = 2
const tries = 5

/**
 * `s3://bucket/prefix?endpoint=https://…&region=…`; credentials from the environment (`AWS_ACCESS_KEY_ID` …). Drafts
 * and files being read are in `draftFolder`.
 */
export function s3Storage(url: URL, draftFolder: string): ArchiveStorage {
  const bucket = url.hostname
  const prefix = url.pathname.replace(/^\/+|\/+$/g, '')
  const endpoint = url.searchParams.get('endpoint')
  const region = url.searchParams.get('region')
  const client = new S3Client({
    ...(region && { region }),
    ...(endpoint && { endpoint, forcePathStyle: true }),
    maxAttempts: tries,
    // Unknown to many S3 implementations; files are read back anyway.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  })
  const objectOf = (fileName: string) => ({
    Bucket: bucket,
    Key: prefix === '' ? fileName : `${prefix}/${fileName}`,
  })
  const reported = (fileName: string): string => `s3://${bucket}/${objectOf(fileName).Key}`
  const draftOf = (fileName: string): string => inFolder(draftFolder, `${fileName}.draft`)

  async function has(fileName: string): Promise<boolean> {
    try {
      await client.send(new HeadObjectCommand(objectOf(fileName)))
      return true
    } catch (error) {
      if (isMissing(error)) return false
      throw asFault(error, reported(fileName))
    }
  }

  async function withFile<T>(fileName: string, work: (path: string) => Promise<T>): Promise<T> {
    const path = inFolder(draftFolder, `${fileName}.copy`)
    await makeDraftFolder(draftFolder)
    try {
      await download(fileName, path)
      return await work(path)
    } finally {
      await rm(path, { force: true })
    }
  }

  async function download(fileName: string, path: string): Promise<void> {
    try {
      const { Body: body } = await client.send(new GetObjectCommand(objectOf(fileName)))
      if (!(body instanceof Readable)) throw new TypeError('the store answered without a body')
      await pipeline(body, createWriteStream(path, { mode: 0o600 }))
    } catch (error) {
      if (isMissing(error)) {
        throw new DamagedArchive(
          `${reported(fileName)} is not there: put it back, or set ARCHIVE_URL to where it is`,
        )
      }
      throw asFault(error, reported(fileName))
    }
  }

  /** Aborts a killed upload, whose parts are billed but not listed. */
  async function abortUploads(fileName: string): Promise<void> {
    const { Bucket, Key } = objectOf(fileName)
    const { Uploads: uploads = [] } = await client.send(
      new ListMultipartUploadsCommand({ Bucket, Prefix: Key }),
    )
    for (const { UploadId } of uploads) {
      await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }))
    }
  }

  async function list(): Promise<string[]> {
    const start = prefix === '' ? '' : `${prefix}/`
    const names: string[] = []
    try {
      for await (const { Contents: objects = [] } of paginateListObjectsV2(
        { client },
        { Bucket: bucket, Prefix: start },
      ))
        for (const { Key = '' } of objects) if (Key.endsWith('.parquet')) names.push(Key.slice(start.length))
    } catch (error) {
      throw asFault(error, `s3://${bucket}/${prefix}`)
    }
    return names.toSorted()
  }

  return {
    place: placeOf(url),
    draftOf: async (fileName) => {
      await makeDraftFolder(draftFolder)
      return draftOf(fileName)
    },
    publish: async (fileName) => {
      const upload = new Upload({
        client,
        params: { ...objectOf(fileName), Body: createReadStream(draftOf(fileName)) },
        partSize: partBytes,
        queueSize: partsAtOnce,
      })
      try {
        await upload.done()
      } catch (error) {
        throw asFault(error, reported(fileName))
      }
      await rm(draftOf(fileName), { force: true })
    },
    withFile,
    has,
    list,
    remove: async (fileName) => {
      await rm(draftOf(fileName), { force: true })
      try {
        await abortUploads(fileName)
        await client.send(new DeleteObjectCommand(objectOf(fileName)))
      } catch (error) {
        throw asFault(error, reported(fileName))
      }
    },
    close: () => client.destroy(),
  }
}

/** No credentials in the manifest. */
function placeOf(url: URL): string {
  const place = new URL(`s3://${url.hostname}${url.pathname.replace(/\/+$/, '')}/`)
  for (const name of ['endpoint', 'region']) {
    const value = url.searchParams.get(name)
    if (value !== null) place.searchParams.set(name, value)
  }
  return place.href
}

const isMissing = (error: unknown): boolean =>
  error instanceof S3ServiceException && (error.name === 'NoSuchKey' || error.name === 'NotFound')

/** Adds the remedy. S3 errors hold no secret key. */
function asFault(error: unknown, what: string): unknown {
  if (error instanceof S3ServiceException) {
    const { httpStatusCode: status = 0 } = error.$metadata
    if (status >= 500 || status === 429 || error.$retryable) {
      return new Unavailable(
        `the store did not take or give ${what} (${status} ${error.name}): try again later`,
        {
          cause: error,
        },
      )
    }
    if (error.name === 'NoSuchBucket') {
      return new Misconfigured(`there is no bucket for ${what}: make it, or set ARCHIVE_URL to another`, {
        cause: error,
      })
    }
    return new Misconfigured(
      `the store refused ${what} (${status} ${error.name}): look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what they may do`,
      { cause: error },
    )
  }
  if (!(error instanceof Error)) return error
  if (error.name === 'CredentialsProviderError') {
    return new Misconfigured(
      `there are no credentials for ${what}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`,
      { cause: error },
    )
  }
  if (/^Region is missing/.test(error.message)) {
    return new Misconfigured(
      `the region of ${what} is not known: set AWS_REGION, or add ?region= to ARCHIVE_URL`,
      {
        cause: error,
      },
    )
  }
  return isOfTheNetwork(error)
    ? new Unavailable(`the store of ${what} cannot be reached: ${rootMessage(error)}`, { cause: error })
    : asFileFault(error, what)
}

const isOfTheNetwork = (error: Error): boolean =>
  error.name === 'TimeoutError' ||
  ('code' in error &&
    /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|ERR_STREAM_PREMATURE)/.test(String(error.code)))
