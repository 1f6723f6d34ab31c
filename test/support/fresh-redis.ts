import { Redis } from 'ioredis'
import { redisUrl } from './database.ts'

/** The URL of a numbered database of the shared Redis that no other test has used. */
export async function freshRedisUrl(): Promise<string> {
  const redis = new Redis(redisUrl ?? '')
  try {
    return `${redisUrl}/${await redis.incr('test:databases')}`
  } finally {
    redis.disconnect()
  }
}
