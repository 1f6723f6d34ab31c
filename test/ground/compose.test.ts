import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { readText } from './project.ts'

const service = z.object({
  image: z.string(),
  command: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  healthcheck: z.object({ test: z.array(z.string()).min(2) }).optional(),
  restart: z.string().optional(),
})

const composeFile = z.object({
  services: z.object({ postgres: service, redis: service, beacon: service }),
  volumes: z.record(z.string(), z.null()),
})

const text = readText('docker-compose.yml')
const { services, volumes } = composeFile.parse(parse(text, { merge: true }))
const { postgres, redis, beacon } = services
const everyService = Object.values(services)
const dockerfile = readText('Dockerfile')

/** What stands after an option on a command line. */
const optionOf = (command: readonly string[], option: string): string | undefined =>
  command[command.indexOf(option) + 1]

describe('secrets', () => {
  test('no password has a default, and a missing one stops the start', () => {
    const passwords = [...text.matchAll(/\$\{(\w*PASSWORD)([^}]*)\}/g)]
    expect(new Set(passwords.map(([, name]) => name))).toEqual(
      new Set(['POSTGRES_PASSWORD', 'REDIS_PASSWORD', 'BEACON_HTTP_PASSWORD']),
    )
    expect(passwords.filter(([, , rest]) => !rest?.startsWith(':?')).map(([whole]) => whole)).toEqual([])
  })

  test('no password is written down', () => {
    const written = [...text.matchAll(/PASSWORD: (.*)/g)].map(([, value]) => value)
    expect(written.every((value) => value?.startsWith('${'))).toBe(true)
  })

  test('PostgreSQL, Redis and the page each ask for theirs', () => {
    expect(postgres.environment.POSTGRES_PASSWORD).toBeDefined()
    expect(postgres.environment.POSTGRES_HOST_AUTH_METHOD).toBeUndefined()
    expect(optionOf(redis.command, '--requirepass')).toMatch(/^\$\{REDIS_PASSWORD:\?/)
    expect(beacon.environment.BEACON_HTTP_PASSWORD).toBeDefined()
  })

  test('nothing but what the image needs is sent to the build', () => {
    const [first, ...rest] = readText('.dockerignore')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
    expect(first).toBe('*')
    expect(rest.every((line) => line.startsWith('!'))).toBe(true)
    expect(rest.filter((line) => /env|beacon|git/.test(line))).toEqual([])
  })
})

describe('what keeps data', () => {
  test('Redis never evicts and logs what it appends', () => {
    expect(optionOf(redis.command, '--maxmemory-policy')).toBe('noeviction')
    expect(optionOf(redis.command, '--appendonly')).toBe('yes')
  })

  test('all that is kept is in named volumes, that of PostgreSQL and Redis, where their images keep the data', () => {
    const mounts = [...postgres.volumes, ...redis.volumes, ...beacon.volumes].map((mount) => mount.split(':'))
    expect(Object.keys(volumes)).toEqual(expect.arrayContaining(mounts.map(([name]) => name)))
    // Up to version 17 it was /var/lib/postgresql/data; mounted there, version 18 refuses to start.
    expect(postgres.image).toMatch(/^postgres:18\b/)
    expect(mounts.map(([, path]) => path)).toEqual(['/var/lib/postgresql', '/data', '/data'])
  })

  test('every image of others is pinned to a version', () => {
    expect([postgres, redis].filter(({ image }) => !/^[a-z]+:\d+/.test(image))).toEqual([])
    const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image)
    expect(new Set(bases)).toEqual(new Set(['node:20-bookworm-slim']))
  })
})

describe('how the services stand together', () => {
  test('nothing is published beyond this machine', () => {
    expect(
      everyService.flatMap(({ ports }) => ports).filter((port) => !port.startsWith('127.0.0.1:')),
    ).toEqual([])
    expect([...postgres.ports, ...redis.ports]).toEqual([])
  })

  test('every service has a health check and comes back by itself', () => {
    expect(everyService.every(({ healthcheck }) => healthcheck)).toBe(true)
    expect(everyService.map(({ restart }) => restart)).toEqual(everyService.map(() => 'unless-stopped'))
  })

  test('the daemon waits for a healthy PostgreSQL and a healthy Redis', () => {
    expect(beacon.depends_on).toEqual({
      postgres: { condition: 'service_healthy' },
      redis: { condition: 'service_healthy' },
    })
  })

  test('the daemon is sent to the services by their names', () => {
    expect(beacon.environment.DATABASE_URL).toMatch(
      /^postgresql:\/\/beacon:\$\{POSTGRES_PASSWORD:.*\}@postgres:5432\/beacon$/,
    )
    expect(beacon.environment.REDIS_URL).toMatch(/^redis:\/\/:\$\{REDIS_PASSWORD:.*\}@redis:6379$/)
    expect(postgres.environment).toMatchObject({ POSTGRES_USER: 'beacon', POSTGRES_DB: 'beacon' })
  })
})

describe('the image of the daemon', () => {
  test('does not run as root', () => {
    expect(/^USER (\S+)/m.exec(dockerfile)?.[1]).toBe('node')
  })

  test('starts the daemon without a shell in between, so that signals reach it', () => {
    expect(dockerfile).toMatch(
      /^ENTRYPOINT \["node", "node_modules\/beacon-ingest\/dist\/beacon\.js"\]\nCMD \["start"\]$/m,
    )
  })

  test('is built from the packed package, and gets every file that is packed', () => {
    expect(dockerfile).toMatch(/npm pack/)
    const allowed = readText('.dockerignore')
      .split('\n')
      .flatMap((line) => /^!(.+)$/.exec(line)?.[1] ?? [])
    const { files } = z.object({ files: z.array(z.string()) }).parse(JSON.parse(readText('package.json')))
    const folders = files.map((file) => file.split('/')[0]).filter((folder) => folder !== 'dist')
    expect(allowed).toEqual(expect.arrayContaining(folders))
  })
})
