import { describe, expect, test } from 'vitest'
import { readRedisUrl } from '../../src/settings/redis-url.ts'

const at = (host: string, port: number) => ({ host, port })

describe('REDIS_URL', () => {
  test.each([
    ['redis://cache', { tls: false, database: 0, servers: [at('cache', 6379)] }],
    ['redis://cache:6380/3', { tls: false, database: 3, servers: [at('cache', 6380)] }],
    ['REDISS://cache/', { tls: true, database: 0, servers: [at('cache', 6379)] }],
    ['redis://:p%40ss@cache', { tls: false, database: 0, password: 'p@ss', servers: [at('cache', 6379)] }],
    [
      'redis://me:se:cr@t@cache',
      { tls: false, database: 0, username: 'me', password: 'se:cr@t', servers: [at('cache', 6379)] },
    ],
    [
      'redis://[::1]:7000,10.0.0.2,c:7002',
      { tls: false, database: 0, servers: [at('::1', 7000), at('10.0.0.2', 6379), at('c', 7002)] },
    ],
    [
      'redis+sentinel://a:26380,b/mymaster/2',
      {
        tls: false,
        database: 2,
        servers: [at('a', 26_380), at('b', 26_379)],
        sentinel: { primaryName: 'mymaster' },
      },
    ],
    [
      'rediss+sentinel://:secret@a/main?sentinelUsername=watch&sentinelPassword=w%26rd',
      {
        tls: true,
        database: 0,
        password: 'secret',
        servers: [at('a', 26_379)],
        sentinel: { primaryName: 'main', username: 'watch', password: 'w&rd' },
      },
    ],
  ])('%s is understood', (text, servers) => {
    expect(readRedisUrl(text)).toEqual(servers)
  })

  test.each([
    ['localhost:6379', /^is not a URL of the form redis:\/\/host/],
    ['http://cache', /^is not a URL/],
    ['redis://', /^is not a URL/],
    ['redis://cache:99999', /^is not a URL/],
    ['redis://a,,b', /^is not a URL/],
    ['redis://cache:port', /^is not a URL/],
    ['redis://cache/main', /^names a database that is not a number/],
    ['redis+sentinel://a,b', /^names no primary: end it with the name that the Sentinels monitor/],
    ['redis+sentinel://a/mymaster/main', /^names a database that is not a number/],
    ['redis://cache?tls=true', /^has the parameter tls, which is unknown/],
  ])('%s is refused, without what may be a secret', (text, message) => {
    const mistake = readRedisUrl(text.replace('://', '://:canary-7d1c@'))
    expect(mistake).toMatch(message)
    expect(mistake).not.toContain('canary')
  })
})
