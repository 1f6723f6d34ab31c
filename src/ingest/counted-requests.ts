import { Aborted, RateLimited } from '../fault.ts'
import type { Downloader } from '../http/download.ts'
import type { HttpClient, HttpRequest } from '../http/request.ts'

export type RequestCount = Readonly<{ requests: number; fileRequests: number }>

export type CountedClient = Readonly<{ http: HttpClient & Downloader; count(): RequestCount }>

/** Counts sent requests, including failed ones. */
export function countRequests(client: HttpClient & Downloader): CountedClient {
  let requests = 0
  let fileRequests = 0
  return {
    http: {
      get: (request, options) =>
        counted(
          request,
          (asked) => client.get(asked, options),
          () => {
            requests += 1
          },
        ),
      download: (request, options) =>
        counted(
          request,
          (asked) => client.download(asked, options),
          () => {
            fileRequests += 1
          },
        ),
    },
    count: () => ({ requests, fileRequests }),
  }
}

async function counted<T>(
  request: HttpRequest,
  send: (request: HttpRequest) => Promise<T>,
  add: () => void,
): Promise<T> {
  let answers = 0
  const classify: HttpRequest['classify'] = (answer) => {
    answers += 1
    add()
    return request.classify(answer)
  }
  try {
    return await send({ ...request, classify })
  } catch (error) {
    // Aborted or rate-limited requests may never have been sent.
    if (answers === 0 && !(error instanceof Aborted) && !(error instanceof RateLimited)) add()
    throw error
  }
}
